#include <fulmar/base/size_text.hpp>

#include <cctype>
#include <charconv>

namespace fulmar {

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

}  // namespace fulmar
