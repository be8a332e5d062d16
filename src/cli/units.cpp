#include "units.hpp"

#include <fmt/format.h>

#include <array>

namespace fulmar::cli {

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
