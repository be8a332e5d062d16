#include <fulmar/core/control.hpp>

#include <fmt/format.h>

namespace fulmar::core {

std::string listener_spec::name() const {
    const bool v6 = address.find(':') != std::string::npos;
    return v6 ? fmt::format("{}:[{}]:{}", transport, address, port)
              : fmt::format("{}:{}:{}", transport, address, port);
}

control_request::control_request(std::variant<change, query> command, bool wants_durable,
                                 reply on_reply)
    : message(nullptr), what(std::move(command)), durable(wants_durable), on_reply_(on_reply) {}

void control_request::finish(result<control_answer> with) noexcept {
    outcome = std::move(with);
    on_reply_(*this);
}

}  // namespace fulmar::core
