// Abort: the command to end may sit on another reactor, so the question travels there and back.
// What waits is ended; what is at a backend is nudged and answered in its own time (NVMe Base 2.0,
// section 5.1).
#include "command/buffer.hpp"
#include "command/fused.hpp"
#include "command/io.hpp"
#include "command/range.hpp"
#include "reservation/reservation_errand.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>

namespace fulmar::core {

namespace sc = nvme::sc;

abort_op::abort_op() noexcept : message(nullptr) {}

void controller::abort_command(request& r) noexcept {
    const std::uint32_t dw10 = r.sqe.cdw10.value();
    const auto sqid = static_cast<std::uint16_t>(dw10 & 0xffffu);
    r.dw0 = 1;  // "not aborted", until proven otherwise
    queue_slot* s = slot(sqid);
    if (s == nullptr || s->detached) return finish(r, sc::success);
    abort_op* free_op = nullptr;
    for (abort_op& op : aborts_)
        if (op.asker == nullptr) free_op = &op;
    if (free_op == nullptr) return finish(r, sc::abort_limit_exceeded.no_retry());
    free_op->asker = &r;
    free_op->queue = s->queue;
    free_op->group = s->group;
    free_op->cid = static_cast<std::uint16_t>(dw10 >> 16);
    free_op->aborted = false;
    free_op->send(s->group->reactor(), &controller::on_abort_at_group);
    ++away_;
}

void abort_op::send(engine::reactor& to, handler step) noexcept {
    set_handler(step);
    to.post(*this);
}

// On the qpair's reactor. The qpair is there still: its slot was not detached when the question
// left, and its leave at the home reactor is answered behind the question.
void controller::on_abort_at_group(engine::message& m) noexcept {
    auto& op = static_cast<abort_op&>(m);
    op.queue->abort(op);
    op.send(op.owner->home_.reactor(), &controller::on_abort_returned);
}

void controller::on_abort_returned(engine::message& m) noexcept {
    auto& op = static_cast<abort_op&>(m);
    controller& c = *op.owner;
    request& asker = *op.asker;
    op.asker = nullptr;
    --c.away_;
    asker.dw0 = op.aborted ? 0 : 1;
    c.finish(asker, sc::success);
    c.check_queues_gone();
}

void qpair::abort(abort_op& op) noexcept {
    for_each_request(
        [](request& r, void* context) {
            auto& wanted = *static_cast<abort_op*>(context);
            if (wanted.aborted || r.cid() != wanted.cid || &r == wanted.asker) return;
            if (r.state() == request_state::answering || r.state() == request_state::idle) return;
            request* const second = command::fused::second_of(r);
            abort_request(second != nullptr ? *second : r, wanted);
        },
        &op);
}

// Of a fused pair this is the second: the first ends with it.
void qpair::abort_request(request& r, abort_op& op) noexcept {
    const nvme::status aborted = sc::aborted_by_request.no_retry();
    qpair& q = *r.owner;
    switch (r.state()) {
        case request_state::paired:
            if (&r == q.first_of_pair_) {
                (void)q.take_first_of_pair();
            } else if (r.errand != nullptr) {
                reservation_errand::forget(r);
            } else {
                return;  // data is on the way
            }
            op.aborted = true;
            return q.finish(r, aborted);
        case request_state::parked:
            op.aborted = true;
            r.entry->parked.erase(r.entry->parked.iterator_to(r));
            r.entry->gate.unpark(r.parked_bytes);
            r.entry->show();
            q.note("unparked", "aborted", r.cid());
            return q.finish(r, aborted);
        case request_state::awaiting_buffer:
            op.aborted = true;
            command::buffer::cancel_wait(r);
            if (r.entered) return command::io::complete(r, aborted);
            return q.finish(r, aborted);
        case request_state::awaiting_range:
            op.aborted = true;
            command::range::stop_waiting(r);
            return command::io::complete(r, aborted);
        case request_state::executing:
            if (r.task != nullptr)
                r.entry->channel->abort(*r.task);
            else if (!q.is_io())
                op.aborted = q.controller_->abort_async_event(r);
            return;
        case request_state::idle:
        case request_state::received:
        case request_state::awaiting_data:  // its data is on the way: it has to be taken in
        case request_state::answering: return;
    }
}

}  // namespace fulmar::core
