// Every sign that a drive is lost, in every order and at every point of its life. Exactly one loss
// is told of each incarnation, each operation is answered once, no memory is reached after it was
// given back, and in the end the drive rests and serves when it is wanted.
#include "drive_world.hpp"
#include "many_seeds.hpp"

#include <gtest/gtest.h>

namespace fulmar::sim {
namespace {

using backend::drive_state;
using backend::loss_cause;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Where the drive is when the first sign comes.
enum class place : std::uint8_t { attaching, linking, idle, busy, crowded, draining, releasing };
/// When the second one comes.
enum class gap : std::uint8_t { at_once, soon, while_it_closes, after_release, after_return };
constexpr std::array all_gaps{gap::at_once, gap::soon, gap::while_it_closes, gap::after_release,
                              gap::after_return};

constexpr std::size_t more_than_the_queues_hold = 700;

bool reached(drive_world& w, place where, int stage) {
    switch (where) {
        case place::attaching:
            return w.state() == drive_state::attaching && w.sim_drive().is_open();
        case place::linking: return w.state() == drive_state::linking;
        case place::idle: return w.state() == drive_state::ready;
        case place::busy: return stage > 0 && w.sim_drive().held() > 0;
        case place::crowded: return stage > 0 && w.sim_drive().held() > 255;
        case place::draining:
        case place::releasing: return stage > 1 && w.state() == drive_state::releasing;
    }
    return false;
}

// Leads there.
void prepare(drive_world& w, place where, int& stage) {
    if (where == place::attaching || where == place::linking || where == place::idle) return;
    if (stage == 0 && w.state() == drive_state::ready) {
        w.sim_drive().hold(true);
        w.submit(where == place::crowded ? more_than_the_queues_hold : 40);
        stage = 1;
    } else if (stage == 1 && w.sim_drive().held() > 0) {
        stage = 2;
        if (where == place::draining) w.give(drive_fault::drain);
        if (where == place::releasing) w.give(drive_fault::removed);
    }
}

bool due(drive_world& w, gap when, std::uint32_t generation, instant since) {
    switch (when) {
        case gap::at_once: return true;
        case gap::soon: return w.now() - since >= milliseconds(1);
        case gap::while_it_closes: return w.closing();
        case gap::after_release: return w.state() == drive_state::absent;
        case gap::after_return:
            return w.state() == drive_state::ready && w.status().generation != generation;
    }
    return false;
}

// True: whatever keeps it away has been taken back. Of what the drive itself says, nobody knows
// when it is heard of.
bool wanted_in_the_end(place where, std::span<const drive_fault> signs) {
    bool away = where == place::releasing;
    bool detached = where == place::draining;
    for (const drive_fault s : signs) {
        if (s == drive_fault::request || s == drive_fault::silent_zeros ||
            s == drive_fault::silent_ones)
            return false;
        if (s == drive_fault::removed) away = true;
        if (s == drive_fault::detach || s == drive_fault::drain) detached = true;
        if (s == drive_fault::attach) away = detached = false;
        if (s == drive_fault::arrival && !detached) away = false;
    }
    return !away && !detached;
}

void play(std::uint64_t seed, place where, std::span<const drive_fault> signs, gap when) {
    drive_world w(seed);
    int stage = 0;
    std::size_t given = 0;
    std::uint32_t generation = 0;
    instant since{};
    w.watch([&] {
        if (given == 0) prepare(w, where, stage);
        while (given < signs.size()) {
            if (given == 0 ? !reached(w, where, stage) : !due(w, when, generation, since)) return;
            generation = w.status().generation;
            since = w.now();
            w.give(signs[given++]);
        }
    });
    ASSERT_TRUE(w.run_until([&] { return given != 0; })) << w.trace_tail();
    // A sign in the registers is noticed when something waits for the drive.
    w.run_for(milliseconds(200));
    if (w.unanswered() == 0) w.submit(40);
    w.run_until([&] { return given == signs.size(); }, seconds(8));
    w.run_for(seconds(1));
    w.expect_rest(wanted_in_the_end(where, signs.first(given)));
}

void every_pair(place where) {
    std::uint64_t seed = 1;
    for (std::size_t a = 0; a < drive_fault_count; ++a)
        for (std::size_t b = 0; b < drive_fault_count; ++b)
            for (const gap when : all_gaps) {
                const std::array signs{static_cast<drive_fault>(a), static_cast<drive_fault>(b)};
                SCOPED_TRACE(fmt::format("{}, then {}, gap {}", to_string(signs[0]),
                                         to_string(signs[1]), static_cast<int>(when)));
                play(++seed, where, signs, when);
                if (::testing::Test::HasFailure()) return;
            }
}

TEST(drive_loss, any_two_signs_while_it_is_brought_up_are_one_loss) {
    every_pair(place::attaching);
}
TEST(drive_loss, any_two_signs_while_reactors_get_their_queues_are_one_loss) {
    every_pair(place::linking);
}
TEST(drive_loss, any_two_signs_of_an_idle_drive_are_one_loss) { every_pair(place::idle); }
TEST(drive_loss, any_two_signs_with_commands_outstanding_are_one_loss) { every_pair(place::busy); }
TEST(drive_loss, any_two_signs_with_operations_that_wait_for_the_queue_are_one_loss) {
    every_pair(place::crowded);
}
TEST(drive_loss, any_two_signs_during_a_drain_are_one_loss) { every_pair(place::draining); }
TEST(drive_loss, any_two_signs_while_it_is_given_back_change_nothing) {
    every_pair(place::releasing);
}

TEST(drive_loss, any_three_signs_are_one_loss) {
    many_seeds("three signs", 1'400, [](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        std::array<drive_fault, 3> signs{};
        for (drive_fault& s : signs) s = static_cast<drive_fault>(random() % drive_fault_count);
        const auto where = static_cast<place>(random() % 7);
        SCOPED_TRACE(fmt::format("place {}, {}, {}, {}", static_cast<int>(where),
                                 to_string(signs[0]), to_string(signs[1]), to_string(signs[2])));
        play(seed, where, signs, all_gaps[random() % all_gaps.size()]);
    });
}

TEST(drive_loss, an_arrival_after_a_removal_counts_while_it_is_brought_up) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        drive_world w(seed);
        ASSERT_TRUE(w.run_until([&] { return w.sim_drive().is_open(); }));
        ASSERT_EQ(w.state(), drive_state::attaching);
        w.give(drive_fault::removed);
        w.give(drive_fault::arrival);
        ASSERT_TRUE(w.becomes(drive_state::ready)) << "the arrival is forgotten\n"
                                                   << w.trace_tail();
        EXPECT_EQ(w.status().generation, 2u);
    }
}

