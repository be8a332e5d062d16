// Text in fixed fields: ASCII padded with spaces (serial, model), names padded with NUL (NQN).
// NVMe Base 2.0, section 1.4.2 (ASCII strings). Any thread; no allocation.
// Must never: send a byte outside 20h to 7Eh in an ASCII field.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace fulmar::nvme {

/// Fills `field` with `text`, cut to fit and padded with spaces. What is not printable ASCII
/// becomes '?'. True when nothing was cut or replaced.
template <std::size_t Size>
constexpr bool copy_space_padded(std::array<char, Size>& field, std::string_view text) noexcept {
    bool exact = text.size() <= Size;
    for (std::size_t i = 0; i < Size; ++i) {
        char c = i < text.size() ? text[i] : ' ';
        if (c < 0x20 || c > 0x7e) {
            c = '?';
            exact = false;
        }
        field[i] = c;
    }
    return exact;
}

/// Fills `field` with `text` and NULs; the last byte is always NUL. True when nothing was cut.
template <std::size_t Size>
constexpr bool copy_nul_padded(std::array<char, Size>& field, std::string_view text) noexcept {
    const std::size_t length = text.size() < Size ? text.size() : Size - 1;
    for (std::size_t i = 0; i < Size; ++i) field[i] = i < length ? text[i] : '\0';
    return length == text.size();
}

/// The text of a field without its padding, be it spaces or NULs. It is not terminated, and may
/// hold any byte if a device or a peer wrote it.
template <std::size_t Size>
[[nodiscard]] constexpr std::string_view field_text(const std::array<char, Size>& field) noexcept {
    std::string_view text{field.data(), Size};
    text = text.substr(0, text.find('\0'));
    const std::size_t last = text.find_last_not_of(' ');
    return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

}  // namespace fulmar::nvme
