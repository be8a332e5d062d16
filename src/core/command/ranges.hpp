// The ranges of blocks that a Dataset Management or a Copy brings as data. Any thread; pure.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace fulmar::core {

/// Some block of `sources` is one of [first, first + count) too. Every range lies within a device.
[[nodiscard]] bool overlaps(std::span<const backend::block_range> sources, std::uint64_t first,
                            std::uint64_t count) noexcept;

/// Checks what `data` says against a device of `block_count` blocks, and turns it, in place, into
/// the ranges of `op`, whose `kind` is set: deallocate or copy. `data` outlives `op`.
///
/// A Copy onto its own sources is refused here, before any device sees it. The NVM Command Set
/// specification (1.1, 3.3.2) says that such a Copy leaves any of the source's data in any block
/// when it has descriptors of format 0 or 1, and calls for Overlapping I/O Range with the others:
/// devices would differ, and data be mangled with success as the answer.
[[nodiscard]] nvme::status take_ranges(const nvme::sqe& command, std::span<std::byte> data,
                                       const backend::copy_bounds& bounds,
                                       std::uint64_t block_count, backend::io_op& op) noexcept;

}  // namespace fulmar::core
