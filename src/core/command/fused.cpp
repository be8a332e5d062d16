#include "fused.hpp"

#include "buffer.hpp"
#include "io.hpp"
#include "policy/policies.hpp"
#include "range.hpp"
#include "reservation/reservation_errand.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <algorithm>
#include <utility>

namespace fulmar::core::command::fused {

namespace sc = nvme::sc;

namespace {

constexpr std::uint8_t data_of_first = 1;
constexpr std::uint8_t data_of_second = 2;

// Either of them, by itself, as its place in the pair wants it.
nvme::status check(request& r, nvme::io_opcode wanted) noexcept {
    if (r.sqe.opcode != static_cast<std::uint8_t>(wanted)) {
        const nvme::status unknown = check_opcode(r.sqe);
        return nvme::is_success(unknown) ? sc::invalid_field.no_retry() : unknown;
    }
    if (const nvme::status wrong = io::read(r); !nvme::is_success(wrong)) return wrong;
    const std::uint64_t most = limits::fused_bytes(r.owner->group().options().max_transfer_bytes);
    return r.length <= most ? sc::success : sc::atomic_write_unit_exceeded.no_retry();
}

bool same_blocks(const request& one, const request& other) noexcept {
    return one.sqe.nsid.value() == other.sqe.nsid.value() &&
           one.io.first_block == other.io.first_block && one.io.block_count == other.io.block_count;
}

void end_both(request& first, nvme::status of_first, request& second,
              nvme::status of_second) noexcept {
    qpair& q = *first.owner;
    q.finish(first, of_first);
    q.finish(second, of_second);
}

void go_on(request& second) noexcept {
    qpair& q = *second.owner;
    if (second.entry->ranges != nullptr) return have_locks(second, sc::success);
    if (const policy::verdict v = policy::ask_before_locks(second); v.says != policy::word::pass)
        return q.finish(second, v.status);
    if (!reservation_errand::send(second, *q.subsystem(), second.entry->id, range_locks_request{},
                                  q.host_identifier()))
        q.finish(second, io::retry_later(q, sc::internal_error));
}

void join(request& first, request& second, nvme::status fault) noexcept {
    const nvme::status of_first =
        nvme::is_success(first.status) ? check(first, nvme::io_opcode::compare) : first.status;
    const nvme::status of_second =
        nvme::is_success(fault) ? check(second, nvme::io_opcode::write) : fault;
    const auto beside = [](nvme::status own) {
        return nvme::is_success(own) ? sc::aborted_failed_fused : own;
    };
    if (!nvme::is_success(of_first) || !nvme::is_success(of_second))
        return end_both(first, beside(of_first), second, beside(of_second));
    if (!same_blocks(first, second)) {
        const nvme::status wrong = sc::invalid_field.no_retry();
        return end_both(first, wrong, second, wrong);
    }
    first.entry = nullptr;  // it enters no gate
    first.partner = &second;
    second.partner = &first;
    second.io.fused = true;
    if (!second.in_capsule.empty()) io::keep_in_capsule(second);
    second.advance(request_event::pair);
    go_on(second);
}

// The data of both is there.
void have_all(request& second) noexcept {
    second.charged = second.chain.chunks() + second.partner->chain.chunks();
    second.entry->share.held += second.charged;
    io::execute(second);
}

// What a policy has said of the Write was not said of the Compare.
nvme::status status_beside(nvme::status of_second) noexcept {
    return of_second.is(sc::reservation_conflict) || of_second.is(sc::namespace_write_protected)
               ? sc::aborted_failed_fused
               : of_second;
}

// A Compare that has been carried out ends here, and the Write goes on by itself.
void compared(request& second, nvme::status status) noexcept {
    if (status == backend::device_gone) return io::complete(second, status);
    request& first = *std::exchange(second.partner, nullptr);
    first.partner = nullptr;
    qpair& q = *second.owner;
    q.finish(first, status);
    if (!nvme::is_success(status)) return io::complete(second, sc::aborted_failed_fused);
    io::submit(second);
}

void compare_done(backend::io_op& op, nvme::status status) noexcept {
    auto& task = static_cast<io_task&>(op);
    request* const second = io::take_back(task);
    if (second == nullptr) return;
    second->hold = std::exchange(task.hold, {});
    second->partner->chain = std::move(task.chain);
    second->task = nullptr;
    second->owner->group().return_task(task);
    compared(*second, status);
}

}  // namespace

bool arrived(request& r, nvme::status fault) noexcept {
    qpair& q = *r.owner;
    request* const first = q.take_first_of_pair();
    const nvme::fuse how = r.sqe.fused();
    if (first != nullptr && how != nvme::fuse::second) q.finish(*first, sc::aborted_missing_fused);
    switch (how) {
        case nvme::fuse::none: return false;
        case nvme::fuse::invalid:
            q.finish(r, nvme::is_success(fault) ? sc::invalid_field.no_retry() : fault);
            return true;
        case nvme::fuse::first:
            if (!r.in_capsule.empty()) io::keep_in_capsule(r);
            r.status = fault;
            r.advance(request_event::pair);
            q.await_second(r);
            return true;
        case nvme::fuse::second:
            if (first != nullptr)
                join(*first, r, fault);
            else
                q.finish(r, nvme::is_success(fault) ? sc::aborted_missing_fused : fault);
            return true;
    }
    return false;
}

// Its namespace may have gone meanwhile, and another one have its number.
void have_locks(request& second, nvme::status status) noexcept {
    qpair& q = *second.owner;
    if (status.is(sc::command_interrupted)) status = io::retry_later(q, status);
    if (!nvme::is_success(status)) return q.finish(second, status);
    second.entry = q.subsystem()->find(second.sqe.nsid.value());
    if (second.entry == nullptr || second.entry->id.generation != second.generation ||
        q.hides(*second.entry))
        return q.finish(second, policy::unseen);
    if (second.entry->ranges == nullptr)
        return q.finish(second, io::retry_later(q, sc::command_interrupted));
    io::replay(second);
}

std::uint64_t kept_bytes(const request& second) noexcept {
    return std::uint64_t{second.chain.chunks() + second.partner->chain.chunks()} *
           limits::chunk_bytes;
}

// The memory of both is asked for at once: a pair that has one half and waits for the other would
// keep it from other pairs that do the same.
void entered(request& second) noexcept {
    request& first = *second.partner;
    second.missing = static_cast<std::uint8_t>((first.chain ? 0 : data_of_first) |
                                               (second.chain ? 0 : data_of_second));
    switch (second.missing) {
        case 0: return have_all(second);
        case data_of_first: second.in_capsule_chunk = std::move(second.chain); break;
        case data_of_first | data_of_second:
            second.length = 2 * mem::buffer_pool::chunks_for(first.length) *
                            static_cast<std::uint32_t>(limits::chunk_bytes);
            break;
        default: break;
    }
    buffer::want(second);
}

void have_buffer(request& second) noexcept {
    qpair& q = *second.owner;
    request& first = *second.partner;
    second.length = second.io.length;
    if (second.missing == data_of_first) {
        first.chain = std::move(second.chain);
        second.chain = std::move(second.in_capsule_chunk);
    } else if (second.missing == (data_of_first | data_of_second)) {
        first.chain = second.chain.split_front(mem::buffer_pool::chunks_for(first.length));
    }
    second.advance(request_event::pair);
    const std::uint8_t missing = second.missing;
    if ((missing & data_of_first) != 0) q.fetch(first);
    if ((missing & data_of_second) != 0) q.fetch(second);
}

void data_arrived(request& one, nvme::status status) noexcept {
    request& second = *second_of(one);
    one.advance(request_event::pair);
    second.missing &=
        static_cast<std::uint8_t>(~(&one == &second ? data_of_second : data_of_first));
    if (!nvme::is_success(status)) second.status = status;
    if (second.missing != 0) return;
    if (!nvme::is_success(second.status)) return io::complete(second, second.status);
    have_all(second);
}

void execute(request& second) noexcept {
    request& first = *second.partner;
    namespace_entry& entry = *second.entry;
    if (entry.channel->completes_inline()) return compared(second, io::run_inline(first, entry));
    io_task* const task = second.owner->group().take_task(first.chain.chunks());
    if (task == nullptr)
        return io::complete(second, io::retry_later(*second.owner, sc::command_interrupted));
    io::describe(first, *task);
    task->ranges = {};
    task->hold = std::exchange(second.hold, {});
    task->done = &compare_done;
    io::hand_over(second, *task, first);
}

void other_ends(request& one, nvme::status status) noexcept {
    request& other = *std::exchange(one.partner, nullptr);
    FULMAR_ASSERT(one.io.fused && other.state() == request_state::paired);
    other.partner = nullptr;
    other.owner->finish(other, status_beside(status));
}

}  // namespace fulmar::core::command::fused
