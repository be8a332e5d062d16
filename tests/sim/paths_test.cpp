// Paths that are closed and opened by their ANA state, and namespaces that move between ANA groups,
// while hosts write by two listeners: nothing that came by a path lands once its closing has been
// answered, and others go on meanwhile.
#include "many_seeds.hpp"
#include "scenario.hpp"
#include "support/ana_groups.hpp"

#include <array>

namespace fulmar::sim {
namespace {

using core::ana_state;
using fulmar::test::ana_state_of;
using fulmar::test::move_to_ana_group;

constexpr std::uint64_t blocks_of_a_traveller = 64;  ///< each host writes where no other does
constexpr std::uint32_t open_group = 1, closed_group = 2;

std::string listener_at(std::uint16_t port) { return "loopback:sim:" + std::to_string(port); }

core::set_ana_path path(std::uint16_t port, ana_state state, std::uint32_t group = open_group) {
    return {one, group, listener_at(port), state};
}

/// A host with a path of its own, so that what is fenced is told by its name.
struct traveller {
    identity who;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
    bool open = true;

    void join(world& w) {
        admin = w.admin(who);
        io = w.io(*admin, 1, static_cast<std::size_t>(w.pick(w.data_reactors())));
    }
};

/// Namespace 1 in group 1, of which nothing is closed, and group 2, which is closed at 4421.
world_options of_two_ways(std::uint64_t seed, unsigned reactors) {
    world_options o = options(reactors, seed);
    o.two_listeners = true;
    o.subsystems = {subsystem(one, {"a"})};
    o.subsystems[0].ana_groups = {
        {.id = open_group},
        {.id = closed_group, .listeners = {{listener_at(4421), ana_state::inaccessible}}}};
    o.subsystems[0].namespaces[0].ana_group = open_group;
    return o;
}

bool refused(const command_ref& c) {
    return has(c, sc::ana_inaccessible) || has(c, sc::ana_persistent_loss) ||
           has(c, sc::ana_transition);
}

class crossroads {
  public:
    explicit crossroads(world& w) : world_(w) {
        for (unsigned i = 0; i < hosts_.size(); ++i) {
            hosts_[i].who = host(static_cast<int>(i), one, w.pick(w.data_reactors()));
            hosts_[i].who.port = static_cast<std::uint16_t>(4420 + i);
            hosts_[i].join(w);
        }
    }

    void act() {
        settle_ticket();
        const std::uint64_t chosen = world_.pick(100);
        traveller& t = hosts_[world_.pick(hosts_.size())];
        if (chosen < 70) return write(t);
        if (chosen < 86) return turn_points();
        if (chosen < 91) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 95) return t.io->connection().set_sending_data(world_.chance(0.5));
        if (chosen < 97) return come_again(t);
        pause_or_resume();
    }

    /// Everything is answered, and who has a path writes.
    void end() {
        world_.disk_named("a").set_stalled(false);
        EXPECT_TRUE(world_.run_until([this] { return !asked_ || asked_->done(); }));
        settle_ticket();
        if (paused_) {
            EXPECT_TRUE(world_.change(core::resume_subsystem{one})->ok());
        }
        for (traveller& t : hosts_) reconnect(t);
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            const command_ref c = hosts_[i].io->write(1, i * blocks_of_a_traveller);
            EXPECT_TRUE(world_.wait(c));
            EXPECT_TRUE(hosts_[i].open ? has(c, sc::success) : has(c, sc::ana_inaccessible));
        }
    }
    [[nodiscard]] std::uint64_t closed() const { return closed_; }

