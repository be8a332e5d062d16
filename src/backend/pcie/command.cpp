#include "command.hpp"

#include <algorithm>
#include <cstring>

namespace fulmar::backend::pcie {

namespace sc = nvme::sc;

namespace {

constexpr std::uint32_t most_blocks = 65536;  // 16 bits, 0-based

nvme::io_opcode opcode_of(io_kind kind) noexcept {
    switch (kind) {
        case io_kind::read: return nvme::io_opcode::read;
        case io_kind::write: return nvme::io_opcode::write;
        case io_kind::flush: return nvme::io_opcode::flush;
        case io_kind::write_zeroes: return nvme::io_opcode::write_zeroes;
        case io_kind::deallocate: return nvme::io_opcode::dataset_management;
        case io_kind::compare: return nvme::io_opcode::compare;
        case io_kind::verify: return nvme::io_opcode::verify;
        case io_kind::copy: return nvme::io_opcode::copy;
        case io_kind::write_uncorrectable: return nvme::io_opcode::write_uncorrectable;
    }
    return nvme::io_opcode::flush;
}

}  // namespace

nvme::status can_do(io_kind kind, const drive_description& drive) noexcept {
    std::uint16_t needed = 0;
    switch (kind) {
        case io_kind::read:
        case io_kind::write:
        case io_kind::flush: return sc::success;
        case io_kind::write_zeroes: needed = nvme::oncs::write_zeroes; break;
        case io_kind::deallocate: needed = nvme::oncs::dataset_management; break;
        case io_kind::compare: needed = nvme::oncs::compare; break;
        case io_kind::verify: needed = nvme::oncs::verify; break;
        case io_kind::copy: needed = nvme::oncs::copy; break;
        case io_kind::write_uncorrectable: needed = nvme::oncs::write_uncorrectable; break;
    }
    return (drive.oncs & needed) != 0 ? sc::success : sc::invalid_opcode.no_retry();
}

std::uint32_t blocks_per_command(io_kind kind, const drive_description& drive,
                                 std::uint32_t block_bytes) noexcept {
    std::uint64_t bytes = 0;
    if (moves_data(kind)) bytes = drive.max_transfer_bytes;
    if (kind == io_kind::write_zeroes) bytes = drive.limits.write_zeroes_bytes;
    if (kind == io_kind::verify) bytes = drive.limits.verify_bytes;
    if (kind == io_kind::write_uncorrectable) bytes = drive.limits.write_uncorrectable_bytes;
    if (bytes == 0) return most_blocks;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(most_blocks, bytes / block_bytes));
}

atomic_limits atomic_limits_of(const namespace_description& ns,
                               const drive_description& drive) noexcept {
    const std::uint32_t whole = blocks_per_command(io_kind::write, drive, ns.block_bytes);
    const auto least = [whole](std::uint32_t of_namespace, std::uint32_t of_drive) noexcept {
        return std::min(of_namespace != 0 ? of_namespace : of_drive, whole);
    };
    const std::uint32_t blocks = least(ns.atomic_blocks, drive.atomic_blocks);
    const std::uint32_t power = least(ns.power_fail_atomic_blocks, drive.power_fail_atomic_blocks);
    return {.blocks = blocks, .power_fail_blocks = std::min(power, blocks)};
}

nvme::sqe encode(const io_op& op, std::uint32_t skip, std::uint32_t blocks,
                 std::uint32_t nsid) noexcept {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(opcode_of(op.kind));
    command.nsid = nsid;
    if (op.kind == io_kind::flush || op.kind == io_kind::deallocate) return command;
    if (op.kind == io_kind::copy) {
        nvme::encode_copy(command, {.sdlba = op.first_block,
                                    .ranges = static_cast<std::uint32_t>(op.ranges.size()),
                                    .fua = op.fua});
        return command;
    }
    const bool writes = op.kind == io_kind::write || op.kind == io_kind::write_zeroes;
    nvme::encode_block_range(
        command, {.slba = op.first_block + skip, .blocks = blocks, .fua = writes && op.fua});
    return command;
}

std::uint32_t encode_ranges(std::span<const block_range> ranges, const command_limits& limits,
                            range_place& at, std::span<std::byte> page) noexcept {
    const auto bound = [](std::uint64_t limit, std::uint64_t usual) noexcept {
        return limit == 0 ? usual : std::min(limit, usual);
    };
    const std::uint64_t most_ranges =
        bound(limits.deallocate_ranges, page.size() / sizeof(nvme::dsm_range));
    const std::uint64_t most_of_one = bound(limits.deallocate_range_blocks, UINT32_MAX);
    std::uint64_t room = bound(limits.deallocate_blocks, UINT64_MAX);
    std::uint32_t count = 0;
    while (at.range < ranges.size() && count < most_ranges && room != 0) {
        const block_range& range = ranges[at.range];
        const auto piece = static_cast<std::uint32_t>(
            std::min({std::uint64_t{range.count} - at.block, most_of_one, room}));
        if (piece != 0) {
            nvme::dsm_range wire{};
            wire.blocks = piece;
            wire.slba = range.first + at.block;
            std::memcpy(page.data() + count * sizeof wire, &wire, sizeof wire);
            ++count;
        }
        room -= piece;
        at.block += piece;
        if (at.block == range.count) at = {.range = at.range + 1, .block = 0};
    }
    // Empty ranges at the end are no reason for another command.
    while (at.range < ranges.size() && ranges[at.range].count == 0) ++at.range;
    return count;
}

void encode_sources(std::span<const block_range> ranges, std::span<std::byte> page) noexcept {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        nvme::copy_range wire{};
        wire.slba = ranges[i].first;
        wire.nlb = static_cast<std::uint16_t>(ranges[i].count - 1);
        std::memcpy(page.data() + i * sizeof wire, &wire, sizeof wire);
    }
}

nvme::status translate(nvme::status from_drive) noexcept {
    if (nvme::is_success(from_drive)) return sc::success;
    // Of a queue that Fulmar deleted, of a command that it ended, and of paths that the host does
    // not know.
    if (from_drive.sct == nvme::status_type::path || from_drive.is(sc::aborted_sq_deletion) ||
        from_drive.is(sc::aborted_by_request))
        return sc::internal_error;
    from_drive.more = false;  // it speaks of the drive's error log
    from_drive.crd = 0;       // and of the drive's delays
    return from_drive;
}

}  // namespace fulmar::backend::pcie
