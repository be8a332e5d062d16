// The commands of I/O queues, and how the controller in memory reaches memory.
#include "fake_drive.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::test {

namespace sc = nvme::sc;

nvme::status fake_drive::io(const nvme::sqe& command) {
    const std::uint32_t nsid = command.nsid.value();
    if (nsid == 0 || nsid > namespace_blocks_.size() || namespace_blocks_[nsid - 1] == 0)
        return sc::invalid_namespace_or_format;
    const std::uint64_t blocks = std::min(namespace_blocks_[nsid - 1], sim_drive_.block_count);
    const std::uint64_t first = (nsid - 1) * (sim_drive_.block_count / sim_drive_.namespaces);
    const nvme::block_range range = nvme::decode_block_range(command);
    const std::uint64_t from = (first + range.slba) * sim_drive_.block_bytes;
    const std::uint64_t bytes = std::uint64_t{range.blocks} * sim_drive_.block_bytes;
    const auto opcode = static_cast<nvme::io_opcode>(command.opcode);
    if (opcode == nvme::io_opcode::flush) {
        if (sim_drive_.loses_cache)
            std::copy_n(
                media_.begin() + static_cast<std::ptrdiff_t>(first * sim_drive_.block_bytes),
                blocks * sim_drive_.block_bytes,
                durable_.begin() + static_cast<std::ptrdiff_t>(first * sim_drive_.block_bytes));
        return sc::success;
    }
    if (opcode == nvme::io_opcode::copy) return copy(command, first, blocks);
    if (opcode == nvme::io_opcode::dataset_management) return deallocate(command, first, blocks);
    if (!nvme::lba_range_fits(range.slba, range.blocks, blocks)) return sc::lba_out_of_range;
    if (sim_drive_.mdts != 0 && opcode != nvme::io_opcode::write_zeroes &&
        bytes > page << sim_drive_.mdts)
        return sc::invalid_field;
    const auto beyond = [&](std::uint8_t shift) { return shift != 0 && bytes > page << shift; };
    if ((opcode == nvme::io_opcode::write_zeroes && beyond(sim_drive_.limits.wzsl)) ||
        (opcode == nvme::io_opcode::verify && beyond(sim_drive_.limits.vsl)) ||
        (opcode == nvme::io_opcode::write_uncorrectable && beyond(sim_drive_.limits.wusl)))
        return sc::invalid_field;
    if (opcode == nvme::io_opcode::write_uncorrectable || opcode == nvme::io_opcode::write ||
        opcode == nvme::io_opcode::write_zeroes)
        mark(first + range.slba, range.blocks, opcode == nvme::io_opcode::write_uncorrectable);
    else if (is_marked(first + range.slba, range.blocks))
        return sc::unrecovered_read_error;
    std::byte* const media = media_.data() + from;
    switch (opcode) {
        case nvme::io_opcode::read:
            look_at_medium(command, media, bytes, false);
            return move(command, media, bytes, true) ? sc::success : sc::data_transfer_error;
        case nvme::io_opcode::write:
            look_at_medium(command, media, bytes, false);
            if (!move(command, media, bytes, false)) return sc::data_transfer_error;
            look_at_medium(command, media, bytes, true);
            keep_or_cache(from, bytes, range.fua);
            return sc::success;
        case nvme::io_opcode::compare:
            return move(command, media, bytes, false, true) ? sc::success : sc::compare_failure;
        case nvme::io_opcode::write_zeroes:
            std::fill_n(media, bytes, std::byte{});
            keep_or_cache(from, bytes, range.fua);
            return sc::success;
        case nvme::io_opcode::write_uncorrectable:
        case nvme::io_opcode::verify: return sc::success;
        default: return sc::invalid_opcode;
    }
}

void fake_drive::mark(std::uint64_t first, std::uint64_t blocks, bool unreadable) {
    for (std::uint64_t block = first; block < first + blocks; ++block)
        unreadable ? (void)unreadable_.insert(block) : (void)unreadable_.erase(block);
}

bool fake_drive::is_marked(std::uint64_t first, std::uint64_t blocks) const {
    const auto next = unreadable_.lower_bound(first);
    return next != unreadable_.end() && *next < first + blocks;
}

// Durable at once, or when a Flush comes.
void fake_drive::keep_or_cache(std::uint64_t from, std::uint64_t bytes, bool fua) {
    if (!sim_drive_.loses_cache || (sim_drive_.write_cache && cache_on_ && !fua)) return;
    std::copy_n(media_.begin() + static_cast<std::ptrdiff_t>(from), bytes,
                durable_.begin() + static_cast<std::ptrdiff_t>(from));
}

