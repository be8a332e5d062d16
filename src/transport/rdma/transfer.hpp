// Cuts a transfer between a request's buffer and the host's memory into work requests that the
// device can take: one stretch of remote memory and a bounded number of local pieces each. Pure: no
// state but its arguments.
#pragma once

#include "sgl_walk.hpp"

#include <sys/uio.h>

#include <cstdint>
#include <span>

namespace fulmar::transport::rdma {

/// What one work request of a device can carry, at least 1 of each.
struct transfer_limits {
    std::uint32_t pieces = 1;  ///< scatter/gather entries
    std::uint32_t bytes = 1;
};

/// One work request.
struct transfer_part {
    std::uint64_t remote_address = 0;
    std::uint32_t remote_key = 0;
    std::uint32_t bytes = 0;   ///< 0: nothing is left
    std::uint32_t pieces = 0;  ///< of the local memory, in order
};

/// The next part of a transfer of which `moved` bytes are done. `local` describes the request's
/// memory from there on and is at least as long as what is left in `remote`, or cuts the transfer
/// short; its first `pieces` entries are trimmed to the part.
[[nodiscard]] transfer_part next_part(std::span<const remote_segment> remote, std::uint32_t moved,
                                      std::span<iovec> local,
                                      const transfer_limits& limits) noexcept;

}  // namespace fulmar::transport::rdma
