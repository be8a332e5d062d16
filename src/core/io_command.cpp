// The first half of an I/O command: check, admit at the gate, find a buffer, submit. Admission
// comes before buffers, so parked requests hoard none but for in-capsule data. Must never allocate,
// log or block.
#include "io_steps.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace fulmar::core {

using nvme::data_direction;
using nvme::io_opcode;
namespace sc = nvme::sc;

namespace {

struct inline_op final : backend::io_op {
    nvme::status result = sc::internal_error;
    bool finished = false;
};

constexpr std::uint64_t full_range_list = limits::max_dsm_ranges * sizeof(nvme::dsm_range);

bool moves_blocks(io_opcode opcode) noexcept {
    return opcode == io_opcode::read || opcode == io_opcode::write || opcode == io_opcode::compare;
}

bool is_supported(io_opcode opcode, const backend::geometry& device) noexcept {
    switch (opcode) {
        case io_opcode::read:
        case io_opcode::write:
        case io_opcode::flush:
        case io_opcode::dataset_management: return true;
        case io_opcode::compare: return device.compare;
        case io_opcode::write_zeroes: return device.write_zeroes;
        case io_opcode::verify: return device.verify;
        case io_opcode::copy: return device.copy.ranges != 0;
        default: return false;
    }
}

backend::io_kind kind_of(io_opcode opcode) noexcept {
    switch (opcode) {
        case io_opcode::read: return backend::io_kind::read;
        case io_opcode::write: return backend::io_kind::write;
        case io_opcode::compare: return backend::io_kind::compare;
        case io_opcode::write_zeroes: return backend::io_kind::write_zeroes;
        case io_opcode::dataset_management: return backend::io_kind::deallocate;
        case io_opcode::verify: return backend::io_kind::verify;
        case io_opcode::copy: return backend::io_kind::copy;
        default: return backend::io_kind::flush;
    }
}

// What an ANA state lets through (NVMe Base 2.0, section 8.1.3).
nvme::status ana_answer(ana_state state) noexcept {
    switch (state) {
        case ana_state::optimized:
        case ana_state::non_optimized: return sc::success;
        case ana_state::inaccessible: return sc::ana_inaccessible;
        case ana_state::persistent_loss: return sc::ana_persistent_loss;
        case ana_state::change: return sc::ana_transition;
    }
    return sc::success;
}

/// Its data names ranges of blocks.
bool brings_ranges(io_opcode opcode) noexcept {
    return opcode == io_opcode::dataset_management || opcode == io_opcode::copy;
}

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

// What a Dataset Management or a Copy says in its data, which becomes the ranges of `op`.
nvme::status take_ranges(const nvme::sqe& command, std::span<std::byte> data,
                         const namespace_entry& entry, backend::io_op& op) noexcept {
    const bool copies = op.kind == backend::io_kind::copy;
    const backend::copy_bounds& bounds = entry.geometry.copy;
    std::uint64_t together = 0;
    const nvme::status wrong =
        copies ? decode_ranges<nvme::copy_range>(data, entry.block_count, bounds.range_blocks,
                                                 together)
               : decode_ranges<nvme::dsm_range>(data, entry.block_count, UINT32_MAX, together);
    if (!nvme::is_success(wrong)) return wrong;
    const std::size_t each = copies ? sizeof(nvme::copy_range) : sizeof(nvme::dsm_range);
    op.ranges = {reinterpret_cast<const backend::block_range*>(data.data()), data.size() / each};
    if (!copies) return sc::success;
    if (together > bounds.blocks) return sc::command_size_limit_exceeded.no_retry();
    op.first_block = nvme::decode_copy(command).sdlba;
    op.block_count = static_cast<std::uint32_t>(together);
    return nvme::lba_range_fits(op.first_block, together, entry.block_count)
               ? sc::success
               : sc::lba_out_of_range.no_retry();
}

}  // namespace

nvme::status io_steps::retry_later(const qpair& q, nvme::status status) noexcept {
    return q.controller_ != nullptr && q.controller_->retry_delay_enabled() ? status.retry_after(1)
                                                                            : status;
}

// A host that switched the volatile write cache off means FUA every time.
bool io_steps::must_be_durable(const qpair& q, bool fua) noexcept {
    if (mutated(mutation::fua_is_dropped)) return false;
    return fua || (q.controller_ != nullptr && q.controller_->write_through());
}

