// What one exchange looks like on the wire: the byte counts of NVMe/TCP, and nothing else of it.
//   read:             72 → 24 + data + 24       (capsule; C2HData header, data, response)
//   write, small:     72 + data → 24            (capsule with its data; response)
//   write, large:     72 → 24, 24 + data → 24   (capsule; R2T; H2CData header, data; response)
#pragma once

#include <cstddef>
#include <cstdint>

namespace fulmar::bench {

inline constexpr std::size_t capsule_bytes = 72;
inline constexpr std::size_t data_header_bytes = 24;
inline constexpr std::size_t ready_bytes = 24;
inline constexpr std::size_t response_bytes = 24;

/// Writes above this ask for their data by R2T, as over a queue with 8 KiB of in-capsule data.
inline constexpr std::size_t in_capsule_limit_bytes = 8192;

enum class exchange : std::uint32_t { read, write_in_capsule, write_on_request };

/// First byte of whatever a client sends, so that a server can tell a capsule from data.
inline constexpr std::uint8_t capsule_type = 0x04;
inline constexpr std::uint8_t data_type = 0x06;
inline constexpr std::uint8_t ready_type = 0x09;
inline constexpr std::uint8_t response_type = 0x05;

/// Sent first on every connection by the client, and back by the server with its own process id.
struct hello {
    std::uint32_t kind = 0;
    std::uint32_t block_bytes = 0;
    std::uint32_t depth = 0;        ///< of each connection
    std::uint32_t connections = 0;  ///< how many belong to this run
    std::int32_t server_pid = 0;
    std::uint32_t reserved[11] = {};
};
static_assert(sizeof(hello) == 64);

}  // namespace fulmar::bench
