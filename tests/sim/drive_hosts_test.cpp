// Drives that vanish and return under the I/O of hosts, with the real driver and the whole target.
#include "churn.hpp"
#include "drive_actors.hpp"
#include "many_seeds.hpp"

#include <gtest/gtest.h>

#include <array>
#include <span>

namespace fulmar::sim {
namespace {

using backend::drive_state;
using core::loss_policy;

constexpr std::array both_policies{loss_policy::fail, loss_policy::hold};

/// When the second sign comes.
enum class second_report : std::uint8_t {
    at_once,
    soon,
    while_it_closes,
    after_release,
    after_return
};
constexpr std::uint64_t moment_count = 5;

bool due(drive_story& s, second_report when, std::uint32_t generation, instant since) {
    const backend::pcie_device* driver = s.w.slots().driver(drive_disk);
    switch (when) {
        case second_report::at_once: return true;
        case second_report::soon: return s.w.now() - since >= milliseconds(5);
        case second_report::while_it_closes: return s.w.slots().in(drive_disk).closing();
        case second_report::after_release: return driver->status().state == drive_state::absent;
        case second_report::after_return:
            return s.serves() && driver->status().generation != generation;
    }
    return false;
}

void play(const drive_case& c, std::span<const drive_fault> signs, second_report when) {
    drive_story s(c);
    s.w.run_for(milliseconds(20 + s.w.pick(60)));
    for (std::size_t i = 0; i < signs.size(); ++i) {
        const std::uint32_t generation = s.w.slots().driver(drive_disk)->status().generation;
        const instant since = s.w.now();
        s.give(signs[i]);
        if (i + 1 < signs.size())
            s.w.run_until([&] { return due(s, when, generation, since); }, seconds(3));
    }
    s.w.run_for(milliseconds(s.w.pick(1'500)));
    s.recover();
}

// Of each pair one moment and one policy, and by seed all others.
void play_pair(std::uint64_t seed) {
    const std::uint64_t pair = seed % (drive_fault_count * drive_fault_count);
    const std::uint64_t more = seed / (drive_fault_count * drive_fault_count) + pair;
    const std::array signs{static_cast<drive_fault>(pair / drive_fault_count),
                           static_cast<drive_fault>(pair % drive_fault_count)};
    const drive_case c{.seed = seed,
                       .on_loss = both_policies[more / moment_count % 2],
                       .operators = more / (2 * moment_count) % 2 == 0};
    const auto when = static_cast<second_report>(more % moment_count);
    SCOPED_TRACE(fmt::format("{}, then {}, gap {}, {}", to_string(signs[0]), to_string(signs[1]),
                             static_cast<int>(when),
                             c.on_loss == loss_policy::hold ? "hold" : "fail"));
    play(c, signs, when);
}

TEST(drive_hosts, any_two_signs_are_answered_as_promised) {
    for (std::uint64_t seed = 0; seed < drive_fault_count * drive_fault_count; ++seed) {
        play_pair(seed);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(drive_hosts, any_two_signs_at_any_moment_are_answered_as_promised) {
    many_seeds("drives that two signs are given of", 250, play_pair);
}

TEST(drive_hosts, each_sign_alone_is_answered_as_promised) {
    std::uint64_t seed = 0;
    for (const loss_policy on_loss : both_policies)
        for (std::size_t a = 0; a < drive_fault_count; ++a) {
            const std::array signs{static_cast<drive_fault>(a)};
            SCOPED_TRACE(fmt::format("{}, {}", to_string(signs[0]),
                                     on_loss == loss_policy::hold ? "hold" : "fail"));
            play({.seed = ++seed, .on_loss = on_loss}, signs, second_report::at_once);
            if (::testing::Test::HasFailure()) return;
        }
}

// --- while something else goes on ----------------------------------------------------------------

/// What operators do just then.
struct transition {
    const char* name;
    core::change (*change)(const drive_case&);
    bool from_paused = false;
    bool from_removed = false;
};
constexpr std::array transitions{
    transition{"attach",
               [](const drive_case& c) -> core::change {
                   return core::add_namespace{one, on_drive(c)};
               },
               false, true},
    transition{"remove",
               [](const drive_case&) -> core::change {
                   return core::remove_namespace{one, 1};
               }},
    transition{"pause",
               [](const drive_case&) -> core::change { return core::pause_subsystem{one}; }},
    transition{"resume",
               [](const drive_case&) -> core::change { return core::resume_subsystem{one}; }, true},
    transition{"remove while paused",
               [](const drive_case&) -> core::change {
                   return core::remove_namespace{one, 1};
               },
               true},
    transition{"delete",
               [](const drive_case&) -> core::change { return core::delete_subsystem{one}; }},
    transition{
        "reopen",
        [](const drive_case& c) -> core::change { return core::reopen_device{c.drives[0]}; }},
    transition{"resize",
               [](const drive_case& c) -> core::change {
                   return core::resize_device{c.drives[0], 0};
               }},
    transition{"ANA change", [](const drive_case&) -> core::change {
                   return core::set_ana_state{one, 1, core::ana_state::non_optimized};
               }}};

// The drive grows, or shrinks again, and says so.
void resize(drive_story& s) {
    test::fake_drive& sim_drive = s.w.slots().in(drive_disk).drive();
    sim_drive.resize_namespace(1, 768 + s.w.pick(2) * 256);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
}

void lose_during(const transition& t, drive_fault sign, const drive_case& c) {
    drive_story s(c);
    s.w.run_for(milliseconds(20 + s.w.pick(60)));
    if (t.from_removed) (void)s.w.change(core::remove_namespace{one, 1});
    if (t.from_paused) (void)s.w.change(core::pause_subsystem{one});
    const bool sign_first = s.w.pick(4) == 0;
    if (sign_first) s.give(sign);
    for (auto n = s.w.pick(12); n != 0; --n) s.w.round();
    if (s.w.pick(2) == 0) resize(s);
    const ticket_ref asked = s.w.ask(t.change(c));
    for (auto n = s.w.pick(12); n != 0; --n) s.w.round();
    if (!sign_first) s.give(sign);
    // Also while hosts owe what a deadline would not wait for, it ends without one.
    EXPECT_TRUE(s.w.run_until([&] { return asked->done(); }, seconds(9))) << asked->text;
    if (asked->done() && !asked->ok()) {
        EXPECT_NE(asked->code(), errc::quiesce_incomplete) << asked->outcome.error().text();
    }
    if (s.w.pick(2) == 0) s.w.run_for(milliseconds(s.w.pick(1'000)));
    s.restore();
    s.recover();
}

TEST(drive_hosts, a_loss_during_any_transition_ends_both) {
    std::uint64_t seed = 1'000;
    for (const transition& t : transitions)
        for (std::size_t a = 0; a < drive_fault_count; ++a) {
            ++seed;
            const auto sign = static_cast<drive_fault>(a);
            const loss_policy on_loss = both_policies[(seed + a) % 2];
            SCOPED_TRACE(fmt::format("{} during {}, {}", to_string(sign), t.name,
                                     on_loss == loss_policy::hold ? "hold" : "fail"));
            lose_during(
                t, sign,
                {.seed = seed, .on_loss = on_loss, .operators = seed % 3 == 0, .removals = true});
            if (::testing::Test::HasFailure()) return;
        }
}

TEST(drive_hosts, a_loss_at_any_moment_of_a_transition_ends_both) {
    many_seeds("drives that are lost during a transition", 150, [](std::uint64_t seed) {
        const transition& t = transitions[seed % transitions.size()];
        const auto sign = static_cast<drive_fault>(seed / transitions.size() % drive_fault_count);
        SCOPED_TRACE(fmt::format("{} during {}", to_string(sign), t.name));
        const std::uint64_t more = seed / transitions.size() / drive_fault_count;
        lose_during(t, sign,
                    {.seed = seed,
                     .on_loss = both_policies[more % 2],
                     .operators = more % 4 < 2,
                     .removals = true});
    });
}

// --- two drives ----------------------------------------------------------------------------------

TEST(drive_hosts, two_drives_that_are_lost_at_once_come_back_each_by_itself) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        drive_case c{.seed = seed, .on_loss = both_policies[seed % 2], .operators = seed % 4 < 2};
        c.drives = {drive_disk, "second"};
        drive_story s(c);
        s.w.run_for(milliseconds(20 + s.w.pick(60)));
        s.give(static_cast<drive_fault>(s.w.pick(drive_fault_count)), "second");
        for (auto n = s.w.pick(3) * s.w.pick(40); n != 0; --n) s.w.round();
        s.give(static_cast<drive_fault>(seed % drive_fault_count), drive_disk);
        s.w.run_for(milliseconds(s.w.pick(2'000)));
        s.recover();
        if (::testing::Test::HasFailure()) return;
    }
}

// --- what hosts and gates have in their hands ----------------------------------------------------

/// One host, whose commands the scenario sends by itself.
struct quiet_story {
    explicit quiet_story(const drive_case& c, bool ana_events = false)
        : about(c), w(around(about)), admin(w.admin(host())) {
        const auto asked =
            admin->admin(nvme::admin_opcode::set_features, 0, 0, 0x0b, ana_events ? 1u << 11 : 0u);
        EXPECT_TRUE(w.wait(asked) && succeeded(asked));
        io = w.io(*admin, 1, 0);
        EXPECT_TRUE(becomes(drive_state::ready));
        EXPECT_TRUE(w.run_until([&] { return namespace_state() == "ready"; }));
    }
    bool becomes(drive_state wanted, duration limit = seconds(30)) {
        return w.run_until([&] { return w.slots().state(drive_disk) == wanted; }, limit);
    }
    std::string namespace_state() { return w.status_of(one).namespaces.at(0).transition.state; }
    void come_back() {
        w.slots().heal(drive_disk);
        EXPECT_TRUE(w.run_until([&] { return w.slots().healthy(drive_disk); }));
        w.give(drive_disk, drive_fault::arrival);
        EXPECT_TRUE(becomes(drive_state::ready));
        EXPECT_TRUE(w.run_until([&] { return namespace_state() == "ready"; }));
    }
    void expect_serves() {
        const auto read = io->read(1, 0, 4);
        EXPECT_TRUE(w.wait(read, seconds(5)) && succeeded(read)) << nvme::describe(read->status);
    }
    [[nodiscard]] bool fails() const { return about.on_loss == loss_policy::fail; }

    drive_case about;
    world w;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
};

::testing::AssertionResult is_told_of_loss(const command_ref& c, const quiet_story& s) {
    if (!s.fails()) return has(c, sc::namespace_not_ready);
    if (c->done && c->answered && !c->status.dnr)
        return ::testing::AssertionFailure() << "hosts would try again";
    return has(c, sc::internal_error);
}

// Issue 3467, with a real drive: requests wait at a fence, and their drive goes.
TEST(drive_hosts, what_is_parked_when_its_drive_goes_is_answered_or_waits) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        quiet_story s({.seed = seed, .on_loss = both_policies[seed % 2]});
        ASSERT_TRUE(s.w.change(core::pause_subsystem{one})->ok());
        const auto write = s.io->write(1, 0, 2, seed % 3 == 0);
        const auto read = s.io->read(1, 2);
        const auto neighbour = s.io->read(2, 0);
        s.w.run_for(milliseconds(20));
        EXPECT_FALSE(write->done || read->done || neighbour->done);
        s.w.give(drive_disk, drive_fault::removed);
        ASSERT_TRUE(s.becomes(drive_state::absent));
        s.w.run_for(milliseconds(20));
        EXPECT_FALSE(neighbour->done);
        if (s.fails()) {
            EXPECT_TRUE(is_told_of_loss(write, s) && is_told_of_loss(read, s));
        } else {
            EXPECT_FALSE(write->done || read->done) << "they can wait for their drive";
        }
        const bool opens_first = seed % 4 < 2;
        if (!opens_first) s.come_back();
        ASSERT_TRUE(s.w.change(core::resume_subsystem{one})->ok());
        if (opens_first) s.come_back();
        ASSERT_TRUE(s.w.wait(neighbour, seconds(1)) && s.w.wait(write, seconds(1)) &&
                    s.w.wait(read, seconds(1)));
        EXPECT_TRUE(has(neighbour, sc::success));
        if (!s.fails()) {
            EXPECT_TRUE(has(write, sc::success) && has(read, sc::success));
        }
        s.expect_serves();
        if (::testing::Test::HasFailure()) return;
    }
}

// What the drive that is gone was to get does not go to the one that comes back.
TEST(drive_hosts, data_that_comes_after_its_drive_is_gone_is_written_nowhere) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        quiet_story s({.seed = seed, .on_loss = both_policies[seed % 2]});
        s.io->connection().set_sending_data(false);
        const auto write = s.io->write(1, 0, 96, false);
        s.w.run_for(milliseconds(20));
        s.w.give(drive_disk, seed % 4 < 2 ? drive_fault::removed : drive_fault::bus_error);
        ASSERT_TRUE(s.becomes(drive_state::releasing));
        const bool returns_first = seed % 3 != 0;
        if (returns_first) s.come_back();
        EXPECT_FALSE(write->done) << "its data is on its way";
        s.io->connection().set_sending_data(true);
        ASSERT_TRUE(s.w.wait(write, seconds(5)));
        EXPECT_TRUE(is_told_of_loss(write, s));
        if (!returns_first) s.come_back();
        const auto read = s.io->read(1, 0);
        ASSERT_TRUE(s.w.wait(read, seconds(5)) && succeeded(read));
        EXPECT_EQ(read_stamp(read->data.data()).tag, 0u) << "it landed";
        if (::testing::Test::HasFailure()) return;
    }
}

// A host that follows ANA keeps its I/O; the drive of a namespace that is removed meanwhile backs
// another, and nothing of the first reaches it.
TEST(drive_hosts, what_was_sent_to_a_lost_drive_does_not_reach_the_next_namespace_on_it) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        quiet_story s({.seed = seed, .on_loss = both_policies[seed % 2]}, true);
        s.w.slots().in(drive_disk).drive().hold(true);
        std::vector<command_ref> sent;
        for (std::uint64_t i = 0; i < 12; ++i) sent.push_back(s.io->write(1, i * 4, 4, i % 2 == 0));
        s.w.run_for(milliseconds(20));
        s.w.give(drive_disk, seed % 4 < 2 ? drive_fault::removed : drive_fault::bus_error);
        for (const auto& c : sent) ASSERT_TRUE(s.w.wait(c, seconds(9)));
        for (const auto& c : sent)
            EXPECT_TRUE(has(c, s.fails() ? sc::internal_error : sc::ana_inaccessible));
        ASSERT_TRUE(s.w.change(core::remove_namespace{one, 1})->ok());
        s.w.slots().heal(drive_disk);
        ASSERT_TRUE(s.w.run_until([&] { return s.w.slots().healthy(drive_disk); }));
        s.w.give(drive_disk, drive_fault::arrival);
        ASSERT_TRUE(s.becomes(drive_state::ready));
        ASSERT_TRUE(s.w.change(core::add_namespace{one, on_drive(s.about)})->ok());
        for (std::uint64_t i = 0; i < 12; ++i) {
            const auto read = s.io->read(1, i * 4, 4);
            ASSERT_TRUE(s.w.wait(read, seconds(5)));
            ASSERT_TRUE(has(read, sc::success));
            EXPECT_EQ(read_stamp(read->data.data()).tag, 0u);
        }
        if (::testing::Test::HasFailure()) return;
    }
}

// Hosts have their answers, and the drive, which has heard of nothing yet, goes on.
TEST(drive_hosts, a_drive_that_goes_on_after_its_loss_has_what_was_lent_to_it) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        quiet_story s({.seed = seed, .on_loss = both_policies[seed % 2]});
        test::fake_drive& drive = s.w.slots().in(drive_disk).drive();
        drive.hold(true);
        std::vector<command_ref> sent;
        for (std::uint64_t i = 0; i < 12; ++i)
            sent.push_back(i % 2 == 0 ? s.io->read(1, i * 4, 4) : s.io->write(1, i * 4, 4));
        ASSERT_TRUE(s.w.run_until([&] { return drive.held() == sent.size(); }));
        s.w.give(drive_disk, drive_fault::bus_error);
        for (const auto& c : sent) {
            ASSERT_TRUE(s.w.wait(c, seconds(1)));
            EXPECT_TRUE(is_told_of_loss(c, s));
        }
        drive.hold(false);
        std::vector<command_ref> others;
        for (std::uint64_t i = 0; i < 12; ++i) others.push_back(s.io->read(2, i * 4, 4));
        for (const auto& c : others) EXPECT_TRUE(s.w.wait(c, seconds(5)) && succeeded(c));
        s.come_back();
        s.expect_serves();
        if (::testing::Test::HasFailure()) return;
    }
}

// --- which drive it is ---------------------------------------------------------------------------

TEST(drive_hosts, another_drive_in_the_slot_never_serves_under_the_old_name) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        quiet_story s({.seed = seed, .on_loss = both_policies[seed % 2]});
        const auto before = s.io->write(1, 0, 4);
        ASSERT_TRUE(s.w.wait(before) && succeeded(before));
        sim_drive& slot = s.w.slots().in(drive_disk);
        const test::fake_drive::options mine = slot.what();
        s.w.give(drive_disk, drive_fault::silent_ones);
        if (seed % 2 == 0) (void)s.io->read(1, 0);
        s.w.give(drive_disk, drive_fault::removed);
        test::fake_drive::options other = mine;
        other.serial = "ANOTHER";
        ASSERT_TRUE(s.w.run_until([&] { return slot.replace(other); }));
        const std::uint32_t openings = slot.drive().openings();
        s.w.give(drive_disk, drive_fault::arrival);
        ASSERT_TRUE(s.w.run_until([&] { return slot.drive().openings() > openings; }));
        ASSERT_TRUE(s.becomes(drive_state::absent));
        EXPECT_EQ(s.w.slots().driver(drive_disk)->status().last_loss,
                  backend::loss_cause::other_drive);
        EXPECT_EQ(s.namespace_state(), "lost");
        const auto read = s.io->read(1, 0, 4);
        s.w.run_for(milliseconds(200));
        if (s.fails()) {
            EXPECT_TRUE(is_told_of_loss(read, s));
        } else {
            EXPECT_FALSE(read->done) << "it waits for the drive that was there";
        }
        ASSERT_TRUE(s.w.run_until([&] { return slot.replace(mine); }));
        s.w.give(drive_disk, drive_fault::arrival);
        ASSERT_TRUE(s.becomes(drive_state::ready));
        ASSERT_TRUE(s.w.wait(read, seconds(5)));
        const auto again = s.io->read(1, 0, 4);
        ASSERT_TRUE(s.w.wait(again, seconds(5)) && succeeded(again));
        EXPECT_EQ(read_stamp(again->data.data()).tag, before->tag) << "it is the same drive";
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(drive_hosts, a_detached_drive_stays_away_whatever_comes) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        quiet_story s({.seed = seed, .on_loss = both_policies[seed % 2]});
        sim_drive& slot = s.w.slots().in(drive_disk);
        const auto write = s.io->write(1, 0, 4, false);
        for (auto n = s.w.pick(10); n != 0; --n) s.w.round();
        const auto asked = s.w.change(core::detach_device{drive_disk, seed % 4 < 2});
        ASSERT_TRUE(asked->ok());
        if (seed % 3 == 0)  // in the middle of it
            s.w.give(drive_disk, static_cast<drive_fault>(s.w.pick(6)));
        ASSERT_TRUE(s.w.wait(write, seconds(15)));
        ASSERT_TRUE(s.becomes(drive_state::absent));
        const std::uint32_t openings = slot.drive().openings();
        for (int i = 0; i < 6; ++i) {
            const std::array later{drive_fault::request, drive_fault::bus_error,
                                   drive_fault::removed, drive_fault::fatal, drive_fault::arrival};
            s.w.give(drive_disk, later[s.w.pick(later.size())]);
            s.w.slots().heal(drive_disk);
            (void)s.w.ask(core::reopen_device{drive_disk});
            (void)s.w.ask(core::pause_subsystem{one});
            (void)s.w.ask(core::resume_subsystem{one});
            s.w.run_for(seconds(1 + s.w.pick(6)));
        }
        EXPECT_EQ(slot.drive().openings(), openings) << "it was taken again";
        EXPECT_FALSE(slot.drive().is_open());
        EXPECT_EQ(s.namespace_state(), "lost");
        ASSERT_TRUE(s.w.run_until([&] { return s.w.slots().healthy(drive_disk); }));
        ASSERT_TRUE(s.w.change(core::attach_device{drive_disk})->ok());
        ASSERT_TRUE(s.becomes(drive_state::ready));
        ASSERT_TRUE(s.w.run_until([&] { return s.namespace_state() == "ready"; }));
        s.expect_serves();
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(drive_hosts, a_controller_reset_in_the_middle_of_a_loss_ends) {
    for (std::uint64_t seed = 1; seed <= 36; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        drive_story s({.seed = seed, .on_loss = both_policies[seed % 2], .operators = false});
        s.w.run_for(milliseconds(20 + s.w.pick(60)));
        s.give(static_cast<drive_fault>(seed % drive_fault_count));
        for (int i = 0; i < 4; ++i) {
            for (auto n = s.w.pick(2) * s.w.pick(60); n != 0; --n) s.w.round();
            s.hosts[s.w.pick(2)]->reset();
        }
        s.w.run_for(milliseconds(s.w.pick(2'000)));
        s.recover();
        if (::testing::Test::HasFailure()) return;
    }
}

// --- everything at once --------------------------------------------------------------------------

TEST(drive_hosts, churn_with_drives_comes_to_rest) {
    many_seeds("churn with drives", 1'200, [](std::uint64_t seed) {
        (void)churn(seed, 1 + static_cast<unsigned>(seed % 3), 1 + static_cast<unsigned>(seed % 2));
    });
}

TEST(drive_hosts, replays_a_seed_step_for_step) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        const std::uint64_t first = churn(seed, 2, 2);
        EXPECT_EQ(churn(seed, 2, 2), first) << "seed " << seed;
        EXPECT_NE(churn(seed + 100, 2, 2), first);
    }
}

}  // namespace
}  // namespace fulmar::sim
