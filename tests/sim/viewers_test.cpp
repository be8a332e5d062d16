// Namespaces that are shown to hosts and hidden from them while these write: nothing of a host
// lands once it was answered that the namespace is hidden from it, and others go on meanwhile.
#include "support/viewers.hpp"

#include "many_seeds.hpp"
#include "scenario.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/reservation.hpp>

#include <array>

namespace fulmar::sim {
namespace {

using test::everybody;
using test::only;
using test::visible_to;

constexpr unsigned audience = 3;
constexpr std::uint64_t blocks_each = 64;  ///< each host writes where no other does
constexpr nvme::status not_there = sc::invalid_namespace_or_format.no_retry();

struct spectator {
    identity who;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
    bool sees = true;

    void join(world& w) {
        admin = w.admin(who);
        io = w.io(*admin, 1, static_cast<std::size_t>(w.pick(w.data_reactors())));
    }
};

class theatre {
  public:
    explicit theatre(world& w) : world_(w) {
        for (unsigned i = 0; i < audience; ++i) {
            hosts_[i].who = host(static_cast<int>(i), one, w.pick(w.data_reactors()));
            hosts_[i].join(w);
        }
    }

    void act() {
        settle_ticket();
        const std::uint64_t chosen = world_.pick(100);
        spectator& s = hosts_[world_.pick(audience)];
        if (chosen < 70) return write(s);
        if (chosen < 85) return choose();
        if (chosen < 90) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 94) return s.io->connection().set_sending_data(world_.chance(0.5));
        if (chosen < 97) return come_again(s);
        pause_or_resume();
    }

    /// Everything is answered, and who sees it writes.
    void end() {
        world_.disk_named("a").set_stalled(false);
        EXPECT_TRUE(world_.run_until([this] { return !asked_ || asked_->done(); }));
        settle_ticket();
        if (paused_) {
            EXPECT_TRUE(world_.change(core::resume_subsystem{one})->ok());
        }
        for (spectator& s : hosts_) reconnect(s);
        for (unsigned i = 0; i < audience; ++i) {
            const command_ref c = hosts_[i].io->write(1, i * blocks_each);
            EXPECT_TRUE(world_.wait(c));
            EXPECT_TRUE(hosts_[i].sees ? has(c, sc::success) : has(c, not_there));
        }
    }
    [[nodiscard]] std::uint64_t hidden() const { return hidden_; }

  private:
    void write(spectator& s) {
        if (s.io->closed()) return come_again(s);  // a pause has ended what owes data
        if (s.io->room() == 0) return;
        const auto number = static_cast<std::uint64_t>(&s - hosts_.data());
        (void)s.io->write(1, number * blocks_each + world_.pick(blocks_each), 1,
                          world_.chance(0.5));
    }
    void come_again(spectator& s) {
        if (!asked_ && !paused_) reconnect(s);  // else its Connect would wait
    }
    void reconnect(spectator& s) {
        s.io->cut();
        s.admin->cut();
        EXPECT_TRUE(world_.run_until([&] { return s.io->closed() && s.admin->closed(); }));
        s.join(world_);
    }
    void pause_or_resume() {
        if (asked_) return;
        if (paused_)
            asked_ = world_.ask(core::resume_subsystem{one});
        else
            asked_ = world_.ask(core::pause_subsystem{one});
    }
    void choose() {
        if (asked_) return;
        core::host_choice chosen = only({});
        for (unsigned i = 0; i < audience; ++i) {
            wanted_[i] = world_.chance(0.5);
            if (!wanted_[i]) continue;
            chosen.named.push_back(hosts_[i].who.host);
            world_.judge().host_added(one, hosts_[i].who.host);  // from now on it may be let in
        }
        if (chosen.named.size() == audience && world_.chance(0.5)) chosen = everybody;
        asked_ = world_.ask(visible_to(one, 1, chosen));
        choosing_ = true;
    }
    void settle_ticket() {
        if (!asked_ || !asked_->done()) return;
        const ticket_ref t = std::exchange(asked_, nullptr);
        const bool kept = t->ok();
        if (!std::exchange(choosing_, false)) {
            if (kept || t->code() == errc::quiesce_incomplete) paused_ = !paused_;
            return;
        }
        EXPECT_TRUE(kept || t->code() == errc::quiesce_incomplete) << t->outcome.error().message;
        for (unsigned i = 0; i < audience; ++i) {
            if (hosts_[i].sees && !wanted_[i]) ++hidden_;
            hosts_[i].sees = wanted_[i];
            if (kept && !wanted_[i]) world_.judge().host_removed(one, hosts_[i].who.host);
        }
    }

