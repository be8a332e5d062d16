// How much of a buffer pool one host may hold beside others. A host that owes data or does not read
// its answers keeps what it has; whatever it does, the others go on.
#pragma once

#include <fulmar/mem/buffer_share.hpp>

#include <cstdint>

namespace fulmar::mem {

/// What one more take is judged by.
struct host_take {
    std::uint32_t chunks = 0;
    std::uint32_t used = 0;  ///< what the host holds, and what it has been promised
    std::uint32_t free = 0;  ///< in the pool
    std::uint32_t total = 0;
    std::uint32_t hosts = 1;         ///< that share the pool
    bool within_connection = false;  ///< the connection stays within its own guarantee
};

/// Of a data pool T, by what is free:
///  - down to T/2 anybody takes what the connections' credit allows;
///  - down to 3T/8 a connection that has its guarantee unused goes on while other connections of
///  its
///    host are stuck (a path that died with its data owed);
///  - down to T/4 a host that holds nothing gets one transfer, however large;
///  - of the eighth below, each host has its part;
///  - the last eighth is for in-capsule data, which waits for no host.
[[nodiscard]] constexpr bool host_may_take(const host_take& t) noexcept {
    if (t.free >= t.chunks + t.total / 2) return true;
    if (t.used + t.chunks <= t.total / 8 / t.hosts) return true;
    if (t.used == 0) return t.free >= t.chunks + t.total / 4;
    return t.within_connection && t.free >= t.chunks + t.total / 8 * 3;
}

/// Administration: a quarter of what is free (so that many that read nothing leave some), and
/// always one command.
[[nodiscard]] constexpr bool host_may_take_admin(const host_take& t) noexcept {
    return t.used == 0 || t.used + t.chunks <= t.free / 4;
}

}  // namespace fulmar::mem