// What can be said without knowing the namespace's state: the form of the command.
nvme::status io_steps::check(qpair& q, request& r) noexcept {
    if (r.sqe.fused() != nvme::fuse::none) return sc::invalid_field.no_retry();
    const auto opcode = nvme::parse_io_opcode(r.sqe.opcode);
    if (!opcode) return sc::invalid_opcode.no_retry();
    const std::uint32_t number = r.sqe.nsid.value();
    r.entry = q.subsystem_->find(number);
    if (r.entry == nullptr) return sc::invalid_namespace_or_format.no_retry();
    const namespace_entry& entry = *r.entry;
    if (!is_supported(*opcode, entry.geometry)) return sc::invalid_opcode.no_retry();
    r.generation = entry.id.generation;

    r.direction = data_direction::none;
    std::uint64_t needed = 0;
    if (moves_blocks(*opcode)) {
        r.direction = nvme::direction_of(r.sqe.opcode);
        needed = std::uint64_t{nvme::decode_block_range(r.sqe).blocks} << entry.block_shift;
        if (needed > q.group().options().max_transfer_bytes) return sc::invalid_field.no_retry();
    } else if (*opcode == io_opcode::dataset_management) {
        r.direction = data_direction::host_to_controller;
        needed =
            std::uint64_t{nvme::decode_dataset_management(r.sqe).ranges} * sizeof(nvme::dsm_range);
    } else if (*opcode == io_opcode::copy) {
        const nvme::copy_command wanted = nvme::decode_copy(r.sqe);
        if (wanted.descriptor_format != 0) return sc::invalid_field.no_retry();
        if (wanted.ranges > entry.geometry.copy.ranges)
            return sc::command_size_limit_exceeded.no_retry();
        r.direction = data_direction::host_to_controller;
        needed = std::uint64_t{wanted.ranges} * sizeof(nvme::copy_range);
    }
    if (needed != 0) {
        if (!nvme::is_success(r.sgl_status)) return r.sgl_status.no_retry();
        // Linux always sends room for all 256 ranges with a Dataset Management, however few it
        // fills in.
        const std::uint64_t most =
            *opcode == io_opcode::dataset_management ? full_range_list : needed;
        if (r.sgl_bytes < needed || r.sgl_bytes > most)
            return sc::data_sgl_length_invalid.no_retry();
    }
    r.length = static_cast<std::uint32_t>(needed);
    return sc::success;
}

void io_steps::start(request& r) noexcept {
    qpair& q = *r.owner;
    if (const nvme::status wrong = check(q, r); !nvme::is_success(wrong)) return q.finish(r, wrong);
    admit(r);
}

// Only for what waits or goes astray, never for every command.
void io_steps::note(const request& r, const char* what) noexcept {
    const namespace_entry& entry = *r.entry;
    entry.group->reactor().note({.what = what,
                                 .subsystem = entry.owner,
                                 .ns = entry.id,
                                 .object = r.owner->connection_number(),
                                 .value = r.cid()});
}

void io_steps::replay(request& r) noexcept {
    r.advance(request_event::replay);
    r.in_capsule = {};
    admit(r);
}

void io_steps::admit(request& r) noexcept {
    qpair& q = *r.owner;
    namespace_entry& entry = *r.entry;
    if (const nvme::status ana = ana_answer(entry.ana); !nvme::is_success(ana)) {
        // Who does not follow the ANA log would make nothing of it: its I/O waits at the gate.
        const bool waits =
            entry.held() && (q.controller_ == nullptr || !q.controller_->ana_events_enabled());
        if (!waits) return q.finish(r, ana);
    }
    const std::uint64_t hoards = r.in_capsule.empty() ? 0 : limits::chunk_bytes;
    switch (entry.gate.admit(r.generation, hoards)) {
        case admission::enter:
            r.entered = true;
            r.cut_off = false;
            entry.show();
            return enter(r);
        case admission::park:
            r.advance(request_event::park);
            if (!r.in_capsule.empty()) {
                r.chain = std::move(r.in_capsule_chunk);
                r.chain.copy_in(0, r.in_capsule);
                r.in_capsule = {};
                r.parked_bytes = hoards;
            }
            r.parked_at = q.group().reactor().now();
            entry.parked.push_back(r);
            entry.show();
            if (entry.held()) entry.subsystem->watch_parked(entry);
            note(r, "parked");
            q.group().count(&group_counters::parked);
            return;
        case admission::refuse: return q.finish(r, entry.closed_status);
        case admission::overflow:
            note(r, "overflow");
            return q.finish(r, retry_later(q, sc::namespace_not_ready));
        case admission::stale:
            note(r, "stale-request");
            q.group().count(&group_counters::stale);
            return q.finish(r, sc::invalid_namespace_or_format.no_retry());
    }
}

