// What Preempt and Preempt and Abort do, rule by rule of NVMe Base 2.0, section 8.19.7.
#include "reservation_fixture.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
using nvme::reservation_notice;
using nvme::reservation_type;

struct reservation_preempt : reservation_fixture {};

TEST_F(reservation_preempt, s8_19_7_only_registrants_preempt_and_with_their_key) {
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(preempt(d, key_a, key_a, reservation_type::write_exclusive), conflicts);
    EXPECT_EQ(preempt(b, key_a, key_a, reservation_type::write_exclusive), conflicts);
    EXPECT_TRUE(holds(a));
}

TEST_F(reservation_preempt, s8_19_7_without_a_reservation_registrants_go_and_none_is_made) {
    add(a, key_a);
    add(b, key_b);
    add(c, key_b);
    EXPECT_EQ(preempt(a, key_a, 99, reservation_type::write_exclusive), conflicts);
    EXPECT_EQ(preempt(a, key_a, key_b, reservation_type::write_exclusive), sc::success);
    EXPECT_FALSE(state.is_held());
    EXPECT_EQ(state.registrants, (std::vector<registrant>{{a, key_a}}));
    EXPECT_EQ(last.effects, (told{{b, reservation_notice::registration_preempted, false},
                                  {c, reservation_notice::registration_preempted, false}}));
    EXPECT_EQ(state.generation, 4u);
    EXPECT_EQ(preempt(a, key_a, key_a, reservation_type::write_exclusive), sc::success);
    EXPECT_TRUE(state.registrants.empty()) << "a host may name its own key";
    EXPECT_TRUE(last.effects.empty()) << "and is not told of what it did";
}

TEST_F(reservation_preempt, s8_19_7_the_holders_key_hands_the_reservation_over) {
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        add(d, key_a);
        const std::uint32_t before = state.generation;
        EXPECT_EQ(preempt(b, key_b, key_a, type), sc::success);
        EXPECT_EQ(state.registrants, (std::vector<registrant>{{b, key_b}, {c, key_c}}));
        EXPECT_TRUE(holds(b));
        EXPECT_EQ(state.type, type);
        EXPECT_EQ(state.generation, before + 1);
        EXPECT_EQ(last.effects, (told{{a, reservation_notice::registration_preempted, false},
                                      {d, reservation_notice::registration_preempted, false}}))
            << "c keeps a reservation of the same type";
    }
}

TEST_F(reservation_preempt, s8_19_7_of_another_type_those_that_remain_are_told) {
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(preempt(b, key_b, key_a, reservation_type::exclusive_access_all), sc::success);
    EXPECT_EQ(state.type, reservation_type::exclusive_access_all);
    EXPECT_TRUE(holds(b) && holds(c));
    EXPECT_EQ(last.effects, (told{{a, reservation_notice::registration_preempted, false},
                                  {c, reservation_notice::reservation_released, false}}));
}

TEST_F(reservation_preempt, s8_19_7_who_shares_the_holders_key_takes_over_and_stays) {
    let_a_hold(reservation_type::exclusive_access);
    add(d, key_a);
    EXPECT_EQ(preempt(d, key_a, key_a, reservation_type::exclusive_access), sc::success);
    EXPECT_TRUE(holds(d));
    EXPECT_EQ(state.find(a), nullptr);
}

TEST_F(reservation_preempt, s8_19_7_a_holder_preempts_itself_to_change_the_type) {
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(preempt(a, key_a, key_a, reservation_type::exclusive_access), sc::success);
    EXPECT_TRUE(holds(a));
    EXPECT_EQ(state.type, reservation_type::exclusive_access);
    EXPECT_EQ(state.registrants.size(), 3u);
    EXPECT_EQ(last.effects, (told{{b, reservation_notice::reservation_released, false},
                                  {c, reservation_notice::reservation_released, false}}));
}

