// Connect: checked where it arrives, granted by the control reactor (which hands out controller ids
// and knows every controller), and for an I/O queue by the controller's home. A Connect that meets
// a subsystem in transition waits, bounded.
#include "connect_steps.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace fulmar::core {

namespace sc = nvme::sc;
namespace parameter = nvme::connect_parameter;

namespace {
constexpr duration whole_wait = std::chrono::hours(1);  // the Connect's own bound is shorter
constexpr duration recheck_interval = std::chrono::milliseconds(5);
constexpr duration duplicate_grace =
    std::chrono::milliseconds(500);  // the end of the former connection may not be known yet

connect_op& of(engine::message& m) noexcept { return static_cast<connect_op&>(m); }

nvme::status refused(const nvme::invalid_parameter& which, std::uint32_t& dw0) noexcept {
    dw0 = which.pack();
    return sc::connect_invalid_parameters.no_retry();
}
}  // namespace

// What an operator may bring (back) in a moment is refused without "do not retry": a Linux host
// that meets that stops reconnecting for good.
void connect_op::refuse_for_now(connect_refusal reason,
                                const nvme::invalid_parameter& which) noexcept {
    why = reason;
    status = sc::connect_invalid_parameters;
    dw0 = which.pack();
}

connect_op::connect_op(qpair& q) noexcept
    : message(&connect_steps::at_control), owner(&q), group(&q.group()), deadline(*this) {}

connect_op::wait_timer::wait_timer(connect_op& op) noexcept
    : timer(&connect_steps::on_wait_over), owner(&op) {}

std::string_view connect_op::host_nqn() const noexcept {
    return data ? nvme::read_nqn(data->hostnqn).value_or("") : "";
}
std::string_view connect_op::subsystem_nqn() const noexcept {
    return data ? nvme::read_nqn(data->subnqn).value_or("") : "";
}

void connect_op::depart(engine::reactor& to, handler step) noexcept {
    in_flight = true;
    hop(to, step);
}

void connect_op::hop(engine::reactor& to, handler step) noexcept {
    set_handler(step);
    FULMAR_ASSERT(to.post(*this) == engine::post_result::posted);
}

// --- on the qpair's reactor ----------------------------------------------------------------------

namespace {
// Connections that send no Connect need none of its 1,024 bytes.
bool has_room(connect_op& op) noexcept {
    try {
        if (!op.data) op.data = std::make_unique<nvme::connect_data>();
    } catch (const std::bad_alloc&) {
        return false;
    }
    return true;
}
}  // namespace

void connect_steps::start(request& r) noexcept {
    qpair& q = *r.owner;
    if (q.state_ != qpair_state::fresh) {
        q.group().refusals().note(connect_refusal::out_of_sequence, q, q.group().reactor().now());
        return q.finish(r, sc::command_sequence_error.no_retry());
    }
    connect_op& op = q.connect_;
    op.command = nvme::view_as<nvme::connect_command>(r.sqe);
    if (op.data) *op.data = {};
    if (!nvme::is_success(r.sgl_status)) {
        count_refusal(op, connect_refusal::malformed);
        return q.finish(r, r.sgl_status.no_retry());
    }
    if (r.sgl_bytes != sizeof(nvme::connect_data) ||
        r.in_capsule.size() != sizeof(nvme::connect_data)) {
        count_refusal(op, connect_refusal::malformed);
        return q.finish(r, sc::data_sgl_length_invalid.no_retry());
    }
    if (!has_room(op)) {
        count_refusal(op, connect_refusal::no_memory);
        return q.finish(r, sc::connect_controller_busy);
    }
    std::memcpy(op.data.get(), r.in_capsule.data(), sizeof *op.data);
    r.in_capsule = {};
    r.in_capsule_chunk.release();  // however long it waits, it keeps no memory that others need
    op.dw0 = 0;
    q.advance(qpair_event::connect);
    q.connect_request_ = &r;
    r.advance(request_event::execute);
    op.wait_until = {};
    op.made_room = false;
    op.at_home_since = {};
    if (const nvme::status wrong = check(op); !nvme::is_success(wrong))
        return refuse(op, op.why, wrong, op.dw0);
    resolve(op);
}

