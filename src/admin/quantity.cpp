#include "quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace fulmar::admin {

namespace {

constexpr std::array<std::pair<std::string_view, unsigned>, 4> units{
    {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};

}  // namespace

std::string print_size(std::uint64_t bytes) {
    if (bytes != 0)
        for (const auto& [name, shift] : units)
            if ((bytes & ((std::uint64_t{1} << shift) - 1)) == 0)
                return fmt::format("{}{}", bytes >> shift, name);
    return fmt::format("{}", bytes);
}

}  // namespace fulmar::admin
