#include "units.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>

namespace fulmar::cli {

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    if (unit.empty()) return number;
    if (unit.front() == ' ') unit.remove_prefix(1);
    if (unit.empty()) return std::nullopt;
    static constexpr std::string_view letters = "bkmgtp";
    const auto power =
        letters.find(static_cast<char>(std::tolower(static_cast<unsigned char>(unit.front()))));
    if (power == std::string_view::npos) return std::nullopt;
    unit.remove_prefix(1);
    const bool just = unit.empty();
    const bool b = unit.size() == 1 && (unit == "b" || unit == "B" || unit == "i");
    const bool ib = unit.size() == 2 && (unit == "ib" || unit == "iB" || unit == "IB");
    if (!just && (power == 0 || (!b && !ib))) return std::nullopt;
    const unsigned shift = static_cast<unsigned>(power) * 10;
    if (number > ~std::uint64_t{0} >> shift) return std::nullopt;
    return number << shift;
}

namespace {
std::string scaled(double value, double step, const std::array<const char*, 6>& units) {
    std::size_t at = 0;
    while (value >= step && at + 1 < units.size()) {
        value /= step;
        ++at;
    }
    // Three digits, and none behind the point that say nothing.
    const int digits = value >= 100 || value == static_cast<double>(static_cast<long>(value)) ? 0
                       : value >= 10                                                          ? 1
                                                                                              : 2;
    return fmt::format("{:.{}f} {}", value, digits, units[at]);
}
}  // namespace

std::string size_text(std::uint64_t bytes) {
    return scaled(static_cast<double>(bytes), 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string count_text(double count) {
    std::string text = scaled(count, 1000, {"", "k", "M", "G", "T", "P"});
    if (text.ends_with(' ')) text.pop_back();
    return text;
}

std::string time_text(double ns) { return scaled(ns, 1000, {"ns", "µs", "ms", "s", "ks", "Ms"}); }

}  // namespace fulmar::cli
