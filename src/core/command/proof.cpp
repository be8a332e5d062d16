#include "proof.hpp"

#include "authentication/queue_authentication.hpp"
#include "connect.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/target.hpp>

namespace fulmar::core::command::proof {

namespace sc = nvme::sc;

void start(connect_op& op) noexcept {
    op.proves = true;
    op.wait_until = {};
    op.at_home_since = {};
    op.status = sc::success;
    op.depart(op.group->target().control_reactor(), &at_control);
}

void at_control(engine::message& m) noexcept {
    auto& op = static_cast<connect_op&>(m);
    op.group->target().proof_arrived(op);
}

void at_home(connect_op& op) noexcept {
    controller& c = *op.found;
    const std::uint16_t qid = op.command.qid.value();
    const bool leaves = c.slot(op.place)->leaving;
    queue_slot* const old = c.slot(qid);
    if (!leaves && old != nullptr && connect::wait_behind(op, *old)) return;
    c.may_join(op);
    if (leaves || (old != nullptr && old->leaving)) {
        op.why = connect_refusal::busy;
        op.status = sc::connect_controller_busy;
    }
    if (nvme::is_success(op.status)) {
        c.take_place(op.place, qid);
        op.place = qid;
    }
    op.hop(op.group->reactor(), &returned);
}

void returned(engine::message& m) noexcept {
    auto& op = static_cast<connect_op&>(m);
    qpair& q = *op.owner;
    op.in_flight = false;
    if (!nvme::is_success(op.status))
        op.group->refusals().note(op.why, q, op.group->reactor().now());
    // It has ended meanwhile: its controller could not be told before.
    if (!q.usable() && q.is_io()) op.depart(op.home->reactor(), &connect::leaving_at_home);
    q.authentication()->placed(nvme::is_success(op.status));
    if (!op.in_flight) q.connect_is_home();
}

}  // namespace fulmar::core::command::proof
