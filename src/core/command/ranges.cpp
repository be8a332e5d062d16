#include "ranges.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {

backend::block_range decode(const nvme::dsm_range& wire) noexcept {
    return {.first = wire.slba.value(), .count = wire.blocks.value()};
}

backend::block_range decode(const nvme::copy_range& wire) noexcept {
    return {.first = wire.slba.value(), .count = wire.nlb.value() + 1u};
}

// Wire ranges become block ranges in place, since none is larger on the wire; how many blocks they
// are together, or why they cannot be.
template <typename Wire>
nvme::status decode_ranges(std::span<std::byte> data, std::uint64_t block_count,
                           std::uint32_t most_blocks, std::uint64_t& together) noexcept {
    static_assert(sizeof(Wire) >= sizeof(backend::block_range));
    const std::size_t count = data.size() / sizeof(Wire);
    for (std::size_t i = 0; i < count; ++i) {
        Wire wire;
        std::memcpy(&wire, data.data() + i * sizeof wire, sizeof wire);
        const backend::block_range range = decode(wire);
        if (range.count > most_blocks) return sc::command_size_limit_exceeded.no_retry();
        if (!nvme::lba_range_fits(range.first, range.count, block_count))
            return sc::lba_out_of_range.no_retry();
        together += range.count;
        std::memcpy(data.data() + i * sizeof range, &range, sizeof range);
    }
    return sc::success;
}

}  // namespace

bool overlaps(std::span<const backend::block_range> sources, std::uint64_t first,
              std::uint64_t count) noexcept {
    return std::any_of(sources.begin(), sources.end(), [&](const backend::block_range& one) {
        return one.first < first + count && first < one.first + one.count;
    });
}

nvme::status take_ranges(const nvme::sqe& command, std::span<std::byte> data,
                         const backend::copy_bounds& bounds, std::uint64_t block_count,
                         backend::io_op& op) noexcept {
    const bool copies = op.kind == backend::io_kind::copy;
    std::uint64_t together = 0;
    const nvme::status wrong =
        copies ? decode_ranges<nvme::copy_range>(data, block_count, bounds.range_blocks, together)
               : decode_ranges<nvme::dsm_range>(data, block_count, UINT32_MAX, together);
    if (!nvme::is_success(wrong)) return wrong;
    const std::size_t each = copies ? sizeof(nvme::copy_range) : sizeof(nvme::dsm_range);
    op.ranges = {reinterpret_cast<const backend::block_range*>(data.data()), data.size() / each};
    if (!copies) return sc::success;
    if (together > bounds.blocks) return sc::command_size_limit_exceeded.no_retry();
    op.first_block = nvme::decode_copy(command).sdlba;
    op.block_count = static_cast<std::uint32_t>(together);
    if (!nvme::lba_range_fits(op.first_block, together, block_count))
        return sc::lba_out_of_range.no_retry();
    if (overlaps(op.ranges, op.first_block, together)) return sc::overlapping_io_range.no_retry();
    return sc::success;
}

}  // namespace fulmar::core
