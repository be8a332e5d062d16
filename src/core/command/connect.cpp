// Connect: checked where it arrives, granted by the control reactor (which hands out controller ids
// and knows every controller), and for an I/O queue by the controller's home. A Connect that meets
// a subsystem in transition waits, bounded.
#include "connect.hpp"

#include "proof.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace fulmar::core::command::connect {

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

void count_refusal(connect_op& op, connect_refusal why) noexcept {
    op.group->refusals().note(why, *op.owner, op.group->reactor().now());
}

void refuse(connect_op& op, connect_refusal why, nvme::status status,
            std::uint32_t dw0 = 0) noexcept {
    count_refusal(op, why);
    op.owner->refuse_connect(status, dw0);
}

// With what it has been given.
void refuse(connect_op& op) noexcept { refuse(op, op.why, op.status, op.dw0); }

// What can be said without looking at the target.
nvme::status check(connect_op& op) noexcept {
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

// Parks the Connect until its subsystem opens here; looks again by itself after `most`.
void wait(connect_op& op, duration most) noexcept {
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

}  // namespace

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

void start(request& r) noexcept {
    qpair& q = *r.owner;
    if (q.state() != qpair_state::fresh) {
        q.group().refusals().note(connect_refusal::out_of_sequence, q, q.group().reactor().now());
        return q.finish(r, sc::command_sequence_error.no_retry());
    }
    connect_op& op = q.connecting();
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
    q.begin_connect(r);
    op.wait_until = {};
    op.made_room = false;
    op.proves = false;
    op.place = 0;
    op.at_home_since = {};
    if (const nvme::status wrong = check(op); !nvme::is_success(wrong))
        return refuse(op, op.why, wrong, op.dw0);
    resolve(op);
}

void resolve(connect_op& op) noexcept {
    poll_group& group = *op.group;
    group.reactor().timers().cancel(op.deadline);
    subsystem_group* sub = group.find(op.subsystem_nqn());
    if (sub == nullptr) {
        op.refuse_for_now(connect_refusal::unknown_subsystem, parameter::subnqn);
        return refuse(op);
    }
    const subsystem_description& view = *sub->view;
    if (!view.offered_at(op.owner->listener())) {
        op.refuse_for_now(connect_refusal::not_offered_here, parameter::subnqn);
        return refuse(op);
    }
    if (!view.allows(op.host_nqn())) {
        op.refuse_host(view.closed);
        return refuse(op);
    }
    if (view.discovery && op.command.qid.value() != 0) {
        std::uint32_t dw0 = 0;
        const nvme::status status = refused(parameter::qid, dw0);
        return refuse(op, connect_refusal::wrong_parameter, status, dw0);
    }
    if (sub->state != view_state::open) return wait(op, whole_wait);
    op.must_prove = !view.discovery && view.asks_for_proof(op.host_nqn());
    op.subsystem = sub->id;
    op.depart(group.target().control_reactor(), &at_control);
}

void end_wait(connect_op& op) noexcept {
    poll_group& group = *op.group;
    group.reactor().timers().cancel(op.deadline);
    group.unpark(op);
    refuse(op, connect_refusal::busy, sc::connect_controller_busy);
}

void wait_is_over(connect_op& op) noexcept {
    if (queue_slot* old = std::exchange(op.behind, nullptr)) {  // at the home reactor
        old->waiting = nullptr;
        return at_home(op);
    }
    op.group->unpark(op);
    if (op.group->reactor().now() >= op.wait_until)
        return refuse(op, connect_refusal::busy, sc::connect_controller_busy);
    resolve(op);
}

namespace {
// Nothing when there is no memory for one.
controller* make_controller(connect_op& op, subsystem_group& sub) noexcept try {
    auto made = std::make_unique<controller>(
        *op.group, sub,
        controller::identity{.id = op.assigned,
                             .instance = op.instance,
                             .host_nqn = std::string(op.host_nqn()),
                             .listener = std::string(op.owner->listener()),
                             .host_id = op.data->hostid,
                             .keep_alive_ms = op.command.kato_ms.value(),
                             .encrypted = op.owner->channel() != nullptr});
    return made->attach(*op.owner, *op.group, 0) ? made.release() : nullptr;
} catch (const std::bad_alloc&) {
    return nullptr;
}
}  // namespace

// The control reactor has assigned a controller id: the controller is built here, its home.
void admin_granted(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    qpair& q = *op.owner;
    poll_group& group = *op.group;
    op.keep_alive_ms = op.command.kato_ms.value();
    subsystem_group* sub = group.find(op.subsystem);
    nvme::status failed = sc::connect_controller_busy;
    op.why = connect_refusal::busy;
    controller* made = nullptr;
    if (sub == nullptr || sub->state == view_state::closed) {
        group.note_stale("stale-connect", op.subsystem, q.connection_number());
    } else if (q.usable() && q.adopt(*sub)) {
        made = make_controller(op, *sub);
        failed = sc::internal_error;
        op.why = connect_refusal::no_memory;
    }
    if (made == nullptr) {  // give the id back, then answer
        op.status = failed;
        return op.depart(group.target().control_reactor(), &target::connect_withdrawn);
    }
    q.counted_in(*made, group);
    sub->controllers.push_back(*made);
    made->announce();
    q.accept_connect(*sub, nullptr);
}

void returned(engine::message& m) noexcept {
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
        q.counted_in(*op.found, *op.home);
        subsystem_group* sub = group.find(op.subsystem);
        if (q.usable() && sub != nullptr && sub->state != view_state::closed && q.adopt(*sub))
            return q.accept_connect(*sub, op.counters);
        refuse(op, connect_refusal::busy, sc::connect_controller_busy);
        return q.close(
            close_reason::host_disconnected);  // which takes it out of the controller again
    }
    refuse(op);
    q.connect_is_home();
}