// Inside the gate: from here on every way out goes through complete().
void io_steps::enter(request& r) noexcept {
    const auto opcode = static_cast<io_opcode>(r.sqe.opcode);
    const namespace_entry& entry = *r.entry;
    if (nvme::names_a_range(opcode)) {
        const nvme::block_range range = nvme::decode_block_range(r.sqe);
        if (!nvme::lba_range_fits(range.slba, range.blocks, entry.block_count))
            return complete(r, sc::lba_out_of_range.no_retry());
    }
    if (entry.write_protected && opcode != io_opcode::read && opcode != io_opcode::compare &&
        opcode != io_opcode::verify && opcode != io_opcode::flush)
        return complete(r, sc::namespace_write_protected.no_retry());
    if (opcode == io_opcode::dataset_management &&
        ((nvme::decode_dataset_management(r.sqe).attributes & nvme::dsm_attribute::deallocate) ==
             0 ||
         !entry.geometry.deallocate)) {
        // The other attributes are hints; a hint needs no backend. Data that has yet to be fetched
        // is fetched all the same: the host has been promised nothing less.
        r.hint_only = true;
    }
    if (r.length == 0) return submit(r);
    if (r.chain) {  // in-capsule data that was kept while parked
        charge(r, r.chain.chunks());
        return submit(r);
    }
    if (!r.in_capsule.empty()) {
        if (entry.channel->completes_inline()) return submit_inline(r);
        r.chain = std::move(r.in_capsule_chunk);
        r.chain.copy_in(0, r.in_capsule);
        r.in_capsule = {};
        charge(r, r.chain.chunks());
        return submit(r);
    }
    want_buffer(r);
}

void io_steps::charge(request& r, std::uint32_t chunks) noexcept {
    r.charged = chunks;
    r.entry->share.held += chunks;
}

// First its namespace's share, then the connection's credit.
void io_steps::want_buffer(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    if (entry.starving.empty() ? may_go_on(r) : within_guarantee(r)) return take_buffer(r);
    r.advance(request_event::want_buffer);
    entry.group->count(&group_counters::buffer_waits);
    entry.starving.push_back(r);
    entry.group->starves(entry);
}

bool io_steps::may_go_on(const request& r) noexcept {
    return r.entry->share.allows(mem::buffer_pool::chunks_for(r.length),
                                 r.entry->group->pool().free_chunks()) ||
           within_guarantee(r);
}

// With nothing at the device, what its commands hold waits for hosts: a connection within its
// guarantee goes on then, as long as a quarter of the pool is left for other devices.
bool io_steps::within_guarantee(const request& r) noexcept {
    const mem::buffer_pool& pool = r.entry->group->pool();
    const mem::buffer_credit& credit = r.owner->credit();
    const std::uint32_t chunks = mem::buffer_pool::chunks_for(r.length);
    return r.entry->tasks.empty() && credit.held() + chunks <= credit.guarantee() &&
           pool.free_chunks() >= chunks + pool.total_chunks() / 4;
}

request* io_steps::next_to_go_on(namespace_entry& entry) noexcept {
    if (may_go_on(entry.starving.front())) return &entry.starving.front();
    if (!entry.tasks.empty()) return nullptr;
    const auto at = std::find_if(entry.starving.begin(), entry.starving.end(), &within_guarantee);
    return at != entry.starving.end() ? &*at : nullptr;
}

void io_steps::go_on(request& r) noexcept {
    stop_starving(r);
    take_buffer(r);
}

void io_steps::stop_starving(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    entry.starving.erase(entry.starving.iterator_to(r));
    if (entry.starving.empty()) entry.group->starves_no_more(entry);
}

void io_steps::take_buffer(request& r) noexcept {
    qpair& q = *r.owner;
    const std::uint32_t chunks = mem::buffer_pool::chunks_for(r.length);
    charge(r, chunks);
    r.chain = q.group().pool().take(q.credit(), chunks);
    if (r.chain) return have_buffer(r);
    if (r.state() != request_state::awaiting_buffer) {
        r.advance(request_event::want_buffer);
        q.group().count(&group_counters::buffer_waits);
    }
    q.group().pool().wait(r.waiter, q.credit(), chunks);
}

void io_steps::buffer_granted(request& r, mem::buffer_chain&& chain) noexcept {
    r.chain = std::move(chain);
    if (!r.owner->is_io()) return r.owner->buffer_granted(r);
    have_buffer(r);
}

void io_steps::cancel_wait(request& r) noexcept {
    if (r.waiter.waiting()) return r.owner->group().pool().cancel(r.waiter);
    if (r.entered && r.list.is_linked()) stop_starving(r);
}

void io_steps::have_buffer(request& r) noexcept {
    if (r.direction == data_direction::host_to_controller) {
        r.advance(request_event::want_data);
        return r.owner->fetch_data(r);
    }
    submit(r);
}