nvme::status fake_drive::deallocate(const nvme::sqe& command, std::uint64_t first,
                                    std::uint64_t blocks) {
    const std::uint32_t count = nvme::decode_dataset_management(command).ranges;
    std::vector<std::byte> list(count * sizeof(nvme::dsm_range));
    if (!move(command, list.data(), list.size(), false)) return sc::data_transfer_error;
    const nvme::identify_nvm_controller& most = sim_drive_.limits;
    std::uint64_t together = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        nvme::dsm_range one{};
        std::memcpy(&one, list.data() + i * sizeof one, sizeof one);
        if (!nvme::lba_range_fits(one.slba.value(), one.blocks.value(), blocks))
            return sc::lba_out_of_range;
        together += one.blocks.value();
        if ((most.dmrl != 0 && count > most.dmrl) ||
            (most.dmrsl.value() != 0 && one.blocks.value() > most.dmrsl.value()) ||
            (most.dmsl.value() != 0 && together > most.dmsl.value()))
            return sc::command_size_limit_exceeded;
        const std::uint64_t from = (first + one.slba.value()) * sim_drive_.block_bytes;
        const std::uint64_t bytes = std::uint64_t{one.blocks.value()} * sim_drive_.block_bytes;
        std::fill_n(media_.begin() + static_cast<std::ptrdiff_t>(from), bytes, std::byte{});
        keep_or_cache(from, bytes, false);
    }
    return sc::success;
}

nvme::status fake_drive::copy(const nvme::sqe& command, std::uint64_t first, std::uint64_t blocks) {
    const nvme::copy_command wanted = nvme::decode_copy(command);
    std::vector<std::byte> list(wanted.ranges * sizeof(nvme::copy_range));
    if (!move(command, list.data(), list.size(), false)) return sc::data_transfer_error;
    std::uint64_t to = wanted.sdlba;
    for (std::uint32_t i = 0; i < wanted.ranges; ++i) {
        nvme::copy_range one{};
        std::memcpy(&one, list.data() + i * sizeof one, sizeof one);
        const std::uint64_t count = one.nlb.value() + 1u;
        if (!nvme::lba_range_fits(one.slba.value(), count, blocks) ||
            !nvme::lba_range_fits(to, count, blocks))
            return sc::lba_out_of_range;
        std::memmove(media_.data() + (first + to) * sim_drive_.block_bytes,
                     media_.data() + (first + one.slba.value()) * sim_drive_.block_bytes,
                     count * sim_drive_.block_bytes);
        keep_or_cache((first + to) * sim_drive_.block_bytes, count * sim_drive_.block_bytes,
                      wanted.fua);
        to += count;
    }
    return sc::success;
}

// --- DMA -----------------------------------------------------------------------------------------

std::byte* fake_drive::reach(std::uint64_t address, std::uint64_t bytes) {
    if (bus_master_)
        for (const mapping& m : mappings_)
            if (address >= m.address && bytes <= m.bytes && address - m.address <= m.bytes - bytes)
                if (!allowed_ || allowed_(m.base + (address - m.address), bytes))
                    return m.base + (address - m.address);
    ++bad_dma_;
    return nullptr;
}

// The reading of PRPs and SGLs that a drive does, written from the specification and not from the
// builders that it checks.
bool fake_drive::move(const nvme::sqe& command, std::byte* media, std::uint64_t bytes, bool to_host,
                      bool compare) {
    const auto piece = [&](std::uint64_t address, std::uint64_t length) {
        length = std::min(length, bytes);
        std::byte* const at = reach(address, length);
        if (at == nullptr) return false;
        bool good = true;
        if (compare)
            good = std::memcmp(media, at, length) == 0;
        else if (to_host)
            std::memcpy(at, media, length);
        else
            std::memcpy(media, at, length);
        media += length;
        bytes -= length;
        return good;
    };
    if (command.data_pointer() == nvme::psdt::sgl) {
        const nvme::sgl_descriptor first = command.sgl1;
        if (first.type() == nvme::sgl_type::data_block)
            return piece(first.address.value(), first.length.value()) && bytes == 0;
        if (first.type() != nvme::sgl_type::last_segment) return false;
        for (std::uint32_t at = 0; at < first.length.value() && bytes != 0; at += 16) {
            const std::byte* const where = reach(first.address.value() + at, 16);
            if (where == nullptr) return false;
            nvme::sgl_descriptor one{};
            std::memcpy(&one, where, sizeof one);
            if (!piece(one.address.value(), one.length.value())) return false;
        }
        return bytes == 0;
    }
    const nvme::prp_pair prps = command.prps();
    const std::uint64_t first = prps.prp1.value();
    if (!piece(first, page - first % page)) return false;
    if (bytes == 0) return true;
    std::uint64_t second = prps.prp2.value();
    if (bytes <= page) return second % page == 0 && piece(second, page);
    while (bytes != 0) {
        const std::byte* const where = reach(second, 8);
        if (where == nullptr) return false;
        std::uint64_t entry = 0;
        std::memcpy(&entry, where, sizeof entry);
        if (entry % page != 0) return false;
        if (second % page == page - 8 && bytes > page) {
            second = entry;  // the last of a list's page points to the next one
            continue;
        }
        if (!piece(entry, page)) return false;
        second += 8;
    }
    return true;
}

}  // namespace fulmar::test
