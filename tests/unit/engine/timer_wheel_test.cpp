#include <fulmar/engine/timer_wheel.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace fulmar::engine {
namespace {

using namespace std::chrono_literals;

struct test_timer final : timer {
    test_timer() : timer([](timer& t) noexcept { static_cast<test_timer&>(t).expired(); }) {}
    void expired() noexcept {
        ++fired;
        at = *now;
    }
    const instant* now = nullptr;
    instant at{};
    int fired = 0;
};

constexpr instant start{1h};

class timer_wheel_test : public ::testing::Test {
  protected:
    void advance_to(instant to) {
        now = to;
        wheel.advance(now);
    }
    instant now = start;
    timer_wheel wheel{start};
};

TEST_F(timer_wheel_test, never_early_and_at_most_a_tick_late) {
    for (const duration after : {0ns + 1ns, 999us + 999ns, 1000000ns, 1500us + 0ns, 63ms + 0ns,
                                 64ms + 0ns, 65ms + 1ns, 4095ms + 0ns, 4096ms + 0ns, 5min + 1ns}) {
        test_timer t;
        t.now = &now;
        const instant deadline = now + after;
        wheel.arm(t, deadline);
        EXPECT_TRUE(t.armed());
        while (t.fired == 0 && now < deadline + 10ms) advance_to(now + 250us);
        EXPECT_EQ(t.fired, 1);
        EXPECT_GE(t.at, deadline);
        EXPECT_LE(t.at, deadline + 2ms);
        EXPECT_FALSE(t.armed());
    }
}

TEST_F(timer_wheel_test, a_deadline_in_the_past_fires_soon) {
    test_timer t;
    t.now = &now;
    advance_to(start + 100ms);
    wheel.arm(t, start);
    advance_to(start + 101ms);
    EXPECT_EQ(t.fired, 1);
}

TEST_F(timer_wheel_test, can_be_moved_and_cancelled) {
    test_timer moved, cancelled;
    moved.now = cancelled.now = &now;
    wheel.arm(moved, start + 10ms);
    wheel.arm(cancelled, start + 10ms);
    wheel.arm(moved, start + 50ms);
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    advance_to(start + 40ms);
    EXPECT_EQ(moved.fired, 0);
    advance_to(start + 60ms);
    EXPECT_EQ(moved.fired, 1);
    EXPECT_EQ(cancelled.fired, 0);
}

TEST_F(timer_wheel_test, a_handler_may_arm_and_cancel_anything) {
    struct chain final : timer {
        chain()
            : timer([](timer& t) noexcept {
                  auto& self = static_cast<chain&>(t);
                  ++self.fired;
                  if (self.victim != nullptr) self.wheel->cancel(*self.victim);
                  if (self.fired < 3) self.wheel->arm(self, *self.now);
              }) {}
        timer_wheel* wheel = nullptr;
        const instant* now = nullptr;
        timer* victim = nullptr;
        int fired = 0;
    } first;
    test_timer victim;
    first.wheel = &wheel;
    first.now = victim.now = &now;
    first.victim = &victim;
    wheel.arm(first, start + 5ms);
    wheel.arm(victim, start + 5ms);
    advance_to(start + 10ms);  // re-arming for "now" does not keep advance() busy for ever
    advance_to(start + 20ms);
    advance_to(start + 30ms);
    EXPECT_EQ(first.fired, 3);
    EXPECT_EQ(victim.fired, 0);
}

TEST_F(timer_wheel_test, says_when_to_look_again) {
    EXPECT_EQ(wheel.next_wakeup(), timer_wheel::never);
    test_timer near, far;
    near.now = far.now = &now;
    wheel.arm(far, start + 10min);
    EXPECT_LE(wheel.next_wakeup(), start + 10min + 1ms);
    EXPECT_GT(wheel.next_wakeup(), start);
    wheel.arm(near, start + 20ms);
    EXPECT_LE(wheel.next_wakeup(), start + 21ms);
    EXPECT_GE(wheel.next_wakeup(), start + 20ms);
    wheel.cancel(near);
    wheel.cancel(far);
    EXPECT_EQ(wheel.next_wakeup(), timer_wheel::never);
}

// A sleeper that only wakes at next_wakeup() misses nothing.
TEST_F(timer_wheel_test, sleeping_by_its_advice_is_never_late) {
    for (const duration after :
         {3ms + 0ns, 64ms + 0ns, 70ms + 0ns, 4s + 123us + 0ns, 1h + 1ns, 24h * 13 + 5ms + 0ns}) {
        test_timer t;
        t.now = &now;
        const instant deadline = now + after;
        wheel.arm(t, deadline);
        int wakes = 0;
        while (t.fired == 0) {
            ASSERT_LT(++wakes, 100);
            const instant next = wheel.next_wakeup();
            ASSERT_NE(next, timer_wheel::never);
            advance_to(std::max(next, now + 1us));
        }
        EXPECT_GE(t.at, deadline);
        EXPECT_LE(t.at, deadline + 2ms);
    }
}

TEST_F(timer_wheel_test, agrees_with_a_list_at_random) {
    std::mt19937_64 random(11);
    std::deque<test_timer> timers(200);
    std::deque<instant> expected(timers.size(), instant{});  // zero: not armed
    for (auto& t : timers) t.now = &now;
    for (int step = 0; step < 20'000; ++step) {
        const std::size_t i = random() % timers.size();
        switch (random() % 4) {
            case 0:
            case 1: {
                const auto span = std::uint64_t{1} << (random() % 40);
                expected[i] = now + duration(static_cast<std::int64_t>(random() % span));
                timers[i].fired = 0;
                wheel.arm(timers[i], expected[i]);
                break;
            }
            case 2:
                wheel.cancel(timers[i]);
                expected[i] = {};
                break;
            default:
                advance_to(now + duration(static_cast<std::int64_t>(random() % 20'000'000)));
                for (std::size_t k = 0; k < timers.size(); ++k) {
                    if (expected[k] == instant{}) continue;
                    if (timers[k].fired != 0) {
                        ASSERT_EQ(timers[k].fired, 1);
                        ASSERT_GE(timers[k].at, expected[k]);
                        expected[k] = {};
                        timers[k].fired = 0;
                    } else {
                        ASSERT_GT(expected[k] + 2ms, now) << "timer " << k << " is overdue";
                    }
                }
        }
    }
    for (auto& t : timers) wheel.cancel(t);
}

}  // namespace
}  // namespace fulmar::engine
