#include "key_checksum.hpp"

#include <cstdint>

namespace fulmar::security {

// By bits: the lines of a table would tell the key.
std::array<std::byte, key_checksum_bytes> key_checksum(std::span<const std::byte> key) noexcept {
    std::uint32_t crc = 0xffffffffu;
    for (const std::byte b : key) {
        crc ^= std::to_integer<std::uint32_t>(b);
        for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    crc = ~crc;
    std::array<std::byte, key_checksum_bytes> field{};
    for (std::size_t i = 0; i < field.size(); ++i)
        field[i] = static_cast<std::byte>(crc >> (8 * i));
    return field;
}

}  // namespace fulmar::security
