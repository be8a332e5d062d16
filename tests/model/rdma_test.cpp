// The end of an RDMA connection, in every order: the table of its states and the account of its
// work requests, between the control reactor, which has queue pair and identifier, the data
// reactor, which has the requests, and a device that completes, flushes, or never says a word.
// Follows rdma_control.cpp and rdma_qpair.cpp, whose objects the seeds of rdma_chaos_test.cpp run.
#include "transport/rdma/connection_states.hpp"
#include "transport/rdma/send_queue_tracker.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::transport::rdma {
namespace {

using S = connection_state;
using E = connection_event;
using byte = std::uint8_t;

enum class note : byte {
    none,
    arrive,
    peer_gone,
    last_receive,
    give_up,
    released,  // to the data reactor
    answered,
    wants_end,
    reaped,
    let_go,  // to the control reactor
};

/// Messages keep their order; each of a connection's is on its way at most once.
struct mailbox {
    std::array<note, 5> notes{};
    byte count = 0;
    auto operator<=>(const mailbox&) const = default;
};

struct world {
    bool shared_receives = false;
    // The control reactor's.
    S state = S::offered;
    bool stopped = false, peer_told = false, last_receive_told = false;
    bool deadline_armed = false;
    bool identifier = true, wire = true;  // until they are destroyed
    bool made = true;                     // the connection itself
    // The data reactor's.
    bool queue = false, refused = false, stopped_here = false, released_here = false;
    bool retired = false, reaped_told = false, last_receive_seen = false;
    byte at_drive = 0;  // requests
    byte posted = 0;    // work requests that have not been reaped
    byte unpolled = 0;  // receive completions in the queue, each with a shared slot
    // The device's and the host's.
    bool in_error = false, was_overdue = false;
    byte may_post = 3, may_ask = 1, may_send = 2;
    bool may_confirm = true;
    byte may_end = 2;  // the host leaves, the device goes: each says so, and again
    mailbox to_group, to_control;
    std::string wrong;
    auto operator<=>(const world&) const = default;
};

void expect(world& w, bool holds, const char* what) {
    if (!holds && w.wrong.empty()) w.wrong = what;
}

void post(world& w, mailbox& to, note n) {
    for (byte i = 0; i < to.count; ++i) expect(w, to.notes[i] != n, "a note is posted twice");
    expect(w, to.count < to.notes.size(), "more notes than there are");
    if (to.count < to.notes.size()) to.notes[to.count++] = n;
}

note take(mailbox& from) {
    const note n = from.notes[0];
    for (byte i = 1; i < from.count; ++i) from.notes[i - 1u] = from.notes[i];
    from.notes[--from.count] = note::none;
    return n;
}

void advance(world& w, E on) {
    const auto to = next_state(connection_edges, w.state, on);
    expect(w, to.has_value(), "the table has no such edge");
    if (to) w.state = *to;
}

// --- the data reactor ----------------------------------------------------------------------------

void check_reaped(world& w) {
    if (!w.stopped_here || w.reaped_told || w.released_here || w.posted != 0) return;
    if (w.shared_receives && !w.last_receive_seen) return;
    w.reaped_told = true;
    post(w, w.to_control, note::reaped);
}

/// Everything that is in the queue now, with the messages of the turn.
void drain(world& w) { w.unpolled = 0; }

void let_go(world& w) {
    expect(w, w.posted == 0, "a queue is destroyed with work requests");
    expect(w, w.at_drive == 0, "a queue is destroyed with requests at the drive");
    w.queue = false;
    post(w, w.to_control, note::let_go);
}

void settle(world& w) {
    if (!w.queue || !w.stopped_here || w.retired || w.at_drive != 0) return;
    w.retired = true;
    if (w.released_here) let_go(w);
}

void stop(world& w) {
    if (!w.queue || w.stopped_here) return;
    w.stopped_here = true;
    if (!w.released_here) post(w, w.to_control, note::wants_end);
    check_reaped(w);
    settle(w);
}

/// What the real account says of a completion: how many it retires. Work that is left stays.
void complete(world& w, byte which, bool abandons) {
    send_queue_tracker<int> account;
    ASSERT_TRUE(account.create(4));
    std::array<int, 4> owners{};
    std::array<byte, 4> seen{};
    for (byte i = 0; i < w.posted; ++i) account.add(owners[i], work_kind::send);
    const auto home = [&](const send_queue_tracker<int>::entry& e) {
        ++seen[e.owner - owners.data()];
    };
    if (abandons)
        account.abandon(home);
    else
        expect(w, account.retire(which, [&](const auto& e, bool) { home(e); }),
               "a completion names nothing");
    const byte retired = abandons ? w.posted : static_cast<byte>(which + 1u);
    for (byte i = 0; i < w.posted; ++i)
        expect(w, seen[i] == (i < retired ? 1 : 0), "a work request came home not once");
    w.posted = static_cast<byte>(w.posted - retired);
    expect(w, account.outstanding() == w.posted, "the account has counted wrong");
}

void at_group(world& w, note n) {
    expect(w, w.made, "a note comes to a connection that is destroyed");
    if (n == note::arrive) return;  // has two outcomes: see moves()
    if (!w.queue) {
        if (n == note::released) post(w, w.to_control, note::let_go);
        return;
    }
    if (n == note::peer_gone) return stop(w);
    if (n == note::last_receive) {
        drain(w);
        w.last_receive_seen = true;
        return check_reaped(w);
    }
    if (n == note::give_up) {
        expect(w, w.stopped_here, "given up under a data reactor that posts to it");
        drain(w);
        if (!std::exchange(w.reaped_told, true)) post(w, w.to_control, note::reaped);
        return;
    }
    expect(w, n == note::released && !w.released_here, "a note that is not for a data reactor");
    w.released_here = true;
    stop(w);
    complete(w, 0, true);
    if (w.retired) let_go(w);
}

// --- the control reactor -------------------------------------------------------------------------

void end(world& w) {
    const S before = w.state;
    if (before >= S::released) return;
    advance(w, E::end);
    if (before >= S::ending) return;
    w.in_error = true;
    w.deadline_armed = true;
    if (w.stopped || w.peer_told) return;
    w.peer_told = true;
    post(w, w.to_group, note::peer_gone);
}

void destroy_wire(world& w) {
    expect(w, w.wire, "a queue pair is destroyed twice");
    expect(w, w.unpolled == 0, "a receive slot goes with its queue pair");
    w.wire = w.identifier = w.deadline_armed = false;
}

void release(world& w, E why) {
    advance(w, why);
    expect(w, w.stopped_here || !w.queue,
           "a queue pair is destroyed under a data reactor that posts to it");
    expect(w, w.was_overdue || w.posted == 0, "a queue pair is destroyed with work");
    destroy_wire(w);
    post(w, w.to_group, note::released);
}

void at_control(world& w, note n) {
    expect(w, w.made, "a note comes to a connection that is destroyed");
    switch (n) {
        case note::answered:
            if (w.refused) return release(w, E::refused);
            return advance(w, E::prepared);
        case note::wants_end:
            w.stopped = true;
            end(w);
            if (w.state == S::overdue) post(w, w.to_group, note::give_up);
            return;
        case note::reaped: return release(w, E::reaped);
        case note::let_go:
            advance(w, E::let_go);
            expect(w, w.to_group.count == 0 && w.to_control.count == 0,
                   "a connection is destroyed with notes on their way");
            w.made = false;
            return;
        default: expect(w, false, "a note that is not for the control reactor");
    }
}

// --- everything that can happen next -------------------------------------------------------------

struct move {
    std::string what;
    world then;
    bool by_itself = true;  ///< needs neither host nor drive
};

template <typename Add>
void device_moves(const world& w, Add&& add) {
    // The device: in order, and it may be silent about what was not signaled. Or for ever.
    for (byte i = 0; w.wire && i < w.posted; ++i)
        add("a completion", false, [i](world& t) {
            complete(t, i, false);
            check_reaped(t);
        });
    if (w.shared_receives && w.wire && w.in_error && !w.last_receive_told && w.queue)
        add("the last receive", false, [](world& t) {
            t.last_receive_told = true;
            post(t, t.to_group, note::last_receive);
        });
    // Nothing is received in error. What is in the queue is there until the data reactor looks.
    if (w.shared_receives && w.wire && !w.in_error && w.may_send != 0 && w.state >= S::accepting)
        add("a capsule arrives", false, [](world& t) {
            --t.may_send;
            ++t.unpolled;
        });
    if (w.unpolled != 0)
        add("the data reactor takes completions", false, [](world& t) {
            --t.unpolled;
            check_reaped(t);
        });
}

std::vector<move> moves(const world& w) {
    std::vector<move> all;
    const auto add = [&](const char* what, bool by_itself, const std::function<void(world&)>& how) {
        world then = w;
        how(then);
        all.push_back({what, std::move(then), by_itself});
    };
    if (w.to_group.count != 0 && w.to_group.notes[0] == note::arrive) {
        for (const bool refuses : {false, true})
            add(refuses ? "the poll group has no room" : "the poll group takes it", true,
                [refuses](world& t) {
                    take(t.to_group);
                    t.refused = refuses;
                    t.queue = !refuses;
                    post(t, t.to_control, note::answered);
                });
    } else if (w.to_group.count != 0) {
        add("a note at the data reactor", true, [](world& t) { at_group(t, take(t.to_group)); });
    }
    if (w.to_control.count != 0)
        add("a note at the control reactor", true,
            [](world& t) { at_control(t, take(t.to_control)); });
    if (w.deadline_armed && w.state == S::ending)
        add("the deadline", true, [](world& t) {
            advance(t, E::deadline);
            t.was_overdue = true;
            if (t.stopped) post(t, t.to_group, note::give_up);
        });
    device_moves(w, add);
    if (w.identifier && w.may_confirm && w.state >= S::accepting)
        add("the host confirms", false, [](world& t) {
            t.may_confirm = false;
            advance(t, E::confirmed);
        });
    if (w.identifier && w.may_end != 0)
        add("the host leaves, or its device goes", false, [](world& t) {
            --t.may_end;
            end(t);
        });
    if (w.queue && !w.stopped_here) {
        if (w.may_post != 0)
            add("the data reactor posts", false, [](world& t) {
                --t.may_post;
                expect(t, t.wire, "work is posted to a queue pair that is destroyed");
                ++t.posted;
            });
        if (w.may_ask != 0)
            add("a request goes to the drive", false, [](world& t) {
                --t.may_ask;
                ++t.at_drive;
            });
        add("the data reactor closes it", false, [](world& t) { stop(t); });
    }
    if (w.at_drive != 0)
        add("the drive answers", false, [](world& t) {
            --t.at_drive;
            settle(t);
        });
    return all;
}

/// The first thing that is wrong, with the way there; empty: nothing is.
std::string explore(world first, std::set<S>& reached, std::size_t& states) {
    struct visit {
        world w;
        std::size_t from;
        std::string how;
    };
    std::deque<visit> all{{std::move(first), 0, "a host asks"}};
    std::set<world> seen{all.front().w};
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto story = [&](const std::string& wrong) {
            std::string text = wrong;
            for (std::size_t at = i; at != 0; at = all[at].from) text += "\n  " + all[at].how;
            return text;
        };
        const world w = all[i].w;
        reached.insert(w.state);
        if (!w.wrong.empty()) return story(w.wrong);
        const std::vector<move> next = moves(w);
        bool rests = true;
        for (const move& m : next) {
            rests = rests && !m.by_itself;
            if (seen.insert(m.then).second) all.push_back({m.then, i, m.what});
        }
        // The target has nothing more to do: the connection lives, or nothing is left but what a
        // drive still has.
        const bool lives = w.state == S::accepting || w.state == S::established;
        const bool drive_has_it = w.at_drive != 0 && w.state == S::released;
        if (rests && !lives && !drive_has_it && (w.made || w.wire || w.queue))
            return story("it never ends");
    }
    states += all.size();
    return {};
}

TEST(rdma_model, a_connection_ends_whole_in_every_order) {
    std::set<S> reached;
    std::size_t states = 0;
    for (const bool shared : {false, true}) {
        world first;
        first.shared_receives = shared;
        post(first, first.to_group, note::arrive);
        EXPECT_EQ(explore(std::move(first), reached, states), "") << "shared receives: " << shared;
    }
    EXPECT_EQ(reached.size(), 7u) << "every state of the table is reached";
    RecordProperty("states", std::to_string(states));
    std::printf("%zu states\n", states);
}

}  // namespace
}  // namespace fulmar::transport::rdma