TEST_F(reservation_preempt, s8_19_7_another_key_unregisters_and_leaves_the_holder) {
    let_a_hold(reservation_type::exclusive_access_registrants);
    EXPECT_EQ(preempt(b, key_b, 99, reservation_type::write_exclusive), conflicts);
    EXPECT_EQ(preempt(b, key_b, key_c, reservation_type::write_exclusive), sc::success);
    EXPECT_TRUE(holds(a));
    EXPECT_EQ(state.type, reservation_type::exclusive_access_registrants);
    EXPECT_EQ(last.effects, (told{{c, reservation_notice::registration_preempted, false}}));
    EXPECT_EQ(preempt(a, key_a, key_b, reservation_type::write_exclusive), sc::success)
        << "the holder, too, names others";
    EXPECT_EQ(state.type, reservation_type::exclusive_access_registrants);
    EXPECT_TRUE(holds(a));
}

TEST_F(reservation_preempt, s8_19_7_key_0_is_invalid_where_one_host_holds_with_another_key) {
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        add(d, 0);
        EXPECT_EQ(preempt(b, key_b, 0, type), invalid_field);
        EXPECT_EQ(replace(a, key_a, 0), sc::success);
        EXPECT_EQ(preempt(b, key_b, 0, type), sc::success) << "now it is the holder's";
        EXPECT_TRUE(holds(b));
        EXPECT_EQ(state.find(d), nullptr);
    }
}

TEST_F(reservation_preempt, s8_19_7_where_all_hold_key_0_means_all_the_others) {
    for (const reservation_type type : shared_types) {
        let_a_hold(type);
        EXPECT_EQ(preempt(b, key_b, 0, reservation_type::write_exclusive), sc::success);
        EXPECT_EQ(state.registrants, (std::vector<registrant>{{b, key_b}}));
        EXPECT_TRUE(holds(b));
        EXPECT_EQ(state.type, reservation_type::write_exclusive);
        EXPECT_EQ(last.effects, (told{{a, reservation_notice::registration_preempted, false},
                                      {c, reservation_notice::registration_preempted, false}}));
    }
}

TEST_F(reservation_preempt, s8_19_7_where_all_hold_another_key_means_its_registrants) {
    for (const reservation_type type : shared_types) {
        let_a_hold(type);
        EXPECT_EQ(preempt(b, key_b, 99, reservation_type::write_exclusive), conflicts);
        EXPECT_EQ(preempt(b, key_b, key_a, reservation_type::write_exclusive), sc::success);
        EXPECT_EQ(state.type, type) << "it stays as it was";
        EXPECT_TRUE(holds(b) && holds(c) && !holds(a));
        EXPECT_EQ(last.effects, (told{{a, reservation_notice::registration_preempted, false}}));
    }
}

TEST_F(reservation_preempt, s8_19_7_where_all_hold_and_all_go_the_reservation_ends) {
    for (const reservation_type type : shared_types) {
        state = {};
        add(a, key_a);
        add(b, key_a);
        acquire(a, key_a, type);
        EXPECT_EQ(preempt(a, key_a, key_a, type), sc::success);
        EXPECT_TRUE(state.registrants.empty());
        EXPECT_FALSE(state.is_held());
        EXPECT_EQ(last.effects, (told{{b, reservation_notice::registration_preempted, false}}));
    }
}

TEST_F(reservation_preempt, s8_19_7_preempt_and_abort_ends_commands_of_those_who_go) {
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(preempt(b, key_b, key_a, reservation_type::exclusive_access, true), sc::success);
    EXPECT_EQ(last.effects, (told{{a, reservation_notice::registration_preempted, true},
                                  {c, reservation_notice::reservation_released, false}}));
    add(d, key_b);
    EXPECT_EQ(preempt(c, key_c, 99, reservation_type::exclusive_access, true), conflicts);
    let_a_hold(reservation_type::write_exclusive_all);
    EXPECT_EQ(preempt(b, key_b, key_b, reservation_type::exclusive_access, true), sc::success);
    EXPECT_EQ(last.effects, (told{{b, reservation_notice::empty, true}}))
        << "its own other commands, if it names itself";
}

}  // namespace
}  // namespace fulmar::core::test