// What can be said without looking at the target.
nvme::status connect_steps::check(connect_op& op) noexcept {
    const target_options& options = op.group->options();
    op.why = connect_refusal::malformed;
    if (op.command.recfmt.value() != 0) return sc::connect_incompatible_format.no_retry();
    op.why = connect_refusal::wrong_parameter;
    const std::uint16_t qid = op.command.qid.value();
    const std::uint32_t entries = op.command.sqsize.value() + 1u;
    const std::uint32_t most = qid == 0 ? limits::admin_queue_depth * 4 : options.max_queue_depth;
    if (entries < 2 || entries > most) return refused(parameter::sqsize, op.dw0);
    if (qid > options.max_io_queues) return refused(parameter::qid, op.dw0);
    const std::uint16_t wanted = op.data->cntlid.value();
    if (qid == 0 && wanted != nvme::cntlid_dynamic) return refused(parameter::cntlid, op.dw0);
    op.why = connect_refusal::wrong_name;
    // A host without a name is let in where every host is: SPDK's tools send none.
    const bool unnamed = op.data->hostnqn.front() == '\0';
    if (!unnamed && nvme::validate_nqn(op.host_nqn()) != nvme::nqn_check::ok)
        return refused(parameter::hostnqn, op.dw0);
    if (!nvme::read_nqn(op.data->subnqn)) return refused(parameter::subnqn, op.dw0);
    op.why = connect_refusal::wrong_parameter;
    bool any = false;
    for (const std::uint8_t b : op.data->hostid) any = any || b != 0;
    if (!any && qid == 0) return refused(parameter::hostid, op.dw0);
    return sc::success;
}

void connect_steps::resolve(connect_op& op) noexcept {
    poll_group& group = *op.group;
    group.reactor().timers().cancel(op.deadline);
    subsystem_group* sub = group.find(op.subsystem_nqn());
    if (sub == nullptr) {
        op.refuse_for_now(connect_refusal::unknown_subsystem, parameter::subnqn);
        return refuse(op);
    }
    const subsystem_description& view = *sub->view;
    if (!view.offered_at(op.owner->listener_name())) {
        op.refuse_for_now(connect_refusal::not_offered_here, parameter::subnqn);
        return refuse(op);
    }
    if (!view.allows(op.host_nqn()))
        return refuse(op, connect_refusal::host_not_allowed, sc::connect_invalid_host.no_retry());
    if (view.discovery && op.command.qid.value() != 0) {
        std::uint32_t dw0 = 0;
        const nvme::status status = refused(parameter::qid, dw0);
        return refuse(op, connect_refusal::wrong_parameter, status, dw0);
    }
    if (sub->state != view_state::open) return wait(op, whole_wait);
    op.subsystem = sub->id;
    op.depart(group.target().control_reactor(), &connect_steps::at_control);
}

// Parks the Connect until its subsystem opens here; looks again by itself after `most`.
void connect_steps::wait(connect_op& op, duration most) noexcept {
    poll_group& group = *op.group;
    const instant now = group.reactor().now();
    if (op.wait_until == instant{})
        op.wait_until = now + std::chrono::milliseconds(group.options().connect_wait_ms);
    if (now >= op.wait_until) return refuse(op, connect_refusal::busy, sc::connect_controller_busy);
    if (!group.park(op)) {  // in time it may wait; the host tries again
        op.owner->note("connect", "too-many-wait", op.command.qid.value());
        return refuse(op, connect_refusal::too_many_wait, sc::connect_controller_busy);
    }
    group.reactor().timers().arm(op.deadline, std::min(op.wait_until, now + most));
}

void connect_steps::end_wait(connect_op& op) noexcept {
    poll_group& group = *op.group;
    group.reactor().timers().cancel(op.deadline);
    group.unpark(op);
    refuse(op, connect_refusal::busy, sc::connect_controller_busy);
}