TEST(drive_loss, a_request_for_a_drive_that_is_being_reset_is_heard) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        drive_world w(seed);
        ASSERT_TRUE(w.becomes(drive_state::ready));
        w.report_loss(loss_cause::bus_error);
        w.give(drive_fault::request);
        ASSERT_TRUE(w.rest());
        w.run_for(seconds(20));
        EXPECT_EQ(w.state(), drive_state::absent) << "it is taken back from whoever wanted it\n"
                                                  << w.trace_tail();
        EXPECT_EQ(w.status().generation, 1u);
        w.give(drive_fault::arrival);
        EXPECT_TRUE(w.becomes(drive_state::ready));
    }
}

TEST(drive_loss, the_first_sign_counts_while_it_is_brought_up) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        drive_world w(seed);
        ASSERT_TRUE(w.run_until([&] { return w.sim_drive().is_open(); }));
        ASSERT_EQ(w.state(), drive_state::attaching);
        w.report_loss(loss_cause::removed);
        w.report_loss(loss_cause::bus_error);
        w.report_loss(loss_cause::silent);
        ASSERT_TRUE(w.rest());
        EXPECT_EQ(w.state(), drive_state::absent) << w.trace_tail();
        EXPECT_EQ(w.status().last_loss, loss_cause::removed);
        EXPECT_EQ(w.status().late_reports, 2u);
        EXPECT_EQ(w.status().losses, 1u);
        EXPECT_EQ(w.losses(), 0) << "nobody was told that it was there";
    }
}

TEST(drive_loss, five_seconds_of_silence_on_its_admin_queue_are_one) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        drive_world w(seed);
        ASSERT_TRUE(w.becomes(drive_state::ready));
        ASSERT_TRUE(w.run_until([&] { return w.sim_drive().event_requests() > 0; }));
        w.run_for(seconds(1));
        w.sim_drive().ignore_admin(true);
        w.run_for(seconds(20));
        EXPECT_EQ(w.losses(), 0) << "nobody has asked it anything";
        w.sim_drive().raise(nvme::event::spare);
        const instant asked = w.now();
        // Its I/O goes on meanwhile: that is no excuse.
        w.run_until(
            [&] {
                if (w.unanswered() == 0) w.submit(4);
                return w.losses() == 1;
            },
            seconds(30));
        EXPECT_EQ(w.status().last_loss, loss_cause::timed_out) << w.trace_tail();
        EXPECT_GE(w.now() - asked, seconds(5));
        EXPECT_LE(w.now() - asked, seconds(10));
        w.sim_drive().ignore_admin(false);
        w.expect_rest(true);
        EXPECT_EQ(w.losses(), 1);
    }
}

// Many signs, loads and returns at random moments, also while the driver's jobs block.
std::uint64_t anything(std::uint64_t seed) {
    drive_world w(seed);
    const std::uint64_t hurry = 20 + w.pick(2'000);
    std::uint64_t left = 3 + w.pick(12);
    w.watch([&] {
        if (left == 0 || !w.one_in(hurry)) return;
        if (w.one_in(3)) return w.submit(1 + w.pick(w.one_in(4) ? 600 : 40));
        if (w.one_in(6)) return w.sim_drive().hold(w.one_in(2));
        if (w.one_in(8)) return w.sim_drive().ignore_admin(true);
        if (w.one_in(8)) return w.sim_drive().never_become_ready(true);
        --left;
        w.give(static_cast<drive_fault>(w.pick(drive_fault_count)));
    });
    w.run_until([&] { return left == 0; }, seconds(30));
    w.run_for(milliseconds(w.pick(3'000)));
    w.expect_rest();
    return w.trace_hash();
}

TEST(drive_loss, signs_and_returns_at_any_moment_come_to_rest) {
    many_seeds("drives that come and go", 2'500, [](std::uint64_t seed) { (void)anything(seed); });
}

TEST(drive_loss, replays_a_seed_step_for_step) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        const std::uint64_t first = anything(seed);
        EXPECT_EQ(anything(seed), first) << "seed " << seed;
        EXPECT_NE(anything(seed + 100), first);
    }
}

}  // namespace
}  // namespace fulmar::sim
