#include "base64.hpp"

#include <cstdint>

namespace fulmar::security {

namespace {

// 0 to 63, or -1. Comparisons of ranges, so that the time does not tell the character.
int value_of_digit(char c) noexcept {
    const int v = static_cast<unsigned char>(c);
    const auto in = [v](int low, int high) { return ((low - 1 - v) & (v - high - 1)) >> 31; };
    int value = -1;
    value += in('A', 'Z') & (v - 'A' + 1);
    value += in('a', 'z') & (v - 'a' + 27);
    value += in('0', '9') & (v - '0' + 53);
    value += in('+', '+') & 63;
    value += in('/', '/') & 64;
    return value;
}

char digit_of_value(std::uint32_t value) noexcept {
    const int v = static_cast<int>(value);
    int c = 'A' + v;
    c += ((25 - v) >> 31) & ('a' - 'A' - 26);
    c += ((51 - v) >> 31) & ('0' - 'a' - 26);
    c += ((61 - v) >> 31) & ('+' - '0' - 10);
    c += ((62 - v) >> 31) & ('/' - '+' - 1);
    return static_cast<char>(c);
}

}  // namespace

secret from_base64(std::string_view text) noexcept {
    if (text.empty() || text.size() % 4 != 0) return {};
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    secret made(text.size() / 4 * 3);
    if (made.empty()) return {};
    const std::span<std::byte> out = made.fill();
    int wrong = 0;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const bool padded = i + k >= text.size() - padding;
            const int value = padded ? 0 : value_of_digit(text[i + k]);
            wrong |= value;
            bits = bits << 6 | (static_cast<std::uint32_t>(value) & 63u);
        }
        const bool last = i + 4 == text.size();
        if (last && (bits & ((1u << (8 * padding)) - 1)) != 0) wrong = -1;
        for (std::size_t k = 0; k < 3; ++k)
            out[i / 4 * 3 + k] = static_cast<std::byte>(bits >> (16 - 8 * k));
    }
    if (wrong < 0) return {};
    made.shrink(made.size() - padding);
    return made;
}

std::size_t to_base64(std::span<const std::byte> bytes, std::span<std::byte> to) noexcept {
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k)
            bits = bits << 8 |
                   (i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0u);
        const std::size_t here = bytes.size() - i;
        for (std::size_t k = 0; k < 4; ++k)
            to[at++] = static_cast<std::byte>(k <= here ? digit_of_value(bits >> (18 - 6 * k) & 63u)
                                                        : '=');
    }
    return at;
}

}  // namespace fulmar::security