    world& world_;
    std::array<spectator, audience> hosts_;
    std::array<bool, audience> wanted_{};
    ticket_ref asked_;
    bool choosing_ = false;
    bool paused_ = false;
    std::uint64_t hidden_ = 0;
};

world_options of_one_disk(std::uint64_t seed) {
    world_options o = options(1 + seed % 3, seed);
    o.subsystems = {subsystem(one, {"a"})};
    return o;
}

std::uint64_t play(std::uint64_t seed) {
    world_options o = of_one_disk(seed);
    o.fault_profile = {.delay_min = {}, .delay_max = milliseconds(3), .ignore_abort_chance = 0.5};
    o.limits.transition_timeout_ms = 200;
    world w(o);
    std::uint64_t hidden = 0;
    {
        theatre t(w);
        for (int step = 0; step < 200; ++step) {
            t.act();
            for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) w.round();
        }
        t.end();
        hidden = t.hidden();
    }
    w.rest();
    return hidden;
}

TEST(viewers, nothing_of_a_host_lands_once_the_namespace_is_hidden_from_it) {
    std::uint64_t hidden = 0, played = 0;
    many_seeds("hosts that lose sight", 1'000, [&](std::uint64_t seed) {
        hidden += play(seed);
        ++played;
    });
    EXPECT_GT(hidden, 2 * played) << "hardly anything was hidden";
}

/// Two hosts on reactors of their own, the second of which sees the namespace in the end.
struct pair_of_hosts {
    explicit pair_of_hosts(world& w) {
        leaver.who = host(0, one, 0);
        stayer.who = host(1, one, w.data_reactors() - 1);
        leaver.join(w);
        stayer.join(w);
    }
    [[nodiscard]] core::change hide() const { return visible_to(one, 1, only({stayer.who.host})); }
    spectator leaver, stayer;
};

TEST(viewers, hiding_waits_for_what_is_at_the_disk_and_for_nothing_else) {
    for (const unsigned reactors : {1u, 3u}) {
        world_options o = of_one_disk(1);
        o.data_reactors = reactors;
        world w(o);
        {
            pair_of_hosts hosts(w);
            w.disk_named("a").set_stalled(true);
            const command_ref before = hosts.leaver.io->write(1, 0);
            w.run_for(milliseconds(10));
            const ticket_ref hidden = w.ask(hosts.hide());
            w.run_for(milliseconds(10));
            const command_ref other = hosts.stayer.io->write(1, 64);
            const command_ref late = hosts.leaver.io->write(1, 1);
            EXPECT_TRUE(w.wait(late, seconds(1))) << "from now on it is turned away";
            EXPECT_TRUE(has(late, not_there));
            EXPECT_FALSE(hidden->done()) << "its write is at the disk still";
            EXPECT_EQ(w.status_of(one).namespaces[0].parked, 0u) << "others do not wait for it";
            EXPECT_EQ(w.status_of(one).namespaces[0].outstanding, 2u);
            w.disk_named("a").set_stalled(false);
            EXPECT_TRUE(w.run_until([&] { return hidden->done(); }, seconds(1)));
            EXPECT_TRUE(hidden->ok());
            EXPECT_TRUE(succeeded(before)) << "as if it had not been hidden";
            EXPECT_TRUE(w.wait(other) && succeeded(other));
        }
        w.rest();
    }
}

TEST(viewers, what_is_parked_is_answered_and_others_stay_parked) {
    world w(of_one_disk(2));
    {
        pair_of_hosts hosts(w);
        ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
        const command_ref mine = hosts.leaver.io->write(1, 0);
        const command_ref other = hosts.stayer.io->write(1, 64);
        w.run_for(milliseconds(10));
        ASSERT_TRUE(w.change(hosts.hide())->ok());
        EXPECT_TRUE(w.wait(mine, seconds(1))) << "nobody resumes it";
        EXPECT_TRUE(has(mine, not_there));
        EXPECT_FALSE(other->done);
        ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
        EXPECT_TRUE(w.wait(other) && succeeded(other));
    }
    w.rest();
}

TEST(viewers, data_that_comes_afterwards_is_not_written) {
    for (const bool seen_again : {false, true}) {
        world w(of_one_disk(3));
        {
            pair_of_hosts hosts(w);
            hosts.leaver.io->connection().set_sending_data(false);
            const command_ref owed = hosts.leaver.io->write(1, 0, 1, false);
            w.run_for(milliseconds(10));
            ASSERT_TRUE(w.change(hosts.hide(), seconds(1))->ok()) << "nobody waits for a host";
            w.judge().host_removed(one, hosts.leaver.who.host);
            if (seen_again) {
                ASSERT_TRUE(w.change(visible_to(one, 1, everybody))->ok());
            }
            hosts.leaver.io->connection().set_sending_data(true);
            EXPECT_TRUE(w.wait(owed));
            EXPECT_TRUE(has(owed, not_there)) << "it was told to be gone";
        }
        w.rest();
    }
}