  private:
    void write(traveller& t) {
        if (t.io->closed()) return come_again(t);  // a pause has ended what owes data
        if (t.io->room() == 0) return;
        const auto number = static_cast<std::uint64_t>(&t - hosts_.data());
        (void)t.io->write(1, number * blocks_of_a_traveller + world_.pick(blocks_of_a_traveller), 1,
                          world_.chance(0.5));
    }
    void come_again(traveller& t) {
        if (!asked_ && !paused_) reconnect(t);  // else its Connect would wait
    }
    void reconnect(traveller& t) {
        t.io->cut();
        t.admin->cut();
        EXPECT_TRUE(world_.run_until([&] { return t.io->closed() && t.admin->closed(); }));
        t.join(world_);
    }
    void pause_or_resume() {
        if (asked_) return;
        if (paused_)
            asked_ = world_.ask(core::resume_subsystem{one});
        else
            asked_ = world_.ask(core::pause_subsystem{one});
    }
    /// By the state of one path, of all, or by moving the namespace.
    void turn_points() {
        if (asked_) return;
        const auto state = [this] {
            return world_.chance(0.5) ? ana_state::optimized : ana_state::inaccessible;
        };
        switch (world_.pick(4)) {
            case 0: paths_[0] = state(); break;
            case 1: paths_[1] = state(); break;
            case 2: moved_ = !moved_; break;
            default: everywhere_ = state(); break;
        }
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            wanted_[i] = is_open(i);
            if (wanted_[i]) world_.judge().host_added(one, hosts_[i].who.host);
        }
        if (moved_ != was_moved_)
            asked_ = world_.ask(move_to_ana_group(one, 1, moved_ ? closed_group : open_group));
        else if (everywhere_ != was_everywhere_)
            asked_ = world_.ask(ana_state_of(one, closed_group, everywhere_));
        else
            asked_ = world_.ask(next_path());
        turning_ = true;
        was_moved_ = moved_;
        was_everywhere_ = everywhere_;
    }
    core::set_ana_path next_path() {
        const std::size_t i = paths_[0] != were_[0] ? 0 : 1;
        were_ = paths_;
        return path(static_cast<std::uint16_t>(4420 + i), paths_[i]);
    }
    /// In its own group both have a state of their own; in the other, 4421 is closed.
    [[nodiscard]] bool is_open(std::size_t i) const {
        if (!moved_) return paths_[i] == ana_state::optimized;
        return i == 0 && everywhere_ == ana_state::optimized;
    }
    void settle_ticket() {
        if (!asked_ || !asked_->done()) return;
        const ticket_ref t = std::exchange(asked_, nullptr);
        const bool kept = t->ok();
        if (!std::exchange(turning_, false)) {
            if (kept || t->code() == errc::quiesce_incomplete) paused_ = !paused_;
            return;
        }
        EXPECT_TRUE(kept || t->code() == errc::quiesce_incomplete) << t->outcome.error().message;
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            if (hosts_[i].open && !wanted_[i]) ++closed_;
            hosts_[i].open = wanted_[i];
            if (kept && !wanted_[i]) world_.judge().host_removed(one, hosts_[i].who.host);
        }
    }

    world& world_;
    std::array<traveller, 2> hosts_;
    std::array<bool, 2> wanted_{};
    std::array<ana_state, 2> paths_{ana_state::optimized, ana_state::optimized};
    std::array<ana_state, 2> were_ = paths_;
    ana_state everywhere_ = ana_state::optimized;  ///< of group 2, where it is not named
    ana_state was_everywhere_ = everywhere_;
    bool moved_ = false;
    bool was_moved_ = false;
    ticket_ref asked_;
    bool turning_ = false;
    bool paused_ = false;
    std::uint64_t closed_ = 0;
};

std::uint64_t cross(std::uint64_t seed) {
    world_options o = of_two_ways(seed, static_cast<unsigned>(1 + seed % 3));
    o.fault_profile = {.delay_min = {}, .delay_max = milliseconds(3), .ignore_abort_chance = 0.5};
    o.limits.transition_timeout_ms = 200;
    world w(o);
    std::uint64_t closed = 0;
    {
        crossroads c(w);
        for (int step = 0; step < 200; ++step) {
            c.act();
            for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) w.round();
        }
        c.end();
        closed = c.closed();
    }
    w.rest();
    return closed;
}

TEST(paths, nothing_lands_by_a_path_once_it_is_closed) {
    std::uint64_t closed = 0, played = 0;
    many_seeds("paths that close", 1'000, [&](std::uint64_t seed) {
        closed += cross(seed);
        ++played;
    });
    EXPECT_GT(closed, 2 * played) << "hardly any path was closed";
}

/// One host by each listener, on reactors of their own.
struct pair_of_travellers {
    explicit pair_of_travellers(world& w) {
        first.who = host(0, one, 0);
        second.who = host(1, one, w.data_reactors() - 1);
        second.who.port = 4421;
        first.join(w);
        second.join(w);
    }
    traveller first, second;
};

