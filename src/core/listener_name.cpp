#include <fulmar/core/model.hpp>

#include <fmt/format.h>

namespace fulmar::core {

std::string listener_spec::name() const {
    const bool six = address.find(':') != std::string::npos;
    return six ? fmt::format("{}:[{}]:{}", transport, address, port)
               : fmt::format("{}:{}:{}", transport, address, port);
}

}  // namespace fulmar::core