TEST(viewers, a_disk_that_gives_nothing_back_is_reported_until_it_does) {
    world_options o = of_one_disk(4);
    o.fault_profile.ignore_abort_chance = 1;
    world w(o);
    {
        pair_of_hosts hosts(w);
        w.disk_named("a").set_stalled(true);
        const command_ref mine = hosts.leaver.io->write(1, 0);
        const command_ref other = hosts.stayer.io->write(1, 64);
        w.run_for(milliseconds(10));
        ticket_ref hidden = w.change(hosts.hide());
        ASSERT_TRUE(hidden->done() && !hidden->ok());
        EXPECT_EQ(hidden->code(), errc::quiesce_incomplete);
        EXPECT_TRUE(w.wait(mine, seconds(1))) << "the deadline ended it";
        EXPECT_FALSE(other->done) << "and nothing of others";
        hosts.leaver.io->cut();
        hosts.leaver.admin->cut();
        hidden = w.change(hosts.hide());
        EXPECT_EQ(hidden->code(), errc::quiesce_incomplete) << "asked again, it tells again";
        w.disk_named("a").set_stalled(false);
        EXPECT_TRUE(w.change(hosts.hide())->ok());
        w.judge().host_removed(one, hosts.leaver.who.host);
        EXPECT_TRUE(w.wait(other) && succeeded(other));
    }
    w.rest();
}

// Reservation commands take their turn among the operations: one that was sent while its host saw
// the namespace comes to nothing when its turn is behind the change.
TEST(viewers, a_reservation_behind_the_change_is_turned_away) {
    world w(of_one_disk(5));
    {
        pair_of_hosts hosts(w);
        const auto reserve = [](queue& q, nvme::io_opcode opcode,
                                const nvme::reservation_command& how, std::uint64_t current,
                                std::uint64_t other) {
            const auto keys = fulmar::test::reservation_keys(current, other);
            return q.submit(fulmar::test::reservation_sqe(opcode, how), nvme::wire_bytes(keys),
                            true);
        };
        using nvme::io_opcode;
        const command_ref enrolled =
            reserve(*hosts.stayer.io, io_opcode::reservation_register, {}, 0, 1);
        ASSERT_TRUE(w.wait(enrolled) && succeeded(enrolled));
        w.disk_named("a").set_stalled(true);
        (void)hosts.leaver.io->write(1, 0);
        w.run_for(milliseconds(10));
        const command_ref first =
            reserve(*hosts.stayer.io, io_opcode::reservation_acquire, {.type = 1}, 1, 0);
        w.run_for(milliseconds(10));
        const ticket_ref hidden = w.ask(hosts.hide());
        const command_ref second =
            reserve(*hosts.leaver.io, io_opcode::reservation_register, {}, 0, 2);
        w.run_for(milliseconds(10));
        EXPECT_FALSE(first->done || hidden->done() || second->done);
        w.disk_named("a").set_stalled(false);
        EXPECT_TRUE(w.wait(second));
        EXPECT_TRUE(has(second, not_there));
        EXPECT_TRUE(hidden->ok() && succeeded(first));
        EXPECT_EQ(w.status_of(one).namespaces[0].reservation->registrants.size(), 1u);
    }
    w.rest();
}

TEST(viewers, only_those_who_see_a_namespace_hear_of_it) {
    for (const unsigned reactors : {1u, 3u}) {
        world_options o = options(reactors);
        world w(o);
        {
            pair_of_hosts hosts(w);
            ASSERT_TRUE(w.change(hosts.hide())->ok());
            watch_namespaces(w, *hosts.leaver.admin);
            watch_namespaces(w, *hosts.stayer.admin);
            w.settle();
            const command_ref stranger = hosts.leaver.admin->async_event();
            EXPECT_TRUE(w.wait(stranger)) << "that it was hidden was remembered";
            const auto log =
                hosts.leaver.admin->admin(nvme::admin_opcode::get_log_page, 0, 4096, 0x03ff'0004);
            EXPECT_TRUE(w.wait(log));
            const command_ref again = hosts.leaver.admin->async_event();
            const command_ref friendly = hosts.stayer.admin->async_event();
            ASSERT_TRUE(w.change(core::remove_namespace{one, 1})->ok());
            EXPECT_TRUE(w.wait(friendly, seconds(1)));
            w.run_for(milliseconds(50));
            EXPECT_FALSE(again->done) << "a host heard of a namespace that it does not see";
        }
        w.rest();
    }
}

}  // namespace
}  // namespace fulmar::sim
