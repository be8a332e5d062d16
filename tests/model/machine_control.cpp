#include "machine.hpp"

namespace fulmar::model {

using core::ack_verdict;
using core::namespace_edges;
using core::namespace_event;
using core::operation_end;
using core::operation_step;
using core::subsystem_edges;

void push(mailbox& box, parcel what) { box.held.at(box.count++) = what; }

parcel pop(mailbox& box) {
    const parcel first = box.held[0];
    for (byte i = 1; i < box.held.size(); ++i) box.held[i - 1] = box.held[i];
    box.held.back() = parcel::none;
    --box.count;
    return first;
}

// --- the queue of operations ---------------------------------------------------------------------

void machine::operator_asks(byte which) {
    const wish& w = of_.wishes[which];
    --s_.left.operations;
    --s_.left.wishes[which];
    running_operation op;
    op.kind = w.kind;
    op.ns = w.ns;
    op.on = w.on;
    op.reopens = w.reopens;
    op.takes = w.takes;
    op.unrecorded = w.unrecorded;
    control_side& c = s_.control;
    if (w.kind == operation_kind::create) {
        c.present = true;
        ++c.generation;
        c.state = subsystem_state::inactive;
        c.deleted = false;
        c.last_generation = {};
    }
    enqueue(op, false);
}

void machine::enqueue(const running_operation& op, bool first) {
    control_side& c = s_.control;
    if (c.waiting == queue_room) return breaks("the model's queue of operations is too small");
    if (first)
        for (byte i = c.waiting; i > 0; --i) c.queue[i] = c.queue[i - 1];
    c.queue[first ? 0 : c.waiting] = op;
    ++c.waiting;
    if (!c.running) run_next();
}

void machine::run_next() {
    control_side& c = s_.control;
    while (!c.running && c.waiting != 0) {
        c.running = true;
        c.current = c.queue[0];
        for (byte i = 1; i < queue_room; ++i) c.queue[i - 1] = c.queue[i];
        c.queue[--c.waiting] = {};
        if (!resume()) return;
        c.running = false;
        c.current = {};
    }
    if (!c.running && c.deleted) gone();
}

// The slot is free when nothing of its subsystem is on its way any more.
void machine::gone() {
    control_side& c = s_.control;
    if (!c.present) return;
    for (const group_side& g : s_.group)
        if (g.told.away) return;
    for (const group_side& g : s_.group)
        if (g.asked.busy) breaks("a subsystem is destroyed with a question on its way");
    c.present = false;
    c.deleted = false;
    c.acks = {};
    for (group_side& g : s_.group) {
        g.asked = {};
        g.told = {};
        g.last_ack = 0;
    }
}

// --- one step of an operation --------------------------------------------------------------------

core::operation_inputs machine::observe() const {
    const control_side& c = s_.control;
    const running_operation& op = c.current;
    const record& n = c.ns[op.ns];
    core::operation_inputs inputs;
    inputs.subsystem = c.state;
    inputs.deleted = c.deleted;
    inputs.failed = op.stage != operation_stage::begin && c.acks.failed;
    inputs.present = n.present;
    inputs.ns = n.state;
    inputs.device_ready = n.on != disk::drive || !c.drive_lost;
    inputs.holds = of_.holds && n.on == disk::drive && !n.hold_over;
    inputs.of_this_generation = n.present && n.generation == op.generation;
    inputs.changes = op.kind == operation_kind::reserve;
    inputs.takes = op.takes;
    if (op.stage == operation_stage::recording) inputs.failed = op.unrecorded;
    return inputs;
}

// What the operations do before they ask what comes next. False: it ends here, refused.
bool machine::prepare(core::operation_inputs& inputs) {
    control_side& c = s_.control;
    running_operation& op = c.current;
    switch (op.kind) {
        case operation_kind::create: {
            const bool attaches =
                op.stage == operation_stage::adding || op.stage == operation_stage::attaching;
            if (!attaches || inputs.failed) return true;
            while (op.attached < namespaces && of_.starts_with[op.attached] == disk::none)
                ++op.attached;
            if (op.attached == namespaces) return true;
            inputs.more = add_record(op.attached, of_.starts_with[op.attached]);
            inputs.spoilt = !inputs.more;
            return true;
        }
        case operation_kind::add_namespace:
            if (op.stage != operation_stage::begin || c.deleted) return true;
            if (!add_record(op.ns, op.on)) return false;
            inputs = observe();
            return true;
        case operation_kind::lose_namespace:
            if (inputs.of_this_generation) c.ns[op.ns].loss_waits = false;
            return true;
        case operation_kind::refresh_namespace: {
            const bool begins =
                op.stage == operation_stage::begin && inputs.ns == namespace_state::lost;
            const bool changes =
                begins || (op.stage == operation_stage::quiescing && !inputs.failed);
            if (changes && op.reopens && c.ns[op.ns].on == disk::drive) c.drive_lost = false;
            inputs = observe();
            return true;
        }
        case operation_kind::end_hold:
        case operation_kind::remove:
        case operation_kind::pause:
        case operation_kind::resume:
        case operation_kind::remove_namespace:
        case operation_kind::reserve: return true;
    }
    return true;
}

bool machine::add_record(byte ns, disk on) {
    control_side& c = s_.control;
    if (c.ns[ns].present) return false;
    if (on == disk::drive) {
        if (c.claim.verdict() != core::claim_verdict::free || c.drive_lost) return false;
        c.claim.take();
        for (const record& other : c.ns)
            if (other.present && other.on == disk::drive) breaks("one drive backs two namespaces");
        for (const command& r : s_.request)
            if (r.at != task::none)
                breaks("a drive is given to a namespace with operations of another one at it");
    }
    c.ns[ns] = {.present = true, .generation = ++c.last_generation[ns], .on = on};
    return true;
}

void machine::drop_record(byte ns) {
    if (s_.control.ns[ns].present && s_.control.ns[ns].on == disk::drive)
        s_.control.claim.release();
    s_.control.ns[ns] = {};
}

// True: finished.
bool machine::resume() {
    control_side& c = s_.control;
    running_operation& op = c.current;
    core::operation_inputs inputs = observe();
    if (!prepare(inputs)) return true;
    const operation_stage was = op.stage;
    if (was == operation_stage::closing) op.unreaped = static_cast<byte>(c.acks.unreaped);
    const operation_step step = core::next_step(op.kind, op.stage, inputs);
    if (step.at_namespace) advance(namespace_edges, c.ns[op.ns].state, *step.at_namespace);
    if (step.at_subsystem) advance(subsystem_edges, c.state, *step.at_subsystem);
    op.stage = step.next;
    if (step.attach_next) {
        op.ns = op.attached++;
        advance(namespace_edges, c.ns[op.ns].state, namespace_event::attach);
    }
    if (step.end != operation_end::none) {
        if (step.end == operation_end::done) check_promise(was);
        finish(step);
        return true;
    }
    if (step.record) return false;
    if (step.adopt && op.takes) check_reserved(op.ns);
    hold(step, inputs);
    const bool about_one =
        step.ask == group_action::attach_namespace || step.ask == group_action::quiesce_namespace ||
        step.ask == group_action::drain_namespace || step.ask == group_action::open_namespace ||
        step.ask == group_action::detach_namespace || step.ask == group_action::lose_namespace ||
        step.ask == group_action::hold_namespace;
    fan_out(step.ask, about_one ? static_cast<byte>(op.ns + 1) : byte{0});
    return false;
}

// What the operations do about a hold when the step goes on.
void machine::hold(const operation_step& step, const core::operation_inputs& inputs) {
    const running_operation& op = s_.control.current;
    record& n = s_.control.ns[op.ns];
    const bool returns = op.kind == operation_kind::refresh_namespace &&
                         step.next == operation_stage::opening &&
                         inputs.ns == namespace_state::lost;
    if (step.ask == group_action::hold_namespace) n.hold_runs = true;
    if (op.kind == operation_kind::end_hold) n.hold_over = true;
    if (returns || op.kind == operation_kind::end_hold) n.hold_runs = false;
    if (returns) n.hold_over = false;
}

void machine::hold_passes(byte ns) {
    record& n = s_.control.ns[ns];
    n.hold_runs = false;
    running_operation op;
    op.kind = operation_kind::end_hold;
    op.ns = ns;
    op.generation = n.generation;
    enqueue(op, true);
}

void machine::finish(const operation_step& step) {
    if (step.drop_namespace) drop_record(s_.control.current.ns);
    if (!step.drop_subsystem) return;
    for (byte ns = 0; ns < namespaces; ++ns) drop_record(ns);
    s_.control.deleted = true;
}

// What a host is denied from now on: nothing of it may be on its way any more.
void machine::check_reserved(byte ns) {
    for (byte r = 0; r < requests; ++r) {
        const command& it = s_.request[r];
        if (it.at != task::none && of_.request_namespace[r] == ns &&
            it.ns_generation == s_.control.ns[ns].generation)
            breaks("a reservation is adopted with operations at the drive");
    }
}

// "Done", and no operation was reported as left behind: then none may be.
void machine::check_promise(operation_stage last) {
    const control_side& c = s_.control;
    const running_operation& op = c.current;
    const bool removes = op.kind == operation_kind::remove;
    const bool one = op.kind == operation_kind::remove_namespace;
    const bool asked = last != operation_stage::begin;
    if (!(removes && asked) && !(one && asked) && op.kind != operation_kind::pause) return;
    if (asked && (removes ? op.unreaped : c.acks.unreaped) != 0) return;
    for (byte r = 0; r < requests; ++r) {
        const command& it = s_.request[r];
        const byte ns = of_.request_namespace[r];
        if (it.at == task::none || it.generation != c.generation) continue;
        if (one && (ns != op.ns || it.ns_generation != c.ns[ns].generation)) continue;
        // What a lost drive has, the loss has answered; a pause does not speak of it.
        const bool present = c.ns[ns].present && it.ns_generation == c.ns[ns].generation;
        if (op.kind == operation_kind::pause &&
            (!present || c.ns[ns].state == namespace_state::lost))
            continue;
        breaks("a fence is promised with operations at the drive");
    }
}

// --- questions and acks --------------------------------------------------------------------------

void machine::fan_out(group_action action, byte ns) {
    control_side& c = s_.control;
    c.acks.begin(++c.transitions, groups);
    c.deadline = true;
    for (byte g = 0; g < groups; ++g) {
        question& q = s_.group[g].asked;
        if (q.busy) breaks("an assertion fails: a question is sent while it is on its way");
        q = {.busy = true,
             .action = action,
             .transition = c.transitions,
             .generation = c.generation,
             .ns = ns,
             .ns_generation = ns != 0 ? c.ns[ns - 1].generation : byte{0}};
        push(s_.group[g].in, parcel::command);
    }
}

void machine::on_ack(byte g) {
    control_side& c = s_.control;
    question& q = s_.group[g].asked;
    q.busy = false;
    s_.group[g].last_ack = q.transition;
    switch (c.acks.on_ack(g, q.transition, q.succeeded, q.unreaped)) {
        case ack_verdict::stale: return breaks("an ack that is missing is called stale");
        case ack_verdict::more: return;
        case ack_verdict::last: break;
    }
    c.deadline = false;
    if (!c.running) return breaks("an ack for no operation");
    go_on();
}

void machine::go_on() {
    if (!resume()) return;
    s_.control.running = false;
    s_.control.current = {};
    run_next();
}

// The same ack once more, or a late one: nothing may change but a counter.
void machine::ack_again(byte g) {
    --s_.left.repeats;
    core::awaited_acks after = s_.control.acks;
    const ack_verdict said = after.on_ack(g, s_.group[g].last_ack, true, 0);
    if (said != ack_verdict::stale || after != s_.control.acks)
        breaks("an ack of a former question is taken for one of this");
}

void machine::deadline_passes() {
    s_.control.deadline = false;
    s_.control.acks.on_deadline();
    escalate();
}

void machine::escalate() {
    for (byte g = 0; g < groups; ++g) {
        escalation& e = s_.group[g].told;
        if (e.away || !s_.control.acks.must_escalate(g, e.transition)) continue;
        e = {.away = true,
             .transition = static_cast<byte>(s_.control.acks.transition),
             .generation = s_.control.generation};
        push(s_.group[g].in, parcel::escalation);
    }
}

void machine::control_receives(byte g) {
    control_side& c = s_.control;
    switch (pop(s_.group[g].out)) {
        case parcel::command: return on_ack(g);
        case parcel::escalation:
            s_.group[g].told.away = false;
            if (!c.acks.complete()) return escalate();
            if (!c.running && c.waiting == 0) run_next();
            return;
        case parcel::orphaned: return c.claim.hold();
        case parcel::reaped:
            if (c.claim.holders == 0) return breaks("a device is let go of twice");
            (void)c.claim.let_go();
            return;
        case parcel::none: return;
    }
}

// --- the drive -----------------------------------------------------------------------------------

void machine::drive_vanishes() {
    --s_.left.losses;
    s_.control.drive_lost = true;
    s_.control.signs = 2;  // signs come twice, and late
}

void machine::drive_fault() {
    control_side& c = s_.control;
    --c.signs;
    if (!c.present || c.deleted) return;
    for (byte ns = 0; ns < namespaces; ++ns) {
        record& n = c.ns[ns];
        if (!n.present || n.on != disk::drive || n.loss_waits) continue;
        n.loss_waits = true;
        running_operation op;
        op.kind = operation_kind::lose_namespace;
        op.ns = ns;
        op.generation = n.generation;
        return enqueue(op, true);
    }
}

// --- Connects ------------------------------------------------------------------------------------

void machine::connect_at_control(byte which) {
    queue_pair& q = s_.connection[which];
    const control_side& c = s_.control;
    if (!c.present || !same(q.generation, c.generation) || c.deleted)
        q.connect = connect_phase::busy;
    else if (c.state != subsystem_state::active)
        q.connect = connect_phase::must_wait;
    else
        q.connect = connect_phase::granted;
}

}  // namespace fulmar::model