void io_steps::data_arrived(request& r) noexcept { submit(r); }

// Everything is there. Devices that answer within the call need no task: a stack object does.
void io_steps::submit(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    // The gate has closed while the request waited for a buffer or its data: the device is lost or
    // being taken away, and gets nothing more. Nor does the one that has come back since: whoever
    // asked for a fence meanwhile has been told that nothing is on its way.
    if (r.cut_off || entry.gate.turns_back()) {
        const bool closed = entry.gate.position == gate_position::closed;
        r.advance(request_event::execute);
        return complete(r, closed ? entry.closed_status : backend::device_gone);
    }
    const bool free_flush = mutated(mutation::flush_is_free) &&
                            r.sqe.opcode == static_cast<std::uint8_t>(io_opcode::flush);
    if (r.hint_only || free_flush) {
        r.advance(request_event::execute);
        return complete(r, sc::success);
    }
    if (entry.channel->completes_inline()) return submit_inline(r);

    qpair& q = *r.owner;
    io_task* task = q.group().take_task(r.chain.chunks());
    r.advance(request_event::execute);
    if (task == nullptr) return complete(r, retry_later(q, sc::command_interrupted));
    const auto opcode = static_cast<io_opcode>(r.sqe.opcode);
    task->kind = kind_of(opcode);
    task->data = {};
    task->ranges = {};
    if (nvme::names_a_range(opcode)) {
        const nvme::block_range range = nvme::decode_block_range(r.sqe);
        task->fua = must_be_durable(q, range.fua);
        task->first_block = range.slba;
        task->block_count = range.blocks;
    }
    task->chain = std::move(r.chain);
    if (brings_ranges(opcode)) {
        task->fua = opcode == io_opcode::copy && must_be_durable(q, nvme::decode_copy(r.sqe).fua);
        if (const nvme::status wrong =
                take_ranges(r.sqe, {task->chain.data(), r.length}, entry, *task);
            !nvme::is_success(wrong)) {
            q.group().return_task(*task);
            return complete(r, wrong);
        }
    } else if (r.length != 0) {
        const std::span<iovec> room = task->room();
        task->data = room.first(task->chain.fill_iovecs(room, 0, r.length));
    }
    task->owner = &r;
    task->entry = &entry;
    task->done = &io_steps::task_done;
    r.task = task;
    entry.tasks.push_back(*task);
    entry.channel->submit(*task);
}

void io_steps::submit_inline(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    const auto opcode = static_cast<io_opcode>(r.sqe.opcode);
    r.advance(request_event::execute);
    if (r.hint_only) return complete(r, sc::success);
    inline_op op;
    op.kind = kind_of(opcode);
    op.done = [](backend::io_op& done, nvme::status status) noexcept {
        auto& self = static_cast<inline_op&>(done);
        self.result = status;
        self.finished = true;
    };
    if (nvme::names_a_range(opcode)) {
        const nvme::block_range range = nvme::decode_block_range(r.sqe);
        op.fua = must_be_durable(*r.owner, range.fua);
        op.first_block = range.slba;
        op.block_count = range.blocks;
    }
    if (opcode == io_opcode::read) {
        if (const std::byte* here = entry.channel->read_in_place(op.first_block, op.block_count)) {
            r.in_place = here;
            return complete(r, sc::success);
        }
    }
    std::array<iovec, limits::max_chunks_per_request> vectors;
    static_assert(limits::max_copy_ranges * sizeof(nvme::copy_range) <= full_range_list);
    alignas(backend::block_range) std::array<std::byte, full_range_list> ranges;
    if (brings_ranges(opcode)) {
        const std::span<std::byte> wire{ranges.data(), r.length};
        if (r.chain)
            r.chain.copy_out(0, wire);
        else
            std::memcpy(wire.data(), r.in_capsule.data(), wire.size());
        op.fua =
            opcode == io_opcode::copy && must_be_durable(*r.owner, nvme::decode_copy(r.sqe).fua);
        if (const nvme::status wrong = take_ranges(r.sqe, wire, entry, op);
            !nvme::is_success(wrong))
            return complete(r, wrong);
    } else if (r.chain) {
        op.data = {vectors.data(), r.chain.fill_iovecs(vectors, 0, r.length)};
    } else if (!r.in_capsule.empty()) {
        vectors[0] = {const_cast<std::byte*>(r.in_capsule.data()), r.in_capsule.size()};
        op.data = {vectors.data(), 1};
    }
    entry.channel->submit(op);
    FULMAR_ASSERT(op.finished);
    complete(r, op.result);
}

}  // namespace fulmar::core
