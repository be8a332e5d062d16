#include "quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace fulmar::admin {

namespace {

constexpr std::array<std::pair<std::string_view, unsigned>, 4> units{
    {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, value);
    if (failure != std::errc{} || rest == text.data()) return std::nullopt;
    const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    if (suffix.empty()) return value;
    for (const auto& [name, shift] : units) {
        if (suffix != name) continue;
        if (value > (std::numeric_limits<std::uint64_t>::max() >> shift)) return std::nullopt;
        return value << shift;
    }
    return std::nullopt;
}

std::string print_size(std::uint64_t bytes) {
    if (bytes != 0)
        for (const auto& [name, shift] : units)
            if ((bytes & ((std::uint64_t{1} << shift) - 1)) == 0)
                return fmt::format("{}{}", bytes >> shift, name);
    return fmt::format("{}", bytes);
}

}  // namespace fulmar::admin