void leaving_noted(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    op.owner->connect_is_home();
}

void detached(engine::message& m) noexcept {
    connect_op& op = of(m);
    op.in_flight = false;
    op.owner->left_controller();
}

// --- on the control reactor ----------------------------------------------------------------------

void at_control(engine::message& m) noexcept { of(m).group->target().connect_arrived(of(m)); }

// --- on the controller's home reactor ------------------------------------------------------------

// A host that reconnects faster than its old queue can leave waits, bounded; and so does one whose
// old connection seems to be there still, for a moment: the end of a connection and its successor's
// Connect come different ways.
bool wait_behind(connect_op& op, queue_slot& old) noexcept {
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

void at_home(engine::message& m) noexcept {
    connect_op& op = of(m);
    controller& c = *op.found;
    const std::uint16_t qid = op.command.qid.value();
    op.behind = nullptr;
    c.home().reactor().timers().cancel(op.deadline);
    if (op.proves) return proof::at_home(op);
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
        op.place = op.must_prove ? c.unproven_place() : qid;
        op.registered = c.attach(*op.owner, *op.group, op.place);
        if (op.registered)
            op.counters = &c.slot(op.place)->counters;
        else {
            op.why = connect_refusal::no_memory;
            op.status = sc::internal_error;
        }
    }
    op.assigned = c.id();
    op.instance = c.who().instance;
    op.keep_alive_ms = c.keep_alive_ms();
    op.hop(op.group->reactor(), &returned);
}

void leaving_at_home(engine::message& m) noexcept {
    connect_op& op = of(m);
    if (queue_slot* s = op.owner->attached_controller()->slot(op.place);
        s != nullptr && s->queue == op.owner)
        s->leaving = true;
    op.hop(op.group->reactor(), &leaving_noted);
}

void detach_at_home(engine::message& m) noexcept {
    connect_op& op = of(m);
    const std::uint32_t place = op.place;
    controller& c = *op.owner->attached_controller();
    op.hop(op.group->reactor(), &detached);
    c.queue_detached(place);
}

}  // namespace fulmar::core::command::connect
