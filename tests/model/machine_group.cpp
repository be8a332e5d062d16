#include "machine.hpp"

namespace fulmar::model {

using core::gate_event;
using core::group_rules;

// --- commands ------------------------------------------------------------------------------------

void machine::group_receives(byte g, bool fails) {
    group_side& here = s_.group[g];
    switch (pop(here.in)) {
        case parcel::command: return execute(g, fails);
        case parcel::escalation: {
            const escalation& e = here.told;
            const bool current = here.present && same(e.generation, here.generation) &&
                                 here.pending && here.asked.transition == e.transition;
            if (current) give_up_pending(g);
            return push(here.out, parcel::escalation);
        }
        case parcel::none:
        case parcel::orphaned:
        case parcel::reaped: return;
    }
}

void machine::execute(byte g, bool fails) {
    group_side& here = s_.group[g];
    question& q = here.asked;
    q.succeeded = true;
    q.unreaped = 0;
    if (q.action == group_action::add_subsystem) {
        if (fails) {
            q.succeeded = false;
            return acknowledge(g);
        }
        if (here.present) remove_group(g);
        here.present = true;
        here.generation = q.generation;
        here.view = view_state::closed;
        return acknowledge(g);
    }
    if (!here.present || !same(q.generation, here.generation)) return acknowledge(g);
    if (q.action == group_action::remove_subsystem) {
        remove_group(g);
        return acknowledge(g);
    }
    if (begins(g, fails)) return acknowledge(g);
    here.pending = true;
    here.unsettled = true;
}

void machine::acknowledge(byte g) { push(s_.group[g].out, parcel::command); }

void machine::remove_group(byte g) {
    group_side& here = s_.group[g];
    for (const entry& e : here.entries) {
        if (!e.present) continue;
        if (e.gate.inside != 0) breaks("a namespace is destroyed with requests inside");
        if (e.parked_count != 0) breaks("a namespace is destroyed with requests parked");
        if (e.abandoned != 0) breaks("a channel is destroyed with operations at its device");
    }
    if (s_.connection[g].member) breaks("a subsystem group is destroyed with a connection");
    here.present = false;
    here.view = view_state::closed;
    here.pending = here.gave_up = here.unsettled = false;
    here.entries = {};
    if (s_.connection[g].connect == connect_phase::parked) resolve(g);
}

// True: done at once.
bool machine::begins(byte g, bool fails) {
    group_side& here = s_.group[g];
    question& q = here.asked;
    if (fails) {
        q.succeeded = false;
        return true;
    }
    if (q.action == group_action::attach_namespace) {
        entry& e = here.entries[q.ns - 1];
        if (e.present && (e.gate.inside != 0 || e.parked_count != 0 || e.abandoned != 0))
            breaks("a namespace is overwritten with requests inside");
        e = {.present = true,
             .generation = q.ns_generation,
             .on = s_.control.ns[q.ns - 1].on,
             .gate = {.generation = q.ns_generation}};
    }
    move_gates(g, q);
    if (q.action == group_action::lose_namespace || q.action == group_action::hold_namespace)
        lose(g, q.ns - 1);
    if (q.action == group_action::close_subsystem && s_.connection[g].member) close(g);
    if (q.action == group_action::open_subsystem &&
        s_.connection[g].connect == connect_phase::parked)
        resolve(g);
    return !group_rules::may_wait(q.action);
}

namespace {
bool named(const question& q, byte ns, const entry& e) {
    return q.ns == ns + 1 && e.generation == q.ns_generation;
}
}  // namespace

void machine::move_gates(byte g, const question& q) {
    group_side& here = s_.group[g];
    here.view = group_rules::view_after(q.action, here.view);
    for (byte ns = 0; ns < namespaces; ++ns) {
        entry& e = here.entries[ns];
        if (!e.present) continue;
        const auto on = group_rules::at_gate(q.action, named(q, ns, e), here.view, e.gate.position);
        if (!on) continue;
        if (q.ns != 0 && q.ns != ns + 1)
            breaks("a question about one namespace moves another gate");
        switch (*on) {
            case gate_event::open: open_gate(g, ns); break;
            case gate_event::quiesce:
            case gate_event::restore:
            case gate_event::hold: e.gate.take(*on); break;
            case gate_event::close: close_gate(g, ns); break;
        }
    }
}

void machine::open_gate(byte g, byte ns) {
    entry& e = s_.group[g].entries[ns];
    e.gate.take(gate_event::open);
    for (byte left = e.parked_count; left != 0; --left) {
        const byte r = e.parked[0];
        for (byte i = 0; i < e.parked_count; ++i)
            if (s_.request[e.parked[i]].order < s_.request[r].order)
                breaks("what was parked is replayed out of order");
        unpark(r);
        advance(core::request_edges, s_.request[r].state, core::request_event::replay);
        admit(r);
    }
}

void machine::close_gate(byte g, byte ns) {
    entry& e = s_.group[g].entries[ns];
    e.gate.take(gate_event::close);
    while (e.parked_count != 0) {
        const byte r = e.parked[0];
        unpark(r);
        finish(r);
    }
}

// A request has waited for a lost drive for as long as it may.
void machine::wait_passes(byte g, byte ns) {
    const byte r = s_.group[g].entries[ns].parked[0];
    unpark(r);
    finish(r);
}

void machine::lose(byte g, byte ns) {
    for (byte r = 0; r < requests; ++r) {
        const entry& e = s_.group[g].entries[ns];
        command& it = s_.request[r];
        if (group_of(r) != g || of_.request_namespace[r] != ns || !e.present ||
            it.ns_generation != e.generation)
            continue;
        if (it.at == task::at_drive)
            abandon(r);
        else if (it.entered)
            it.cut_off = true;
    }
}

// --- what a question waits for -------------------------------------------------------------------

bool machine::concerns(byte g, const question& q, byte ns) const {
    const entry& e = s_.group[g].entries[ns];
    return e.present && group_rules::drains(q.action, named(q, ns, e), e.gate.position);
}

byte machine::unreaped(byte g, const question& q) const {
    byte count = 0;
    for (byte ns = 0; ns < namespaces; ++ns)
        if (concerns(g, q, ns))
            count = static_cast<byte>(count + s_.group[g].entries[ns].abandoned);
    return count;
}

byte machine::still_waiting(byte g, const question& q) const {
    const group_side& here = s_.group[g];
    unsigned left = here.gave_up ? 0 : unreaped(g, q);
    for (byte ns = 0; ns < namespaces; ++ns)
        if (concerns(g, q, ns)) left += here.entries[ns].gate.inside;
    if (q.action == group_action::close_subsystem) left += s_.connection[g].member ? 1 : 0;
    return static_cast<byte>(left);
}

void machine::check_pending(byte g) {
    if (s_.group[g].pending) s_.group[g].unsettled = true;
}

void machine::settle(byte g) {
    group_side& here = s_.group[g];
    here.unsettled = false;
    if (!here.pending) return;
    question& q = here.asked;
    if (still_waiting(g, q) != 0) return;
    here.pending = false;
    here.gave_up = false;
    q.unreaped = unreaped(g, q);
    orphan_what_is_left(g, q);
    acknowledge(g);
}

void machine::orphan_what_is_left(byte g, const question& q) {
    group_side& here = s_.group[g];
    for (byte ns = 0; ns < namespaces; ++ns) {
        entry& e = here.entries[ns];
        if (!e.present || !group_rules::drops(q.action, named(q, ns, e))) continue;
        if (e.gate.inside != 0) breaks("a namespace is destroyed with requests inside");
        if (e.parked_count != 0) breaks("a namespace is destroyed with requests parked");
        if (e.abandoned == 0) {
            if (q.action == group_action::detach_namespace) e = {};
            continue;
        }
        byte at = 0;
        while (at < here.orphans.size() && here.orphans[at].used) ++at;
        if (at == here.orphans.size()) return breaks("the model has too few orphans");
        here.orphans[at] = {.used = true, .abandoned = e.abandoned};
        for (byte r = 0; r < requests; ++r)
            if (group_of(r) == g && of_.request_namespace[r] == ns &&
                s_.request[r].at != task::none && s_.request[r].orphaned_in == no_orphan)
                s_.request[r].orphaned_in = at;
        e = {};
        push(here.out, parcel::orphaned);
    }
}

// The deadline has passed: hosts get their answers now.
void machine::give_up_pending(byte g) {
    group_side& here = s_.group[g];
    if (!group_rules::gives_up(here.asked.action)) {
        here.pending = false;
        here.asked.succeeded = false;
        here.asked.unreaped = unreaped(g, here.asked);
        return acknowledge(g);
    }
    here.gave_up = true;
    bool owes = false;
    for (byte r = 0; r < requests; ++r) {
        const command& it = s_.request[r];
        if (group_of(r) != g || !it.entered) continue;
        if (concerns(g, s_.group[g].asked, of_.request_namespace[r]) && !give_up(r)) owes = true;
    }
    if (owes) close(g);
    check_pending(g);
}

}  // namespace fulmar::model
