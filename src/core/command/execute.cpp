// The device's part of an I/O command. Must never allocate, log or block.
#include "fused.hpp"
#include "io.hpp"
#include "policy/policies.hpp"
#include "range.hpp"
#include "ranges.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <array>
#include <cstring>
#include <utility>

namespace fulmar::core::command::io {

namespace sc = nvme::sc;

namespace {

/// An operation of a device that answers within the call.
struct inline_op final : backend::io_op {
    nvme::status result = sc::internal_error;
    bool finished = false;

    static void is_done(backend::io_op& op, nvme::status status) noexcept {
        auto& self = static_cast<inline_op&>(op);
        self.result = status;
        self.finished = true;
    }
};

// A host that switched the volatile write cache off means FUA every time.
bool must_be_durable(const request& r) noexcept {
    if (mutated(mutation::fua_is_dropped)) return false;
    if (r.io.block_count == 0 && r.io.kind != backend::io_kind::copy) return false;
    return r.io.fua || r.owner->writes_through();
}

nvme::status take_ranges_of(const request& r, std::span<std::byte> wire,
                            backend::io_op& op) noexcept {
    const namespace_entry& entry = *r.entry;
    return take_ranges(r.sqe, wire, entry.geometry.copy, entry.block_count, op);
}

// A stack object does instead of a task.
void execute_inline(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    inline_op op;
    describe(r, op);
    op.done = &inline_op::is_done;
    if (op.kind == backend::io_kind::read && entry.ranges == nullptr) {
        if (const std::byte* here = entry.channel->read_in_place(op.first_block, op.block_count)) {
            r.in_place = here;
            return complete(r, sc::success);
        }
    }
    std::array<iovec, limits::max_chunks_per_request> vectors;
    constexpr std::size_t most = limits::max_dsm_ranges * sizeof(nvme::dsm_range);
    static_assert(limits::max_copy_ranges * sizeof(nvme::copy_range) <= most);
    alignas(backend::block_range) std::array<std::byte, most> ranges;
    if (r.io.brings_ranges) {
        const std::span<std::byte> wire{ranges.data(), r.length};
        if (r.chain)
            r.chain.copy_out(0, wire);
        else
            std::memcpy(wire.data(), r.in_capsule.data(), wire.size());
        if (const nvme::status wrong = take_ranges_of(r, wire, op); !nvme::is_success(wrong))
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

void execute_task(request& r) noexcept {
    qpair& q = *r.owner;
    io_task* task = q.group().take_task(r.chain.chunks());
    if (task == nullptr) return complete(r, retry_later(q, sc::command_interrupted));
    describe(r, *task);
    task->hold = std::exchange(r.hold, {});
    task->ranges = {};
    if (r.io.brings_ranges) {
        if (const nvme::status wrong = take_ranges_of(r, {r.chain.data(), r.length}, *task);
            !nvme::is_success(wrong)) {
            r.hold = std::exchange(task->hold, {});
            q.group().return_task(*task);
            return complete(r, wrong);
        }
    }
    task->done = &task_done;
    hand_over(r, *task, r);
}

}  // namespace

void describe(const request& r, backend::io_op& op) noexcept {
    op.kind = r.io.kind;
    op.fua = must_be_durable(r);
    op.first_block = r.io.first_block;
    op.block_count = r.io.block_count;
}

nvme::status run_inline(request& r, namespace_entry& entry) noexcept {
    inline_op op;
    describe(r, op);
    op.done = &inline_op::is_done;
    std::array<iovec, limits::max_chunks_per_request> vectors;
    op.data = {vectors.data(), r.chain.fill_iovecs(vectors, 0, r.length)};
    entry.channel->submit(op);
    FULMAR_ASSERT(op.finished);
    return op.result;
}

void hand_over(request& owner, io_task& task, request& what) noexcept {
    namespace_entry& entry = *owner.entry;
    task.data = {};
    task.chain = std::move(what.chain);
    if (what.length != 0 && !what.io.brings_ranges) {
        const std::span<iovec> room = task.room();
        task.data = room.first(task.chain.fill_iovecs(room, 0, what.length));
    }
    task.owner = &owner;
    task.entry = &entry;
    owner.task = &task;
    entry.tasks.push_back(task);
    entry.channel->submit(task);
}

void submit(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    // The gate has closed while the request waited for a buffer, its data or its range: the device
    // is lost or being taken away, and gets nothing more. Nor does the one that has come back
    // since: whoever asked for a fence meanwhile has been told that nothing is on its way.
    if (r.cut != cut_off::no || entry.gate.turns_back()) {
        if (r.cut == cut_off::hidden) return complete(r, policy::unseen);
        if (r.cut == cut_off::path) return complete(r, policy::status_of_path(*r.owner, entry));
        const bool closed = entry.gate.position == gate_position::closed;
        return complete(r, closed ? entry.closed_status : backend::device_gone);
    }
    if (r.partner != nullptr) [[unlikely]]
        return fused::execute(r);
    const bool free_flush =
        mutated(mutation::flush_is_free) && r.io.kind == backend::io_kind::flush;
    if (r.io.hint_only || free_flush) return complete(r, sc::success);
    if (entry.channel->completes_inline()) return execute_inline(r);
    execute_task(r);
}

void execute(request& r) noexcept {
    if (r.entry->ranges != nullptr && !range::take(r)) return;
    r.advance(request_event::execute);
    submit(r);
}

}  // namespace fulmar::core::command::io
