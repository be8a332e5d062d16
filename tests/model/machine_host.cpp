#include "machine.hpp"

#include <utility>

namespace fulmar::model {

using core::admission;
using core::qpair_edges;
using core::qpair_event;
using core::request_edges;
using core::request_event;

// --- the way of a command ------------------------------------------------------------------------

void machine::command_arrives(byte r) {
    command& it = s_.request[r];
    const group_side& here = s_.group[group_of(r)];
    it.arrived = true;
    it.order = ++s_.arrivals;
    it.generation = here.generation;
    advance(request_edges, it.state, request_event::arrive);
    const entry& e = entry_of(r);
    if (!e.present) return finish(r);  // no such namespace
    it.ns_generation = e.generation;
    admit(r);
}

void machine::admit(byte r) {
    command& it = s_.request[r];
    entry& e = entry_of(r);
    switch (e.gate.admit(it.ns_generation, 0)) {
        case admission::enter: it.entered = true; return enter(r);
        case admission::park:
            advance(request_edges, it.state, request_event::park);
            e.parked[e.parked_count++] = r;
            return;
        case admission::refuse:
        case admission::overflow:
        case admission::stale: return finish(r);
    }
}

void machine::unpark(byte r) {
    entry& e = entry_of(r);
    byte at = 0;
    while (at < e.parked_count && e.parked[at] != r) ++at;
    if (at == e.parked_count || e.gate.parked == 0)
        return breaks("a parked request is not where it was parked");
    for (byte i = at + 1; i < e.parked_count; ++i) e.parked[i - 1] = e.parked[i];
    e.parked[--e.parked_count] = 0;
    e.gate.unpark(0);
}

void machine::enter(byte r) {
    if (!of_.request_fetches[r]) return submit(r);
    advance(request_edges, s_.request[r].state, request_event::want_buffer);
}

void machine::buffer_granted(byte r) {
    advance(request_edges, s_.request[r].state, request_event::want_data);
}

void machine::data_arrives(byte r) { submit(r); }

void machine::check_submission(byte r) {
    const command& it = s_.request[r];
    const control_side& c = s_.control;
    const group_side& here = s_.group[group_of(r)];
    const entry& e = entry_of(r);
    const byte ns = of_.request_namespace[r];
    if (!here.present || !e.present) return breaks("I/O without a channel");
    if (here.generation != it.generation || e.generation != it.ns_generation)
        return breaks("a request reaches another incarnation");
    if (e.gate.position == gate_position::closed ||
        e.gate.position == gate_position::waiting_for_device)
        return breaks("I/O passes a closed gate");
    if (!c.present || c.generation != it.generation)
        return breaks("I/O of a subsystem that is gone");
    if (!c.ns[ns].present || c.ns[ns].generation != it.ns_generation)
        return breaks("I/O of a namespace that is gone");
    if (c.state == subsystem_state::paused && c.acks.complete())
        return breaks("I/O passes a subsystem that is paused");
    if (c.ns[ns].on == disk::drive && !c.claim.taken) breaks("I/O to a device that is released");
}

void machine::submit(byte r) {
    command& it = s_.request[r];
    advance(request_edges, it.state, request_event::execute);
    if (it.cut_off || entry_of(r).gate.turns_back()) return complete(r);
    check_submission(r);
    if (!broken.empty()) return;
    if (entry_of(r).on == disk::memory) return complete(r);
    it.at = task::at_drive;
}

void machine::leave(byte r) {
    entry& e = entry_of(r);
    if (!e.present || e.gate.inside == 0 || e.generation != s_.request[r].ns_generation)
        return breaks("a request leaves a gate that it is not inside of");
    if (e.gate.leave()) check_pending(group_of(r));
}

void machine::complete(byte r) {
    s_.request[r].entered = s_.request[r].cut_off = false;
    finish(r);
    leave(r);
}

// The answer goes to the transport, or nowhere when the connection is closing.
void machine::finish(byte r) {
    command& it = s_.request[r];
    advance(request_edges, it.state, request_event::answer);
    if (++it.answers > 1) breaks("a command is answered twice");
    const byte c = of_.request_connection[r];
    if (s_.connection[c].state < qpair_state::closing) return;
    advance(request_edges, it.state, request_event::sent);
    check_drained(c);
}

void machine::answer_sent(byte r) {
    advance(request_edges, s_.request[r].state, request_event::sent);
}

void machine::drive_answers(byte r) {
    command& it = s_.request[r];
    const task was = it.at;
    it.at = task::none;
    if (was == task::at_drive) return complete(r);
    const byte g = group_of(r);
    if (it.orphaned_in == no_orphan) {
        entry& e = entry_of(r);
        if (!e.present || e.abandoned == 0) return breaks("a task comes home to nobody");
        --e.abandoned;
        return check_pending(g);
    }
    orphan& there = s_.group[g].orphans[it.orphaned_in];
    it.orphaned_in = no_orphan;
    if (--there.abandoned != 0) return;
    there = {};
    push(s_.group[g].out, parcel::reaped);
}

void machine::abandon(byte r) {
    command& it = s_.request[r];
    it.at = task::abandoned;
    ++entry_of(r).abandoned;
    complete(r);
}

// False: its data is on the way, so only closing the connection ends it.
bool machine::give_up(byte r) {
    command& it = s_.request[r];
    switch (it.state) {
        case request_state::awaiting_buffer: complete(r); return true;
        case request_state::awaiting_data: return false;
        case request_state::executing:
            if (it.at == task::at_drive) abandon(r);
            return true;
        case request_state::idle:
        case request_state::received:
        case request_state::parked:
        case request_state::paired:  // these two: not here, there are no fused pairs
        case request_state::awaiting_range:
        case request_state::answering: return true;
    }
    return true;
}

// --- connections ---------------------------------------------------------------------------------

byte machine::outstanding(byte c) const {
    byte count = 0;
    for (byte r = 0; r < requests; ++r)
        if (of_.request_connection[r] == c && s_.request[r].state != request_state::idle) ++count;
    return count;
}

void machine::cut(byte c) {
    --s_.left.cuts;
    close(c);
}

void machine::close(byte c) {
    queue_pair& q = s_.connection[c];
    if (q.state >= qpair_state::closing) return;
    advance(qpair_edges, q.state, qpair_event::close);
    if (q.connect == connect_phase::parked) q.connect = connect_phase::none;
    for (byte r = 0; r < requests; ++r) {
        if (of_.request_connection[r] != c) continue;
        command& it = s_.request[r];
        switch (it.state) {
            case request_state::parked:
                unpark(r);
                finish(r);
                break;
            case request_state::awaiting_buffer:
            case request_state::awaiting_data: complete(r); break;
            case request_state::answering: answer_sent(r); break;
            case request_state::idle:
            case request_state::received:
            case request_state::paired:
            case request_state::awaiting_range:
            case request_state::executing: break;
        }
    }
    check_drained(c);
}

void machine::check_drained(byte c) {
    queue_pair& q = s_.connection[c];
    const bool away = q.connect == connect_phase::away || q.connect == connect_phase::granted ||
                      q.connect == connect_phase::must_wait || q.connect == connect_phase::busy;
    if (q.state != qpair_state::closing || away || outstanding(c) != 0) return;
    advance(qpair_edges, q.state, qpair_event::drained);
}

// The devices do not let go: the connection does.
void machine::drain_deadline(byte c) {
    for (byte r = 0; r < requests; ++r)
        if (of_.request_connection[r] == c && s_.request[r].entered) (void)give_up(r);
    check_drained(c);
}

void machine::detached(byte c) {
    queue_pair& q = s_.connection[c];
    advance(qpair_edges, q.state, qpair_event::detached);
    if (!std::exchange(q.member, false)) return;
    check_pending(c);
}

// --- Connects ------------------------------------------------------------------------------------

void machine::connect_arrives(byte c) {
    --s_.left.connects;
    advance(qpair_edges, s_.connection[c].state, qpair_event::connect);
    resolve(c);
}

void machine::resolve(byte c) {
    queue_pair& q = s_.connection[c];
    const group_side& here = s_.group[c];
    if (!here.present) return refuse(c);
    if (here.view != view_state::open) {
        q.connect = connect_phase::parked;
        return;
    }
    q.generation = here.generation;
    q.connect = connect_phase::away;
}

void machine::refuse(byte c) {
    queue_pair& q = s_.connection[c];
    q.connect = connect_phase::none;
    q.generation = 0;
    if (q.state == qpair_state::connecting) advance(qpair_edges, q.state, qpair_event::refused);
    check_drained(c);
}

void machine::connect_looks_again(byte c) { resolve(c); }
void machine::connect_wait_over(byte c) { refuse(c); }

void machine::connect_returns(byte c) {
    queue_pair& q = s_.connection[c];
    const group_side& here = s_.group[c];
    const connect_phase answer = std::exchange(q.connect, connect_phase::none);
    const bool usable = q.state < qpair_state::closing;
    if (answer == connect_phase::must_wait && usable) {
        q.connect = connect_phase::parked;
        return;
    }
    const bool there = here.present && same(q.generation, here.generation);
    if (answer != connect_phase::granted || !usable || !there || here.view == view_state::closed)
        return refuse(c);
    if (here.generation != q.generation)
        breaks("a connection joins another incarnation than it asked for");
    advance(qpair_edges, q.state, qpair_event::accepted);
    q.member = true;
}

}  // namespace fulmar::model
