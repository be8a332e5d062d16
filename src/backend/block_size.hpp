// The arithmetic of sizes that every device shares. Any thread.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/result.hpp>

#include <cstdint>

namespace fulmar::backend {

/// `size_bytes` in blocks.  Errors: invalid_argument unless blocks are 512 or 4096 bytes and the
/// size is a multiple above 0.
result<std::uint64_t> blocks_in(std::uint64_t size_bytes, std::uint32_t block_bytes);

/// 9 or 12.
[[nodiscard]] constexpr unsigned shift_of(std::uint32_t block_bytes) noexcept {
    return block_bytes == 4096 ? 12u : 9u;
}

/// True when [first, first + count) lies within `total`.
[[nodiscard]] constexpr bool lies_within(std::uint64_t first, std::uint64_t count,
                                         std::uint64_t total) noexcept {
    return first <= total && count <= total - first;
}

/// Of a device that copies by reading and writing.
[[nodiscard]] constexpr copy_bounds copied_here(std::uint32_t block_bytes) noexcept {
    constexpr std::uint32_t bytes = limits::max_copy_bytes;
    return {.ranges = limits::max_copy_ranges,
            .range_blocks = bytes / block_bytes,
            .blocks = bytes / block_bytes};
}

/// True when every block that `op` names exists. core has checked against the size that it knew; a
/// device may have shrunk since.
[[nodiscard]] bool in_bounds(const io_op& op, std::uint64_t block_count) noexcept;

}  // namespace fulmar::backend
