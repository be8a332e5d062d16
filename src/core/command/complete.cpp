// The second half of an I/O command: the backend is done, the gate is left, the answer goes out.
#include "buffer.hpp"
#include "io.hpp"
#include "nqn_key.hpp"
#include "range.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/base/relaxed.hpp>

#include <utility>

namespace fulmar::core::command::io {

namespace sc = nvme::sc;

namespace {

void leave_gate(namespace_entry& entry) noexcept {
    const bool last = entry.gate.leave();
    entry.show();
    if (last) entry.subsystem->check_pending();
}

// A host that follows the ANA log keeps its I/O itself, without counting tries; others try again.
nvme::status status_of_loss(const qpair& q, const namespace_entry& entry) noexcept {
    if (!entry.hold) return sc::internal_error.no_retry();
    return q.follows_ana() ? sc::ana_inaccessible : retry_later(q, sc::namespace_not_ready);
}

}  // namespace

nvme::status retry_later(const qpair& q, nvme::status status) noexcept {
    return q.honours_retry_delay() ? status.retry_after(1) : status;
}

void complete(request& r, nvme::status status) noexcept {
    FULMAR_ASSERT(r.entered);  // exactly one completion
    qpair& q = *r.owner;
    namespace_entry& entry = *r.entry;
    if (status == backend::device_gone) status = status_of_loss(q, entry);
    if (nvme::is_success(status) && r.length != 0) {
        const bool read = r.direction == nvme::data_direction::controller_to_host;
        queue_counters& counters = q.counters();
        add_relaxed(read ? counters.bytes_read : counters.bytes_written, r.length);
        add_relaxed(read ? counters.reads : counters.writes);
        q.group().count(read ? &group_counters::bytes_read : &group_counters::bytes_written,
                        r.length);
    }
    if (r.hold.stripes != 0) [[unlikely]]
        range::give_back(entry, r.hold);
    r.entered = false;
    entry.share.held -= r.charged;
    r.charged = 0;
    q.finish(r, status);
    leave_gate(entry);  // last: it may end what waits for the gate to drain
}

request* take_back(io_task& task) noexcept {
    namespace_entry& entry = *task.entry;
    entry.tasks.erase(entry.tasks.iterator_to(task));
    if (task.owner != nullptr) return task.owner;
    // Abandoned: answered long ago; now its memory is free as well.
    poll_group& group = *entry.group;
    --entry.abandoned;
    entry.quarantined -= task.charged;
    entry.share.held -= task.charged;
    group.count(&group_counters::reaped);
    entry.show_abandoned();
    group.return_task(task);
    if (entry.subsystem != nullptr)
        entry.subsystem->check_pending();
    else if (entry.abandoned == 0)
        group.reap_orphan(entry);
    return nullptr;
}

void task_done(backend::io_op& op, nvme::status status) noexcept {
    auto& task = static_cast<io_task&>(op);
    request* const r = take_back(task);
    if (r == nullptr) return;
    r->chain = std::move(task.chain);
    if (task.age == io_task::seen::slow) r->chain.recharge(r->owner->credit());
    r->task = nullptr;
    r->owner->group().return_task(task);
    complete(*r, status);
}

void abandon(io_task& task, nvme::status answer) noexcept {
    request* r = task.owner;
    if (r == nullptr) return;
    namespace_entry& entry = *task.entry;
    if (!mutated(mutation::abandoned_tasks_answer_again)) task.owner = nullptr;
    if (mutated(mutation::abandoned_buffers_are_freed)) task.chain.release();
    task.host = r->owner->host()->key;
    task.listener = nqn_key(r->owner->listener());
    task.controller = r->owner->asked().instance.number;
    task.charged = std::exchange(r->charged, 0);  // the share counts it until the device lets go
    task.chain.recharge(entry.group->quarantine());
    // What changes no block may go on beside whoever wants to be alone.
    const bool only_looks = task.kind == backend::io_kind::read ||
                            task.kind == backend::io_kind::compare ||
                            task.kind == backend::io_kind::verify;
    if (only_looks && task.hold.stripes != 0) range::give_back(entry, task.hold);
    r->task = nullptr;
    r->direction =
        nvme::data_direction::none;  // whatever the device does now, nothing of it reaches the host
    ++entry.abandoned;
    entry.quarantined += task.charged;
    entry.show_abandoned();
    note(*r, "abandoned");
    entry.group->count(&group_counters::abandoned);
    complete(*r, answer);
}

bool give_up(request& r, nvme::status answer) noexcept {
    const bool as_it_is =
        answer.dnr || answer == backend::device_gone || answer.sct == nvme::status_type::path;
    switch (r.state()) {
        case request_state::awaiting_buffer:
            buffer::cancel_wait(r);
            complete(r, as_it_is ? answer : retry_later(*r.owner, sc::namespace_not_ready));
            return true;
        case request_state::paired:  // inside its gate: the data of one of the pair is on the way
        case request_state::awaiting_data: return false;
        case request_state::awaiting_range:
            range::stop_waiting(r);
            complete(r, as_it_is ? answer : retry_later(*r.owner, sc::namespace_not_ready));
            return true;
        case request_state::executing: {
            if (r.task == nullptr) return true;
            io_task& task = *r.task;
            backend::io_channel& channel = *r.entry->channel;
            // First: an abort may end the task inside the call.
            abandon(task, as_it_is ? answer : retry_later(*r.owner, answer));
            channel.abort(task);
            return true;
        }
        case request_state::idle:
        case request_state::received:
        case request_state::parked:
        case request_state::answering: return true;
    }
    return true;
}

}  // namespace fulmar::core::command::io
