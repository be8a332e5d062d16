#include "world.hpp"

#include "machine.hpp"

#include <algorithm>

namespace fulmar::model {

// --- beginnings ----------------------------------------------------------------------------------

state first_state(const settings& of) {
    state s;
    s.left = {.operations = of.operations,
              .cuts = of.cuts,
              .losses = of.losses,
              .failures = of.failures,
              .repeats = of.repeats,
              .connects = of.connects};
    for (std::size_t i = 0; i < of.wishes.size(); ++i) s.left.wishes.at(i) = of.wishes[i].times;
    if (!of.starts_active) return s;
    control_side& c = s.control;
    c.present = true;
    c.generation = 1;
    c.state = subsystem_state::active;
    for (group_side& g : s.group) {
        g.present = true;
        g.generation = 1;
        g.view = view_state::open;
    }
    for (byte ns = 0; ns < namespaces; ++ns) {
        const disk on = of.starts_with[ns];
        if (on == disk::none) continue;
        if (on == disk::drive) c.claim.take();
        c.last_generation[ns] = 1;
        c.ns[ns] = {.present = true, .generation = 1, .on = on, .state = namespace_state::ready};
        for (group_side& g : s.group)
            g.entries[ns] = {.present = true,
                             .generation = 1,
                             .on = on,
                             .gate = {.position = gate_position::open, .generation = 1}};
    }
    for (byte i = 0; i < connections; ++i)
        if (of.starts_connected[i])
            s.connection[i] = {.state = qpair_state::live, .generation = 1, .member = true};
    return s;
}

// --- what can happen -----------------------------------------------------------------------------

namespace {

bool may_fail(const state& s, byte g) {
    const group_side& here = s.group[g];
    if (here.in.count == 0 || here.in.held[0] != parcel::command) return false;
    switch (here.asked.action) {
        case group_action::add_subsystem: return true;
        case group_action::open_subsystem:
        case group_action::quiesce_subsystem:
        case group_action::attach_namespace:
        case group_action::quiesce_namespace: return here.present;
        default: return false;  // nothing in them can fail, least of all in teardown
    }
}

bool may_ask(const settings& of, const state& s, std::size_t which) {
    const control_side& c = s.control;
    if (s.left.operations == 0 || s.left.wishes[which] == 0) return false;
    if (of.wishes[which].kind == operation_kind::create) return !c.present;
    return c.present && !c.deleted && c.waiting < of.waiting;
}

void of_target(const state& s, std::vector<event>& into) {
    for (byte g = 0; g < groups; ++g) {
        if (s.group[g].in.count != 0) into.push_back({event_kind::group_receives, g});
        if (s.group[g].unsettled) into.push_back({event_kind::group_settles, g});
        if (s.group[g].out.count != 0) into.push_back({event_kind::control_receives, g});
    }
    if (s.control.deadline) into.push_back({event_kind::deadline, 0});
    if (s.control.running && s.control.current.stage == operation_stage::recording)
        into.push_back({event_kind::recorded, 0});
    for (byte ns = 0; ns < namespaces; ++ns) {
        if (s.control.ns[ns].hold_runs) into.push_back({event_kind::hold_passes, ns});
        for (byte g = 0; g < groups; ++g) {
            const entry& e = s.group[g].entries[ns];
            if (e.gate.position == gate_position::waiting_for_device && e.parked_count != 0)
                into.push_back({event_kind::wait_passes, static_cast<byte>(g * namespaces + ns)});
        }
    }
    if (s.control.signs != 0) into.push_back({event_kind::drive_fault, 0});
    for (byte r = 0; r < requests; ++r)
        if (s.request[r].state == request_state::answering)
            into.push_back({event_kind::answer_sent, r});
}

void of_connections(const settings& of, const state& s, std::vector<event>& into) {
    for (byte c = 0; c < connections; ++c) {
        const queue_pair& q = s.connection[c];
        bool held = false;
        for (byte r = 0; r < requests; ++r)
            held = held || (of.request_connection[r] == c && s.request[r].at == task::at_drive);
        if (q.state == qpair_state::closing && held)
            into.push_back({event_kind::drain_deadline, c});
        if (q.state == qpair_state::detaching) into.push_back({event_kind::detached, c});
        if (q.connect == connect_phase::away) into.push_back({event_kind::connect_at_control, c});
        if (q.connect > connect_phase::away) into.push_back({event_kind::connect_returns, c});
        if (q.connect == connect_phase::parked) {
            into.push_back({event_kind::connect_wait_over, c});
            if (s.group[c].present && s.group[c].view == view_state::open)
                into.push_back({event_kind::connect_looks_again, c});
        }
        if (s.left.cuts != 0 && q.state < qpair_state::closing && q.state != qpair_state::fresh)
            into.push_back({event_kind::connection_cut, c});
        if (s.left.connects != 0 && q.state == qpair_state::fresh)
            into.push_back({event_kind::connect_arrives, c});
    }
}

}  // namespace

void enabled(const settings& of, const state& s, std::vector<event>& into) {
    into.clear();
    of_target(s, into);
    of_connections(of, s, into);
    for (std::size_t i = 0; i < of.wishes.size(); ++i)
        if (may_ask(of, s, i)) into.push_back({event_kind::operator_asks, static_cast<byte>(i)});
    for (byte r = 0; r < requests; ++r) {
        const command& it = s.request[r];
        const queue_pair& q = s.connection[of.request_connection[r]];
        if (r < of.used && !it.arrived && q.state == qpair_state::live)
            into.push_back({event_kind::command_arrives, r});
        if (it.state == request_state::awaiting_buffer)
            into.push_back({event_kind::buffer_granted, r});
        if (it.state == request_state::awaiting_data) into.push_back({event_kind::data_arrives, r});
        if (it.at != task::none) into.push_back({event_kind::drive_answers, r});
    }
    if (s.left.losses != 0 && !s.control.drive_lost)
        into.push_back({event_kind::drive_vanishes, 0});
    for (byte g = 0; g < groups; ++g) {
        if (s.left.failures != 0 && may_fail(s, g)) into.push_back({event_kind::group_fails, g});
        if (s.left.repeats != 0 && s.group[g].last_ack != 0)
            into.push_back({event_kind::ack_again, g});
    }
}

std::string_view apply(const settings& of, state& s, event e) {
    machine m(of, s);
    const byte i = e.which;
    switch (e.kind) {
        case event_kind::group_receives: m.group_receives(i, false); break;
        case event_kind::group_settles: m.settle(i); break;
        case event_kind::control_receives: m.control_receives(i); break;
        case event_kind::deadline: m.deadline_passes(); break;
        case event_kind::drive_fault: m.drive_fault(); break;
        case event_kind::hold_passes: m.hold_passes(i); break;
        case event_kind::recorded: m.go_on(); break;
        case event_kind::wait_passes: m.wait_passes(i / namespaces, i % namespaces); break;
        case event_kind::answer_sent: m.answer_sent(i); break;
        case event_kind::drain_deadline: m.drain_deadline(i); break;
        case event_kind::detached: m.detached(i); break;
        case event_kind::connect_at_control: m.connect_at_control(i); break;
        case event_kind::connect_returns: m.connect_returns(i); break;
        case event_kind::connect_wait_over: m.connect_wait_over(i); break;
        case event_kind::operator_asks: m.operator_asks(i); break;
        case event_kind::command_arrives: m.command_arrives(i); break;
        case event_kind::data_arrives: m.data_arrives(i); break;
        case event_kind::buffer_granted: m.buffer_granted(i); break;
        case event_kind::drive_answers: m.drive_answers(i); break;
        case event_kind::connection_cut: m.cut(i); break;
        case event_kind::connect_arrives: m.connect_arrives(i); break;
        case event_kind::connect_looks_again: m.connect_looks_again(i); break;
        case event_kind::drive_vanishes: m.drive_vanishes(); break;
        case event_kind::group_fails:
            --s.left.failures;
            m.group_receives(i, true);
            break;
        case event_kind::ack_again: m.ack_again(i); break;
    }
    return m.broken;
}

// --- states at rest ------------------------------------------------------------------------------

namespace {

std::string_view wrong_requests(const settings& of, const state& s) {
    std::array<std::array<byte, namespaces>, groups> inside{}, parked{};
    for (byte r = 0; r < requests; ++r) {
        const command& it = s.request[r];
        const byte g = of.request_connection[r], ns = of.request_namespace[r];
        inside[g][ns] = static_cast<byte>(inside[g][ns] + (it.entered ? 1 : 0));
        if (it.state == request_state::parked) {
            ++parked[g][ns];
            if (!s.control.present || s.control.state != subsystem_state::paused)
                return "a request is parked, and nothing will ever replay or answer it";
        }
        if (it.state == request_state::received) return "a request is stuck where it arrived";
        if (it.state == request_state::executing && it.at != task::at_drive)
            return "a request executes nowhere";
    }
    for (byte g = 0; g < groups; ++g)
        for (byte ns = 0; ns < namespaces; ++ns) {
            const entry& e = s.group[g].entries[ns];
            const bool counts = e.gate.inside == inside[g][ns] && e.gate.parked == parked[g][ns] &&
                                e.parked_count == parked[g][ns];
            if (!counts) return "a gate has miscounted";
        }
    return {};
}

std::string_view wrong_namespace(const state& s, byte ns) {
    const control_side& c = s.control;
    const record& n = c.ns[ns];
    if (n.present && n.state != namespace_state::ready && n.state != namespace_state::lost)
        return "a namespace rests between two states";
    if (n.present && n.on == disk::drive && c.drive_lost && n.state != namespace_state::lost)
        return "a namespace has not heard that its drive is lost";
    for (const group_side& g : s.group) {
        const entry& e = g.entries[ns];
        if (e.present != n.present) return "a poll group knows another set of namespaces";
        if (!n.present) continue;
        if (e.generation != n.generation) return "a poll group knows a former namespace";
        const gate_position wanted = n.state == namespace_state::lost     ? gate_position::closed
                                     : c.state == subsystem_state::paused ? gate_position::quiesced
                                                                          : gate_position::open;
        if (e.gate.position != wanted) return "a gate does not stand where its namespace does";
    }
    return {};
}

std::string_view wrong_claims(const state& s) {
    bool used = false;
    for (const record& n : s.control.ns) used = used || (n.present && n.on == disk::drive);
    unsigned orphans = 0;
    for (const group_side& g : s.group)
        for (const orphan& it : g.orphans) orphans += it.used ? 1 : 0;
    if (s.control.claim.taken != used) return "a device claim does not match its namespace";
    if (s.control.claim.holders != orphans) return "a device claim does not match what it holds";
    return {};
}

}  // namespace

std::string_view wrong_at_rest(const settings& of, const state& s) {
    const control_side& c = s.control;
    if (c.running || c.waiting != 0) return "an operation never ends";
    for (const group_side& g : s.group)
        if (g.asked.busy || g.told.away || g.pending) return "a message never comes home";
    for (const queue_pair& q : s.connection) {
        if (q.state == qpair_state::closing || q.state == qpair_state::detaching)
            return "a connection never ends";
        if (q.state == qpair_state::connecting) return "a Connect never ends";
    }
    if (const auto wrong = wrong_requests(of, s); !wrong.empty()) return wrong;
    if (const auto wrong = wrong_claims(s); !wrong.empty()) return wrong;
    if (!c.present) {
        for (const group_side& g : s.group)
            if (g.present) return "a poll group knows a subsystem that is gone";
        return {};
    }
    const bool paused = c.state == subsystem_state::paused;
    if (c.state != subsystem_state::active && !paused)
        return "a subsystem rests between two states";
    for (const group_side& g : s.group)
        if (!g.present || g.generation != c.generation ||
            g.view != (paused ? view_state::quiesced : view_state::open))
            return "a poll group does not stand where its subsystem does";
    for (byte ns = 0; ns < namespaces; ++ns)
        if (const auto wrong = wrong_namespace(s, ns); !wrong.empty()) return wrong;
    return {};
}

std::string_view wrong_at_end(const settings& of, const state& s) {
    (void)of;
    if (s.control.claim.holders != 0) return "a device is held for ever";
    for (const command& it : s.request) {
        if (it.at != task::none) return "an operation is at the drive for ever";
        if (it.state == request_state::parked) continue;  // its subsystem is paused: checked above
        if (it.state != request_state::idle) return "a command gets no answer";
        if (it.arrived && it.answers != 1) return "a command is not answered once";
    }
    return {};
}

}  // namespace fulmar::model
