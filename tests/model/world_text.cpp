// A state as bytes, and as words.
#include "world.hpp"

#include <fulmar/base/assert.hpp>

#include <fmt/format.h>

namespace fulmar::model {

// --- bytes ---------------------------------------------------------------------------------------

namespace {

struct packer {
    byte* to;
    template <typename... Ts>
    void operator()(Ts... values) {
        ((*to++ = static_cast<byte>(values)), ...);
    }
};

void pack(packer& p, const running_operation& op) {
    p(op.kind, op.stage, op.ns, op.on, op.reopens, op.generation, op.attached, op.unreaped,
      op.takes, op.unrecorded);
}

void pack(packer& p, const control_side& c) {
    p(c.present, c.generation, c.state, c.deleted, c.running, c.waiting, c.transitions, c.deadline,
      c.claim.taken, c.claim.holders, c.drive_lost, c.signs);
    for (const record& n : c.ns)
        p(n.present, n.generation, n.on, n.state, n.loss_waits, n.hold_runs, n.hold_over);
    p(c.last_generation[0], c.last_generation[1]);
    pack(p, c.current);
    for (byte i = 0; i < c.waiting; ++i) pack(p, c.queue[i]);
    p(c.acks.transition, c.acks.missing, c.acks.unreaped, c.acks.failed, c.acks.late);
}

void pack(packer& p, const mailbox& box) {
    p(box.count);
    for (byte i = 0; i < box.count; ++i) p(box.held[i]);
}

void pack(packer& p, const group_side& g) {
    p(g.present, g.generation, g.view, g.pending, g.gave_up, g.unsettled, g.last_ack);
    for (const entry& e : g.entries) {
        p(e.present);
        if (!e.present) continue;
        p(e.generation, e.on, e.gate.position, e.gate.generation, e.gate.inside, e.gate.parked,
          e.parked_count, e.abandoned);
        for (byte i = 0; i < e.parked_count; ++i) p(e.parked[i]);
    }
    for (const orphan& it : g.orphans) p(it.used, it.abandoned);
    pack(p, g.in);
    pack(p, g.out);
    const question& q = g.asked;
    p(q.busy, q.action, q.transition, q.generation, q.ns, q.ns_generation, q.succeeded, q.unreaped);
    p(g.told.away, g.told.transition, g.told.generation);
}

}  // namespace

std::size_t state::pack(std::span<byte> into) const {
    FULMAR_ASSERT(into.size() >= sizeof(state));
    packer p{into.data()};
    model::pack(p, control);
    for (const group_side& g : group) model::pack(p, g);
    for (const command& r : request)
        p(r.arrived, r.state, r.order, r.entered, r.cut_off, r.generation, r.ns_generation, r.at,
          r.orphaned_in, r.answers);
    for (const queue_pair& c : connection) p(c.state, c.generation, c.member, c.connect);
    p(left.operations, left.cuts, left.losses, left.failures, left.repeats, left.connects);
    for (const byte w : left.wishes) p(w);
    p(arrivals);
    return static_cast<std::size_t>(p.to - into.data());
}

// --- words ---------------------------------------------------------------------------------------

namespace {

std::string_view name(disk on) {
    switch (on) {
        case disk::none: return "nothing";
        case disk::drive: return "the drive";
        case disk::memory: return "memory";
    }
    return "?";
}

std::string text(const wish& w) {
    std::string t = fmt::format("{}", to_string(w.kind));
    const bool one =
        w.kind == operation_kind::add_namespace || w.kind == operation_kind::remove_namespace ||
        w.kind == operation_kind::refresh_namespace || w.kind == operation_kind::reserve;
    if (one) t += fmt::format(" {}", w.ns + 1);
    if (w.kind == operation_kind::add_namespace) t += fmt::format(" on {}", name(w.on));
    if (w.reopens) t += " (reopens the drive)";
    if (w.takes) t += " (denies somebody something)";
    if (w.unrecorded) t += " (which cannot be written down)";
    return t;
}

std::string text(const question& q) {
    std::string t = fmt::format("{} (transition {}", to_string(q.action), q.transition);
    if (q.ns != 0) t += fmt::format(", namespace {} generation {}", q.ns, q.ns_generation);
    return t + ")";
}

std::string received(const state& s, byte g) {
    const group_side& here = s.group[g];
    switch (here.in.held[0]) {
        case parcel::command: return fmt::format("poll group {} begins {}", g, text(here.asked));
        case parcel::escalation:
            return fmt::format("poll group {} hears that the deadline of transition {} has passed",
                               g, here.told.transition);
        case parcel::none:
        case parcel::orphaned:
        case parcel::reaped: break;
    }
    return "nothing arrives";
}

std::string returned(const state& s, byte g) {
    const group_side& from = s.group[g];
    switch (from.out.held[0]) {
        case parcel::command:
            return fmt::format("control takes poll group {}'s ack of {}: {}, {} left behind", g,
                               text(from.asked), from.asked.succeeded ? "done" : "failed",
                               from.asked.unreaped);
        case parcel::escalation:
            return fmt::format("control has poll group {}'s escalation home", g);
        case parcel::orphaned:
            return fmt::format("control hears that poll group {} holds the drive", g);
        case parcel::reaped:
            return fmt::format("control hears that poll group {} lets go of the drive", g);
        case parcel::none: break;
    }
    return "nothing arrives";
}

}  // namespace

std::string describe(const settings& of, const state& s, event e) {
    const byte i = e.which;
    switch (e.kind) {
        case event_kind::group_receives: return received(s, i);
        case event_kind::group_settles:
            return fmt::format("poll group {} looks whether {} has drained", i,
                               text(s.group[i].asked));
        case event_kind::control_receives: return returned(s, i);
        case event_kind::deadline:
            return fmt::format("the deadline of transition {} passes", s.control.acks.transition);
        case event_kind::drive_fault: return "control is told that the drive is lost";
        case event_kind::recorded:
            return s.control.current.unrecorded ? "the reservation cannot be written down"
                                                : "the reservation is written down";
        case event_kind::hold_passes:
            return fmt::format("namespace {} has waited for its drive long enough", i + 1);
        case event_kind::wait_passes:
            return fmt::format("a request at namespace {} of poll group {} has waited long enough",
                               i % namespaces + 1, i / namespaces);
        case event_kind::answer_sent: return fmt::format("the answer of request {} has left", i);
        case event_kind::drain_deadline:
            return fmt::format("connection {} has waited long enough for its I/O", i);
        case event_kind::detached: return fmt::format("connection {} has left its controller", i);
        case event_kind::connect_at_control:
            return fmt::format("control judges the Connect on connection {}", i);
        case event_kind::connect_returns:
            return fmt::format("the Connect on connection {} comes back", i);
        case event_kind::connect_wait_over:
            return fmt::format("the Connect on connection {} has waited long enough", i);
        case event_kind::operator_asks:
            return fmt::format("an operator asks: {}", text(of.wishes[i]));
        case event_kind::command_arrives:
            return fmt::format("request {} arrives on connection {}, for namespace {}{}", i,
                               of.request_connection[i], of.request_namespace[i] + 1,
                               of.request_fetches[i] ? ", with data to fetch" : "");
        case event_kind::data_arrives: return fmt::format("the data of request {} is there", i);
        case event_kind::buffer_granted: return fmt::format("request {} gets its buffer", i);
        case event_kind::drive_answers:
            return fmt::format("the drive is done with request {}{}", i,
                               s.request[i].at == task::abandoned ? ", which was given up" : "");
        case event_kind::connection_cut: return fmt::format("connection {} breaks", i);
        case event_kind::connect_arrives:
            return fmt::format("a Connect arrives on connection {}", i);
        case event_kind::connect_looks_again:
            return fmt::format("the Connect on connection {} looks again", i);
        case event_kind::drive_vanishes: return "the drive vanishes";
        case event_kind::group_fails: return received(s, i) + ", and fails";
        case event_kind::ack_again:
            return fmt::format("poll group {}'s ack of transition {} arrives once more", i,
                               s.group[i].last_ack);
    }
    return "?";
}

std::string describe(const state& s) {
    const control_side& c = s.control;
    std::string t = "then:\n";
    if (c.present)
        t += fmt::format("  subsystem generation {}: {}{}{}, {} operations wait\n", c.generation,
                         to_string(c.state), c.deleted ? ", deleted" : "",
                         c.running ? fmt::format(", {} at {}", to_string(c.current.kind),
                                                 to_string(c.current.stage))
                                   : "",
                         c.waiting);
    else
        t += "  no subsystem\n";
    for (byte ns = 0; ns < namespaces; ++ns)
        if (c.ns[ns].present)
            t += fmt::format("  namespace {} generation {} on {}: {}\n", ns + 1,
                             c.ns[ns].generation, name(c.ns[ns].on), to_string(c.ns[ns].state));
    t += fmt::format("  drive: {}{}, held by {} poll groups\n", c.drive_lost ? "lost" : "there",
                     c.claim.taken ? ", taken" : "", c.claim.holders);
    for (byte g = 0; g < groups; ++g) {
        const group_side& here = s.group[g];
        if (!here.present) continue;
        t += fmt::format("  poll group {}: generation {}, {}{}\n", g, here.generation,
                         to_string(here.view),
                         here.pending ? ", waits with " + text(here.asked) : "");
        for (byte ns = 0; ns < namespaces; ++ns) {
            const entry& e = here.entries[ns];
            if (e.present)
                t += fmt::format(
                    "    namespace {} generation {}: gate {}, {} inside, {} parked, "
                    "{} given up\n",
                    ns + 1, e.generation, to_string(e.gate.position), e.gate.inside, e.gate.parked,
                    e.abandoned);
        }
    }
    for (byte r = 0; r < requests; ++r)
        if (s.request[r].arrived)
            t += fmt::format(
                "  request {}: {}{}, answered {} times\n", r, to_string(s.request[r].state),
                s.request[r].at == task::none ? "" : ", at the drive", s.request[r].answers);
    for (byte i = 0; i < connections; ++i)
        t += fmt::format("  connection {}: {}\n", i, to_string(s.connection[i].state));
    return t;
}

}  // namespace fulmar::model