void connect_steps::on_wait_over(engine::timer& t) noexcept {
    connect_op& op = *static_cast<connect_op::wait_timer&>(t).owner;
    if (queue_slot* old = std::exchange(op.behind, nullptr)) {  // at the home reactor
        old->waiting = nullptr;
        return at_home(op);
    }
    op.group->unpark(op);
    if (op.group->reactor().now() >= op.wait_until)
        return refuse(op, connect_refusal::busy, sc::connect_controller_busy);
    resolve(op);
}

void connect_steps::count_refusal(connect_op& op, connect_refusal why) noexcept {
    op.group->refusals().note(why, *op.owner, op.group->reactor().now());
}

void connect_steps::refuse(connect_op& op) noexcept { refuse(op, op.why, op.status, op.dw0); }

void connect_steps::refuse(connect_op& op, connect_refusal why, nvme::status status,
                           std::uint32_t dw0) noexcept {
    count_refusal(op, why);
    qpair& q = *op.owner;
    request& r = *q.connect_request_;
    q.connect_request_ = nullptr;
    if (q.state_ == qpair_state::connecting) q.advance(qpair_event::refused);
    if (q.ticket_ != nullptr) q.ticket_->connect_refused();
    q.qid_ = 0;
    q.leave_host();
    q.note("connect", "refused", status.to_field());
    r.dw0 = dw0;
    q.finish(r, status);
}

// The queue finds its host, and takes the size that the host asked for; false: no memory.
bool connect_steps::adopt(connect_op& op, const subsystem_group& sub) noexcept {
    qpair& q = *op.owner;
    const std::uint32_t entries = op.command.sqsize.value() + 1u;
    const bool io = op.command.qid.value() != 0;
    if (!sub.view->discovery) {
        q.host_ = op.group->hosts().join(op.host_nqn(), io);
        q.host_has_io_ = io;
        if (q.host_ == nullptr) return false;
    }
    if (io && !op.group->reserve_tasks(entries)) return false;
    if (!q.grow(entries)) {
        if (io) op.group->unreserve_tasks(entries);
        return false;
    }
    q.sq_entries_ = entries;
    q.sq_head_ = static_cast<std::uint16_t>(1u % entries);  // the Connect itself
    q.flow_control_ = (op.command.cattr & nvme::cattr::disable_sq_flow_control) == 0;
    return true;
}

void connect_steps::accept(connect_op& op) noexcept {
    qpair& q = *op.owner;
    request& r = *q.connect_request_;
    q.connect_request_ = nullptr;
    q.qid_ = op.command.qid.value();
    q.note("connect", "accepted", q.qid_);
    r.dw0 = nvme::connect_result(op.assigned.value(), false);
    if (q.state_ == qpair_state::connecting) {
        q.advance(qpair_event::accepted);
        q.open_credit(q.subsystem_->view->discovery);
        q.connected();
        q.close_early_credit();
    }
    q.finish(r, sc::success);
}

namespace {
// Nothing when there is no memory for one.
controller* make_controller(connect_op& op, subsystem_group& sub) noexcept try {
    auto made = std::make_unique<controller>(
        *op.group, sub,
        controller::identity{.id = op.assigned,
                             .host_nqn = std::string(op.host_nqn()),
                             .host_id = op.data->hostid,
                             .keep_alive_ms = op.command.kato_ms.value()});
    return made->attach(*op.owner, *op.group, 0) ? made.release() : nullptr;
} catch (const std::bad_alloc&) {
    return nullptr;
}
}  // namespace

// The control reactor has assigned a controller id: the controller is built here, its home.
void connect_steps::admin_granted(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    qpair& q = *op.owner;
    poll_group& group = *op.group;
    subsystem_group* sub = group.find(op.subsystem);
    nvme::status failed = sc::connect_controller_busy;
    op.why = connect_refusal::busy;
    controller* made = nullptr;
    if (sub == nullptr || sub->state == view_state::closed) {
        group.note_stale("stale-connect", op.subsystem, q.connection_number());
    } else if (q.usable() && adopt(op, *sub)) {
        made = make_controller(op, *sub);
        failed = sc::internal_error;
        op.why = connect_refusal::no_memory;
    }
    if (made == nullptr) {  // give the id back, then answer
        op.status = failed;
        return op.depart(group.target().control_reactor(), &target::connect_withdrawn);
    }
    q.controller_ = made;
    q.home_ = &group;
    q.subsystem_ = sub;
    sub->qpairs.push_back(q);
    sub->controllers.push_back(*made);
    made->announce();
    accept(op);
}

