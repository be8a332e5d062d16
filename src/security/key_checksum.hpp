// The checksum that ends every key's text: CRC-32 of zlib, least significant byte first.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace fulmar::security {

inline constexpr std::size_t key_checksum_bytes = 4;

/// In a time that depends on the size alone. Called on: any thread.
[[nodiscard]] std::array<std::byte, key_checksum_bytes> key_checksum(
    std::span<const std::byte> key) noexcept;

}  // namespace fulmar::security
