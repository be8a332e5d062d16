// Hosts that take the reservation of a namespace from each other: nothing of a host that was
// preempted lands after whoever did it was answered, whatever the disk, the connections and the
// scheduler do.
#include "many_seeds.hpp"
#include "scenario.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/reservation.hpp>

#include <array>

namespace fulmar::sim {
namespace {

using nvme::io_opcode;
using nvme::reservation_type;

constexpr unsigned members = 3;
constexpr std::uint64_t own_blocks = 64;  ///< each host writes where no other does

struct member {
    identity who;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
    bool registered = false;
};

command_ref reserve(queue& q, io_opcode opcode, const nvme::reservation_command& how,
                    std::uint64_t current, std::uint64_t other) {
    const auto keys = test::reservation_keys(current, other);
    return q.submit(test::reservation_sqe(opcode, how), nvme::wire_bytes(keys), (current & 1) != 0);
}

class cluster {
  public:
    explicit cluster(world& w) : world_(w) {
        for (unsigned i = 0; i < members; ++i) {
            member& m = members_[i];
            m.who = host(static_cast<int>(i), one, w.pick(w.data_reactors()));
            join(m);
            enrol(i);
            EXPECT_TRUE(w.wait(pending_));
        }
        pending_ = reserve(*members_[0].io, io_opcode::reservation_acquire, {.type = registrants},
                           key(0), 0);
        EXPECT_TRUE(w.wait(pending_) && succeeded(pending_));
    }

    void act() {
        const std::uint64_t chosen = world_.pick(100);
        const auto at = static_cast<unsigned>(world_.pick(members));
        if (chosen < 60) return write(at);
        if (chosen < 80) return preempt(at, static_cast<unsigned>(world_.pick(members)));
        if (chosen < 90) return enrol(at);
        if (chosen < 95) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 98) return reconnect(members_[at]);
        lose_and_return();
    }

    /// Everything is answered, and who is registered writes.
    void end() {
        world_.disk_named("a").set_stalled(false);
        EXPECT_TRUE(world_.run_until([this] { return !pending_ || pending_->done; }));
        for (member& m : members_) reconnect(m);
        learn();
        for (unsigned i = 0; i < members; ++i) {
            member& m = members_[i];
            const command_ref c = m.io->write(1, i * own_blocks);
            EXPECT_TRUE(world_.wait(c));
            EXPECT_TRUE(m.registered ? has(c, sc::success) : has(c, sc::reservation_conflict));
        }
    }
    [[nodiscard]] std::uint64_t fenced() const { return fenced_; }

  private:
    static constexpr auto registrants =
        static_cast<std::uint8_t>(reservation_type::write_exclusive_registrants);
    static std::uint64_t key(unsigned of) { return 100 + of; }

    void join(member& m) {
        m.admin = world_.admin(m.who);
        m.io =
            world_.io(*m.admin, 1, static_cast<std::size_t>(world_.pick(world_.data_reactors())));
    }
    void reconnect(member& m) {
        m.io->cut();
        m.admin->cut();
        EXPECT_TRUE(world_.run_until([&] { return m.io->closed() && m.admin->closed(); }));
        join(m);
    }
    [[nodiscard]] bool busy() const { return pending_ && !pending_->done; }

    void write(unsigned at) {
        queue& q = *members_[at].io;
        if (q.closed() || q.room() == 0) return;
        (void)q.write(1, at * own_blocks + world_.pick(own_blocks), 1, world_.chance(0.5));
    }
    void enrol(unsigned at) {
        member& m = members_[at];
        if (busy() || m.registered || m.io->closed() || m.io->room() == 0) return;
        world_.judge().host_added(one, m.who.host);  // from now on it may be let in at any moment
        pending_ = reserve(*m.io, io_opcode::reservation_register, {}, 0, key(at));
        pending_->then = [this, &m](command& c) {
            if (!c.answered) return learn_later();
            m.registered = nvme::is_success(c.status);
        };
    }
    void preempt(unsigned winner, unsigned victim) {
        member& m = members_[winner];
        member& loser = members_[victim];
        if (busy() || winner == victim || !m.registered || !loser.registered) return;
        if (m.io->closed() || m.io->room() == 0) return;
        const auto action = static_cast<std::uint8_t>(1 + world_.pick(2));
        pending_ = reserve(*m.io, io_opcode::reservation_acquire,
                           {.action = action, .type = registrants}, key(winner), key(victim));
        pending_->then = [this, &loser](command& c) {
            if (!c.answered) return learn_later();
            if (!nvme::is_success(c.status)) return;
            loser.registered = false;
            world_.judge().host_removed(one, loser.who.host);
            ++fenced_;
        };
    }
    void lose_and_return() {
        disk& d = world_.disk_named("a");
        if (d.lost()) return;
        world_.lose("a");
        world_.run_for(milliseconds(5));
        d.set_lost(false);
        (void)world_.ask(core::reopen_device{.name = "a"});
    }
    // The connection ended before the answer: whether it was done only the target knows.
    void learn_later() { unsure_ = true; }
    void learn() {
        const core::subsystem_status s = world_.status_of(one);
        ASSERT_EQ(s.namespaces.size(), 1u);
        for (member& m : members_) {
            m.registered = false;
            if (!s.namespaces[0].reservation) continue;
            for (const auto& known : s.namespaces[0].reservation->registrants)
                if (known.identifier.ends_with(fmt::format("{:02x}", m.who.host_id)))
                    m.registered = true;
        }
    }

  public:
    void look() {
        if (!unsure_ || busy()) return;
        unsure_ = false;
        learn();
    }

  private:
    world& world_;
    std::array<member, members> members_;
    command_ref pending_;
    bool unsure_ = false;
    std::uint64_t fenced_ = 0;
};

std::uint64_t fence(std::uint64_t seed) {
    world_options o = options(1 + seed % 3, seed);
    o.subsystems = {subsystem(one, {"a"})};
    o.fault_profile = {.delay_min = {}, .delay_max = milliseconds(3), .ignore_abort_chance = 0.5};
    o.limits.transition_timeout_ms = 200;
    world w(o);
    std::uint64_t fenced = 0;
    {
        cluster c(w);
        for (int step = 0; step < 150; ++step) {
            c.act();
            for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) w.round();
            c.look();
        }
        c.end();
        fenced = c.fenced();
    }
    w.rest();
    return fenced;
}

TEST(fencing, nothing_of_a_preempted_host_lands_after_the_answer) {
    std::uint64_t fenced = 0, played = 0;
    many_seeds("hosts that fence each other", 1'000, [&](std::uint64_t seed) {
        fenced += fence(seed);
        ++played;
    });
    EXPECT_GT(fenced, 2 * played) << "hardly anybody was fenced";
}

}  // namespace
}  // namespace fulmar::sim
