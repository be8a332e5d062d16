// How much of a buffer pool the commands of one device hold, and may hold. Credit keeps connections
// from starving each other; this keeps a device that has stopped answering from taking, command by
// command, what everybody else needs.
#pragma once

#include <cstdint>

namespace fulmar::mem {

/// A device may hold as many chunks as are free (the dynamic threshold of switch buffers): one that
/// never gives anything back ends with half of the pool, a second with a quarter, and so on; what
/// the others can have never gets to nothing. Its first transfer every device gets. Lives on the
/// pool's reactor.
struct buffer_share {
    std::uint32_t held = 0;  ///< chunks, and those that are waited for

    /// Whether `chunks` more may be asked for, when the pool has `free`.
    [[nodiscard]] constexpr bool allows(std::uint32_t chunks, std::uint32_t free) const noexcept {
        return held == 0 || held + chunks <= free;
    }
};

}  // namespace fulmar::mem
