// The device's part of an I/O command. Must never allocate, log or block.
#include "io.hpp"
#include "policy/visibility.hpp"
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
};

// A host that switched the volatile write cache off means FUA every time.
bool must_be_durable(const request& r) noexcept {
    if (mutated(mutation::fua_is_dropped)) return false;
    if (r.io.block_count == 0 && r.io.kind != backend::io_kind::copy) return false;
    return r.io.fua || r.owner->writes_through();
}

inline void describe(const request& r, backend::io_op& op) noexcept {
    op.kind = r.io.kind;
    op.fua = must_be_durable(r);
    op.first_block = r.io.first_block;
    op.block_count = r.io.block_count;
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
    op.done = [](backend::io_op& done, nvme::status status) noexcept {
        auto& self = static_cast<inline_op&>(done);
        self.result = status;
        self.finished = true;
    };
    if (op.kind == backend::io_kind::read) {
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
    namespace_entry& entry = *r.entry;
    qpair& q = *r.owner;
    io_task* task = q.group().take_task(r.chain.chunks());
    if (task == nullptr) return complete(r, retry_later(q, sc::command_interrupted));
    describe(r, *task);
    task->data = {};
    task->ranges = {};
    task->chain = std::move(r.chain);
    if (r.io.brings_ranges) {
        if (const nvme::status wrong = take_ranges_of(r, {task->chain.data(), r.length}, *task);
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
    task->done = &task_done;
    r.task = task;
    entry.tasks.push_back(*task);
    entry.channel->submit(*task);
}

}  // namespace

void execute(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    r.advance(request_event::execute);
    // The gate has closed while the request waited for a buffer or its data: the device is lost or
    // being taken away, and gets nothing more. Nor does the one that has come back since: whoever
    // asked for a fence meanwhile has been told that nothing is on its way.
    if (r.cut != cut_off::no || entry.gate.turns_back()) {
        if (r.cut == cut_off::hidden) return complete(r, policy::unseen);
        const bool closed = entry.gate.position == gate_position::closed;
        return complete(r, closed ? entry.closed_status : backend::device_gone);
    }
    const bool free_flush =
        mutated(mutation::flush_is_free) && r.io.kind == backend::io_kind::flush;
    if (r.io.hint_only || free_flush) return complete(r, sc::success);
    if (entry.channel->completes_inline()) return execute_inline(r);
    execute_task(r);
}

}  // namespace fulmar::core::command::io
