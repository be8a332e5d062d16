// The checks that run at compile time, checked at compile time: each refuses a table that is wrong
// in its way.
#include <fulmar/base/state_table.hpp>
#include <fulmar/core/awaited_acks.hpp>
#include <fulmar/core/device_claim.hpp>
#include <fulmar/core/group_rules.hpp>
#include <fulmar/core/operation_steps.hpp>

#include <gtest/gtest.h>

namespace fulmar::core {
namespace {

enum class lamp : std::uint8_t { off, on, broken };
enum class press : std::uint8_t { button, hammer, repair };
using lamp_edge = edge<lamp, press>;

constexpr std::array good{lamp_edge{lamp::off, press::button, lamp::on},
                          lamp_edge{lamp::on, press::button, lamp::off},
                          lamp_edge{lamp::on, press::hammer, lamp::broken},
                          lamp_edge{lamp::broken, press::repair, lamp::off}};
constexpr std::array ambiguous{lamp_edge{lamp::off, press::button, lamp::on},
                               lamp_edge{lamp::on, press::button, lamp::off},
                               lamp_edge{lamp::off, press::button, lamp::broken}};
constexpr std::array dead_end{lamp_edge{lamp::off, press::button, lamp::on},
                              lamp_edge{lamp::on, press::button, lamp::off},
                              lamp_edge{lamp::on, press::hammer, lamp::broken}};
// What only turns in a circle of its own is no way out.
constexpr std::array circle{lamp_edge{lamp::off, press::button, lamp::on},
                            lamp_edge{lamp::on, press::hammer, lamp::broken},
                            lamp_edge{lamp::broken, press::hammer, lamp::broken}};
constexpr std::array forgetful{lamp_edge{lamp::off, press::button, lamp::on},
                               lamp_edge{lamp::on, press::hammer, lamp::off}};
// Nothing leads to `off`, so looking at targets alone would not see that it cannot get to `broken`.
constexpr std::array no_way_there{lamp_edge{lamp::off, press::button, lamp::on},
                                  lamp_edge{lamp::on, press::button, lamp::on}};

static_assert(is_deterministic(good));
static_assert(!is_deterministic(ambiguous));

static_assert(always_reaches(good, lamp::off));
static_assert(!always_reaches(dead_end, lamp::off));
static_assert(!always_reaches(circle, lamp::off));
static_assert(!always_reaches(no_way_there, lamp::broken));
static_assert(reaches(good, lamp::off, lamp::broken) && !reaches(circle, lamp::on, lamp::off));

static_assert(always_leaves(good));
static_assert(!always_leaves(dead_end));
static_assert(always_leaves(dead_end, std::array{lamp::broken}));
static_assert(!always_leaves(circle), "an edge to itself is not a way out");

static_assert(is_complete<lamp::broken, press::repair>(good));
static_assert(!is_complete<lamp::broken, press::hammer>(forgetful), "no broken");
static_assert(!is_complete<lamp::on, press::repair>(forgetful), "no repair");

static_assert(all_have_edge(good, std::array{lamp::off, lamp::on}, press::button));
static_assert(!all_have_edge(good, std::array{lamp::off, lamp::on}, press::hammer));
static_assert(next_state(good, lamp::broken, press::button) == std::nullopt);

TEST(awaited_acks, end_with_the_last_one_and_drop_everything_stale) {
    awaited_acks a;
    a.begin(7, 3);
    EXPECT_EQ(a.on_ack(0, 6, true, 0), ack_verdict::stale);
    EXPECT_EQ(a.on_ack(0, 7, true, 2), ack_verdict::more);
    EXPECT_EQ(a.on_ack(0, 7, true, 2), ack_verdict::stale) << "the same one, again";
    EXPECT_EQ(a.on_ack(2, 7, false, 1), ack_verdict::more);
    EXPECT_EQ(a.on_ack(1, 7, true, 0), ack_verdict::last);
    EXPECT_EQ(a.on_ack(1, 7, true, 0), ack_verdict::stale);
    EXPECT_TRUE(a.failed);
    EXPECT_EQ(a.unreaped, 3u);
    a.begin(8, 64);
    for (std::uint32_t g = 0; g < 63; ++g) ASSERT_EQ(a.on_ack(g, 8, true, 0), ack_verdict::more);
    EXPECT_EQ(a.on_ack(63, 8, true, 0), ack_verdict::last);
    EXPECT_FALSE(a.failed);
}

// A poll group that has been told once is not told again and again while it waits.
TEST(awaited_acks, tell_each_poll_group_once_that_the_deadline_has_passed) {
    awaited_acks a;
    a.begin(7, 2);
    EXPECT_FALSE(a.must_escalate(0, 0));
    a.on_deadline();
    EXPECT_TRUE(a.must_escalate(0, 0));
    EXPECT_TRUE(a.must_escalate(0, 6)) << "it was told about a former one";
    EXPECT_FALSE(a.must_escalate(0, 7));
    (void)a.on_ack(0, 7, true, 0);
    EXPECT_FALSE(a.must_escalate(0, 6)) << "it has answered";
}

TEST(device_claim, is_for_one_and_not_while_somebody_holds_it) {
    device_claim c;
    EXPECT_EQ(c.verdict(), claim_verdict::free);
    c.take();
    EXPECT_EQ(c.verdict(), claim_verdict::used);
    c.hold();
    c.hold();
    c.release();
    EXPECT_EQ(c.verdict(), claim_verdict::held);
    EXPECT_FALSE(c.let_go());
    EXPECT_TRUE(c.let_go());
    EXPECT_EQ(c.verdict(), claim_verdict::free);
}

// Some poll groups have opened, one could not: all fence again before it is called paused.
TEST(operation_steps, undo_an_opening_that_failed_everywhere) {
    operation_inputs inputs;
    inputs.subsystem = subsystem_state::resuming;
    inputs.failed = true;
    const operation_step step = next_step(operation_kind::resume, operation_stage::opening, inputs);
    EXPECT_EQ(step.ask, group_action::quiesce_subsystem);
    EXPECT_EQ(step.end, operation_end::none);
    inputs.failed = false;
    const operation_step last = next_step(operation_kind::resume, step.next, inputs);
    EXPECT_EQ(last.at_subsystem, subsystem_event::failed);
    EXPECT_EQ(last.end, operation_end::refused);
}

}  // namespace
}  // namespace fulmar::core
