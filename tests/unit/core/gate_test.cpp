#include <fulmar/core/group_rules.hpp>

#include <gtest/gtest.h>

namespace fulmar::core {
namespace {

TEST(gate, counts_who_is_inside) {
    gate g{.position = gate_position::open, .generation = 3};
    EXPECT_EQ(g.admit(3, 0), admission::enter);
    EXPECT_EQ(g.admit(3, 0), admission::enter);
    EXPECT_FALSE(g.drained());
    EXPECT_FALSE(g.leave());
    EXPECT_TRUE(g.leave());
    EXPECT_TRUE(g.drained());
}

TEST(gate, lets_nobody_of_another_generation_in_whatever_its_position) {
    for (const gate_position p : {gate_position::open, gate_position::quiesced,
                                  gate_position::waiting_for_device, gate_position::closed}) {
        gate g{.position = p, .generation = 3};
        EXPECT_EQ(g.admit(2, 0), admission::stale);
        EXPECT_EQ(g.admit(4, 0), admission::stale);
        EXPECT_EQ(g, (gate{.position = p, .generation = 3}));
    }
}

TEST(gate, parks_within_bounds) {
    for (const gate_position p : {gate_position::quiesced, gate_position::waiting_for_device}) {
        gate g{.position = p, .generation = 1};
        for (std::uint32_t i = 0; i < limits::max_parked_requests; ++i)
            ASSERT_EQ(g.admit(1, 1), admission::park);
        EXPECT_EQ(g.admit(1, 0), admission::overflow);
        g.unpark(1);
        EXPECT_EQ(g.admit(1, limits::max_parked_bytes), admission::overflow);
        EXPECT_EQ(g.admit(1, 1), admission::park);
        EXPECT_EQ(g.inside, 0u);
    }
}

// What entered before the loss and has its data only now must not reach the device.
TEST(gate, turns_back_what_its_device_cannot_have) {
    EXPECT_FALSE((gate{.position = gate_position::open}.turns_back()));
    EXPECT_FALSE((gate{.position = gate_position::quiesced}.turns_back()));
    EXPECT_TRUE((gate{.position = gate_position::waiting_for_device}.turns_back()));
    EXPECT_TRUE((gate{.position = gate_position::closed}.turns_back()));
}

TEST(gate, of_a_held_namespace_stays_held_until_the_device_or_the_end_comes) {
    gate g{.position = gate_position::quiesced, .generation = 1};
    EXPECT_EQ(g.admit(1, 0), admission::park);
    g.take(gate_event::hold);
    EXPECT_EQ(g.position, gate_position::waiting_for_device);
    EXPECT_EQ(g.parked, 1u) << "what was parked goes on waiting";
    g.take(gate_event::quiesce);
    EXPECT_EQ(g.position, gate_position::waiting_for_device);
    EXPECT_EQ(group_rules::at_gate(group_action::open_subsystem, false, view_state::open,
                                   gate_position::waiting_for_device),
              std::nullopt)
        << "a subsystem that resumes brings no device back";
    EXPECT_FALSE(group_rules::drains(group_action::quiesce_subsystem, false,
                                     gate_position::waiting_for_device));
    g.take(gate_event::restore);
    EXPECT_EQ(g.position, gate_position::quiesced) << "back while its subsystem is paused";
}

TEST(gate, refuses_when_closed_and_keeps_what_is_inside) {
    gate g{.position = gate_position::open, .generation = 1};
    EXPECT_EQ(g.admit(1, 0), admission::enter);
    g.position = gate_position::closed;
    EXPECT_EQ(g.admit(1, 0), admission::refuse);
    EXPECT_EQ(g.inside, 1u);
    EXPECT_TRUE(g.leave());
}

}  // namespace
}  // namespace fulmar::core
