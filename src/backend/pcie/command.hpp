// From operations to NVMe commands and from the drive's statuses to ours. Pure.
#pragma once

#include "controller.hpp"

#include <fulmar/backend/io_op.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <cstdint>
#include <span>

namespace fulmar::backend::pcie {

/// What the drive cannot do is answered without asking it; success: it can.
[[nodiscard]] nvme::status can_do(io_kind kind, const drive_description& drive) noexcept;

/// How many blocks of one operation a single command takes.
[[nodiscard]] std::uint32_t blocks_per_command(io_kind kind, const drive_description& drive,
                                               std::uint32_t block_bytes) noexcept;

/// How much of one write the drive keeps whole: what it says, as far as one command carries it.
struct atomic_limits {
    std::uint32_t blocks = 1;
    std::uint32_t power_fail_blocks = 1;
    friend bool operator==(const atomic_limits&, const atomic_limits&) = default;
};
[[nodiscard]] atomic_limits atomic_limits_of(const namespace_description& ns,
                                             const drive_description& drive) noexcept;

/// The command for `blocks` blocks of `op`, `skip` blocks after its first; without data pointer.
[[nodiscard]] nvme::sqe encode(const io_op& op, std::uint32_t skip, std::uint32_t blocks,
                               std::uint32_t nsid) noexcept;

/// How far a deallocate has come.
struct range_place {
    std::uint32_t range = 0;
    std::uint32_t block = 0;  ///< within it
};

/// Puts what comes from `at` on into `page`, as much as one command takes, empty ranges left out;
/// the number of ranges there. `at` moves behind them: ranges.size() is the end.
[[nodiscard]] std::uint32_t encode_ranges(std::span<const block_range> ranges,
                                          const command_limits& limits, range_place& at,
                                          std::span<std::byte> page) noexcept;

/// Puts the sources of a copy into `page`, which has room for limits::max_copy_ranges.
void encode_sources(std::span<const block_range> ranges, std::span<std::byte> page) noexcept;

/// What a host may be told: the drive's own paths, queues and error log are none of its business.
[[nodiscard]] nvme::status translate(nvme::status from_drive) noexcept;

[[nodiscard]] constexpr bool moves_data(io_kind kind) noexcept {
    return kind == io_kind::read || kind == io_kind::write || kind == io_kind::compare;
}

/// It is about one range of blocks, and can be cut.
[[nodiscard]] constexpr bool goes_by_blocks(io_kind kind) noexcept {
    return moves_data(kind) || kind == io_kind::write_zeroes || kind == io_kind::verify ||
           kind == io_kind::write_uncorrectable;
}

}  // namespace fulmar::backend::pcie