void connect_steps::returned(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    qpair& q = *op.owner;
    poll_group& group = *op.group;
    if (op.wait) {  // the subsystem was in transition when the control reactor looked
        op.wait = false;
        // Its poll group may be open already while others are not: then look again in a moment.
        if (q.usable()) return wait(op, recheck_interval);
        op.status = sc::connect_controller_busy;
    }
    if (op.registered) {
        q.controller_ = op.found;
        q.home_ = op.home;
        subsystem_group* sub = group.find(op.subsystem);
        if (q.usable() && sub != nullptr && sub->state != view_state::closed && adopt(op, *sub)) {
            q.subsystem_ = sub;
            q.counters_ = op.counters;
            sub->qpairs.push_back(q);
            return accept(op);
        }
        refuse(op, connect_refusal::busy, sc::connect_controller_busy);
        return q.close(
            close_reason::host_disconnected);  // which takes it out of the controller again
    }
    refuse(op);
    q.check_drained();
}

void connect_steps::leaving_noted(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    op.owner->check_drained();
}

void connect_steps::detached(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    op.owner->detached();
}

// --- on the control reactor ----------------------------------------------------------------------

void connect_steps::at_control(engine::message& m) noexcept {
    of(m).group->target().connect_arrived(of(m));
}

// --- on the controller's home reactor ------------------------------------------------------------

// A host that reconnects faster than its old queue can leave waits, bounded; and so does one whose
// old connection seems to be there still, for a moment: the end of a connection and its successor's
// Connect come different ways.
bool connect_steps::wait_behind(connect_op& op, queue_slot& old) noexcept {
    engine::reactor& here = op.found->home().reactor();
    const instant now = here.now();
    if (op.wait_until == instant{})
        op.wait_until = now + std::chrono::milliseconds(op.group->options().connect_wait_ms);
    if (op.at_home_since == instant{}) op.at_home_since = now;
    const bool going = old.leaving || old.detached;
    const instant until =
        going ? op.wait_until : std::min(op.wait_until, op.at_home_since + duplicate_grace);
    if (old.waiting != nullptr || now >= until) return false;
    old.waiting = &op;
    op.behind = &old;
    here.timers().arm(op.deadline, until);
    return true;
}

void connect_steps::at_home(engine::message& m) noexcept {
    connect_op& op = of(m);
    controller& c = *op.found;
    const std::uint16_t qid = op.command.qid.value();
    op.behind = nullptr;
    c.home().reactor().timers().cancel(op.deadline);
    const bool open = c.state() == controller_state::enabled;
    queue_slot* old = c.slot(qid);
    if (open && old != nullptr && wait_behind(op, *old)) return;
    c.may_join(op);
    if (open && old != nullptr &&
        old->leaving) {  // it may try again: the old one is still on its way out
        op.why = connect_refusal::busy;
        op.status = sc::connect_controller_busy;
        op.dw0 = 0;
    }
    if (nvme::is_success(op.status)) {
        op.registered = c.attach(*op.owner, *op.group, qid);
        if (op.registered)
            op.counters = &c.slot(qid)->counters;
        else {
            op.why = connect_refusal::no_memory;
            op.status = sc::internal_error;
        }
    }
    op.assigned = c.id();
    op.hop(op.group->reactor(), &connect_steps::returned);
}

void connect_steps::leaving_at_home(engine::message& m) noexcept {
    connect_op& op = of(m);
    if (queue_slot* s = op.owner->controller_->slot(op.command.qid.value());
        s != nullptr && s->queue == op.owner)
        s->leaving = true;
    op.hop(op.group->reactor(), &connect_steps::leaving_noted);
}

void connect_steps::detach_at_home(engine::message& m) noexcept {
    connect_op& op = of(m);
    const std::uint16_t qid = op.command.qid.value();
    controller& c = *op.owner->controller_;
    op.hop(op.group->reactor(), &connect_steps::detached);
    c.queue_detached(qid);
}

}  // namespace fulmar::core