TEST(paths, closing_one_waits_for_what_is_at_the_disk_and_for_nothing_else) {
    for (const unsigned reactors : {1u, 3u}) {
        world w(of_two_ways(1, reactors));
        {
            pair_of_travellers hosts(w);
            w.disk_named("a").set_stalled(true);
            const command_ref before = hosts.second.io->write(1, 0);
            w.run_for(milliseconds(10));
            const ticket_ref closing = w.ask(path(4421, ana_state::inaccessible));
            w.run_for(milliseconds(10));
            const command_ref other = hosts.first.io->write(1, 64);
            const command_ref late = hosts.second.io->write(1, 1);
            EXPECT_TRUE(w.wait(late, seconds(1))) << "from now on it is refused";
            EXPECT_TRUE(has(late, sc::ana_inaccessible));
            EXPECT_FALSE(closing->done()) << "its write is at the disk still";
            EXPECT_EQ(w.status_of(one).namespaces[0].parked, 0u) << "others do not wait for it";
            w.disk_named("a").set_stalled(false);
            EXPECT_TRUE(w.run_until([&] { return closing->done(); }, seconds(1)));
            EXPECT_TRUE(closing->ok());
            EXPECT_TRUE(w.wait(before) && succeeded(before));
            EXPECT_TRUE(w.wait(other) && succeeded(other));
        }
        w.rest();
    }
}

TEST(paths, what_is_parked_is_answered_and_others_stay_parked) {
    world w(of_two_ways(2, 1));
    {
        pair_of_travellers hosts(w);
        ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
        const command_ref mine = hosts.second.io->write(1, 0);
        const command_ref other = hosts.first.io->write(1, 64);
        w.run_for(milliseconds(10));
        ASSERT_TRUE(w.change(move_to_ana_group(one, 1, closed_group))->ok());
        EXPECT_TRUE(w.wait(mine, seconds(1))) << "it stays parked though its path is closed";
        EXPECT_TRUE(has(mine, sc::ana_inaccessible));
        EXPECT_FALSE(other->done);
        ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
        EXPECT_TRUE(w.wait(other) && succeeded(other));
    }
    w.rest();
}

TEST(paths, data_that_comes_afterwards_is_not_written) {
    for (const bool opened_again : {false, true}) {
        world w(of_two_ways(3, 1));
        {
            pair_of_travellers hosts(w);
            hosts.second.io->connection().set_sending_data(false);
            const command_ref owed = hosts.second.io->write(1, 0, 1, false);
            w.run_for(milliseconds(10));
            ASSERT_TRUE(w.change(path(4421, ana_state::inaccessible), seconds(1))->ok())
                << "nobody waits for a host";
            w.judge().host_removed(one, hosts.second.who.host);
            if (opened_again) {
                ASSERT_TRUE(w.change(path(4421, ana_state::optimized))->ok());
            }
            hosts.second.io->connection().set_sending_data(true);
            EXPECT_TRUE(w.wait(owed));
            EXPECT_TRUE(refused(owed)) << "it was told to be closed";
        }
        w.rest();
    }
}

TEST(paths, a_disk_that_gives_nothing_back_is_reported_until_it_does) {
    world_options o = of_two_ways(4, 1);
    o.fault_profile.ignore_abort_chance = 1;
    world w(o);
    {
        pair_of_travellers hosts(w);
        w.disk_named("a").set_stalled(true);
        const command_ref mine = hosts.second.io->write(1, 0);
        const command_ref other = hosts.first.io->write(1, 64);
        w.run_for(milliseconds(10));
        const core::change close = path(4421, ana_state::inaccessible);
        ticket_ref closing = w.change(close);
        ASSERT_TRUE(closing->done() && !closing->ok());
        EXPECT_EQ(closing->code(), errc::quiesce_incomplete);
        EXPECT_TRUE(w.wait(mine, seconds(1))) << "the deadline ended it";
        EXPECT_FALSE(other->done) << "and nothing of other paths";
        hosts.second.io->cut();
        hosts.second.admin->cut();
        closing = w.change(close);
        EXPECT_EQ(closing->code(), errc::quiesce_incomplete) << "asked again, it tells again";
        w.disk_named("a").set_stalled(false);
        EXPECT_TRUE(w.change(close)->ok());
        w.judge().host_removed(one, hosts.second.who.host);
        EXPECT_TRUE(w.wait(other) && succeeded(other));
    }
    w.rest();
}

}  // namespace
}  // namespace fulmar::sim
