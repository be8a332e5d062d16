// What each reservation command does, rule by rule of NVMe Base 2.0, sections 7.2 to 7.4 and 8.19.
#include "reservation_fixture.hpp"

#include <fulmar/base/limits.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <tuple>
#include <vector>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;
using nvme::persist_change;
using nvme::reservation_notice;
using nvme::reservation_type;

struct reservation_rules : reservation_fixture {};

// --- 8.19.3 Registering ------------------------------------------------------------------------

TEST_F(reservation_rules, s8_19_3_register_makes_a_registrant) {
    EXPECT_EQ(add(b, key_b), sc::success);
    EXPECT_EQ(add(a, key_a), sc::success);
    EXPECT_EQ(state.registrants, (std::vector<registrant>{{a, key_a}, {b, key_b}}));
    EXPECT_EQ(state.generation, 2u);
    EXPECT_TRUE(last.effects.empty());
}

TEST_F(reservation_rules, s8_19_3_the_same_key_may_be_registered_again_and_no_other) {
    add(a, key_a);
    EXPECT_EQ(add(a, key_a), sc::success);
    EXPECT_EQ(state.generation, 2u) << "it counts as often as it succeeds";
    EXPECT_EQ(add(a, key_b), conflicts);
    EXPECT_EQ(state.find(a)->key, key_a);
    EXPECT_EQ(state.generation, 2u);
}

TEST_F(reservation_rules, s8_19_3_register_ignores_iekey) {
    add(a, key_a);
    EXPECT_EQ(run(a, {.opcode = io_opcode::reservation_register,
                      .command = {.action = 0, .ignore_existing_key = true},
                      .other_key = key_b}),
              conflicts);
}

TEST_F(reservation_rules, s8_19_3_hosts_may_share_a_key_and_a_key_may_be_zero) {
    EXPECT_EQ(add(a, 0), sc::success);
    EXPECT_EQ(add(b, 0), sc::success);
    EXPECT_EQ(state.registrants.size(), 2u);
}

TEST_F(reservation_rules, s8_19_3_replace_needs_the_present_key) {
    add(a, key_a);
    EXPECT_EQ(replace(a, key_b, key_c), conflicts);
    EXPECT_EQ(replace(b, key_a, key_c), conflicts) << "not that of another host";
    EXPECT_EQ(replace(a, key_a, key_c), sc::success);
    EXPECT_EQ(state.find(a)->key, key_c);
    EXPECT_EQ(state.generation, 2u);
}

TEST_F(reservation_rules, s8_19_3_replace_with_iekey_asks_for_neither_key_nor_registration) {
    add(a, key_a);
    EXPECT_EQ(replace(a, 99, key_c, true), sc::success);
    EXPECT_EQ(state.find(a)->key, key_c);
    EXPECT_EQ(replace(b, 99, key_b, true), sc::success);
    EXPECT_EQ(state.find(b)->key, key_b);
}

TEST_F(reservation_rules, s8_19_3_replacing_a_key_leaves_the_reservation_alone) {
    let_a_hold(reservation_type::exclusive_access);
    EXPECT_EQ(replace(a, key_a, 7), sc::success);
    EXPECT_TRUE(holds(a));
    EXPECT_TRUE(last.effects.empty());
}

TEST_F(reservation_rules, s8_19_a_namespace_has_room_for_its_bound_of_registrants) {
    for (unsigned i = 0; i < limits::max_registrants; ++i)
        ASSERT_EQ(add(numbered_host(i + 1), i), sc::success);
    const host_id late = numbered_host(limits::max_registrants + 1);
    EXPECT_EQ(add(late, 1), sc::internal_error.no_retry());
    EXPECT_EQ(replace(late, 0, 1, true), sc::internal_error.no_retry());
    EXPECT_EQ(add(numbered_host(1), 0), sc::success) << "who is registered needs no room";
    EXPECT_EQ(replace(numbered_host(1), 0, 9, true), sc::success);
    EXPECT_EQ(remove(numbered_host(1), 9), sc::success);
    EXPECT_EQ(add(late, 1), sc::success);
    EXPECT_EQ(state.registrants.size(), limits::max_registrants);
}

TEST_F(reservation_rules, s7_3_reserved_fields_of_register_are_refused) {
    for (std::uint8_t action = 3; action < 8; ++action)
        EXPECT_EQ(
            run(a, {.opcode = io_opcode::reservation_register, .command = {.action = action}}),
            invalid_field);
    EXPECT_EQ(add(a, key_a, persist_change::reserved), invalid_field);
}

TEST_F(reservation_rules, s7_3_cptpl_changes_the_ptpl_state_of_the_namespace) {
    EXPECT_EQ(add(a, key_a), sc::success);
    EXPECT_FALSE(state.persistent);
    EXPECT_EQ(add(a, key_a, persist_change::on), sc::success);
    EXPECT_TRUE(state.persistent);
    EXPECT_EQ(add(b, key_b), sc::success);
    EXPECT_TRUE(state.persistent);
    EXPECT_EQ(remove(b, key_b, false, persist_change::off), sc::success);
    EXPECT_FALSE(state.persistent);
}

TEST_F(reservation_rules, s7_3_a_register_that_fails_leaves_the_ptpl_state_alone) {
    add(a, key_a);
    EXPECT_EQ(add(a, key_b, persist_change::on), conflicts);
    EXPECT_EQ(remove(a, key_b, false, persist_change::on), conflicts);
    EXPECT_EQ(replace(b, key_b, key_b, false, persist_change::on), conflicts);
    EXPECT_FALSE(state.persistent);
}

TEST_F(reservation_rules, s5_27_feature_83h_changes_the_ptpl_state_and_nothing_else) {
    let_a_hold(reservation_type::write_exclusive);
    reservation_state expected = state;
    reservation_outcome on = decide_persistence(state, true);
    EXPECT_TRUE(on.next.has_value());
    adopt(state, on);
    expected.persistent = true;
    EXPECT_EQ(state, expected);
    EXPECT_FALSE(decide_persistence(state, true).next);
    EXPECT_TRUE(decide_persistence(state, false).next.has_value());
}

// --- 8.19.4 Unregistering ----------------------------------------------------------------------

TEST_F(reservation_rules, s8_19_4_unregister_needs_the_key_unless_it_is_ignored) {
    add(a, key_a);
    EXPECT_EQ(remove(a, key_b), conflicts);
    EXPECT_EQ(remove(a, key_a), sc::success);
    EXPECT_TRUE(state.registrants.empty());
    add(a, key_a);
    EXPECT_EQ(remove(a, key_b, true), sc::success);
    EXPECT_EQ(state.generation, 4u);
}

TEST_F(reservation_rules, s8_19_4_who_is_no_registrant_cannot_unregister) {
    add(a, key_a);
    EXPECT_EQ(remove(b, key_a), conflicts);
    EXPECT_EQ(remove(b, key_a, true), conflicts);
}

TEST_F(reservation_rules, s8_19_4_the_holder_releases_by_unregistering) {
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        EXPECT_EQ(remove(b, key_b), sc::success);
        EXPECT_TRUE(holds(a)) << "others leave without that";
        EXPECT_TRUE(last.effects.empty());
        EXPECT_EQ(remove(a, key_a), sc::success);
        EXPECT_FALSE(state.is_held());
    }
}

TEST_F(reservation_rules, s8_19_4_of_registrants_only_types_the_others_are_told) {
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        remove(a, key_a);
        const bool of_registrants = type == reservation_type::write_exclusive_registrants ||
                                    type == reservation_type::exclusive_access_registrants;
        const told both{{b, reservation_notice::reservation_released, false},
                        {c, reservation_notice::reservation_released, false}};
        EXPECT_EQ(last.effects, of_registrants ? both : told{});
    }
}

TEST_F(reservation_rules, s8_19_4_where_all_hold_the_last_one_releases) {
    for (const reservation_type type : shared_types) {
        let_a_hold(type);
        EXPECT_EQ(remove(a, key_a), sc::success);
        EXPECT_EQ(state.type, type);
        EXPECT_EQ(remove(c, key_c), sc::success);
        EXPECT_TRUE(holds(b));
        EXPECT_EQ(remove(b, key_b), sc::success);
        EXPECT_FALSE(state.is_held());
        EXPECT_TRUE(last.effects.empty());
    }
}

// --- 8.19.5 Acquiring --------------------------------------------------------------------------

TEST_F(reservation_rules, s8_19_5_only_registrants_acquire_and_with_their_key) {
    add(a, key_a);
    EXPECT_EQ(acquire(b, key_a, reservation_type::write_exclusive), conflicts);
    EXPECT_EQ(acquire(a, key_b, reservation_type::write_exclusive), conflicts);
    EXPECT_EQ(acquire(a, key_a, reservation_type::write_exclusive), sc::success);
    EXPECT_TRUE(holds(a));
    EXPECT_EQ(state.generation, 1u) << "acquiring does not count";
}

TEST_F(reservation_rules, s8_19_5_a_namespace_has_one_reservation) {
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        EXPECT_EQ(acquire(b, key_b, type), conflicts);
        EXPECT_EQ(acquire(a, key_a, type), sc::success) << "once more is no error";
        EXPECT_FALSE(last.next);
        for (const reservation_type other : shared_types)
            EXPECT_EQ(acquire(a, key_a, other), conflicts);
    }
}

TEST_F(reservation_rules, s8_19_5_every_registrant_holds_types_5_and_6) {
    for (const reservation_type type : shared_types) {
        let_a_hold(type);
        EXPECT_TRUE(holds(a) && holds(b) && holds(c));
        EXPECT_EQ(acquire(b, key_b, type), sc::success);
        EXPECT_FALSE(last.next);
        EXPECT_EQ(acquire(b, key_b, reservation_type::exclusive_access), conflicts);
        EXPECT_FALSE(holds(d));
        add(d, 4);
        EXPECT_TRUE(holds(d)) << "also who registers later";
    }
}

TEST_F(reservation_rules, s7_2_reserved_fields_of_acquire_are_refused) {
    add(a, key_a);
    const auto asked = [](std::uint8_t action, std::uint8_t type, bool iekey = false) {
        return reservation_request{
            .opcode = io_opcode::reservation_acquire,
            .command = {.action = action, .ignore_existing_key = iekey, .type = type},
            .current_key = key_a,
            .other_key = key_a};
    };
    for (std::uint8_t action = 0; action < 3; ++action) {
        EXPECT_EQ(run(a, asked(action, 0)), invalid_field);
        EXPECT_EQ(run(a, asked(action, 7)), invalid_field);
        EXPECT_EQ(run(a, asked(action, 1, true)), invalid_field);
    }
    for (std::uint8_t action = 3; action < 8; ++action)
        EXPECT_EQ(run(a, asked(action, 1)), invalid_field);
}

// --- 8.19.6 Releasing --------------------------------------------------------------------------

TEST_F(reservation_rules, s8_19_6_the_holder_releases_and_stays_registered) {
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        const std::uint32_t before = state.generation;
        EXPECT_EQ(release(a, key_a, type), sc::success);
        EXPECT_FALSE(state.is_held());
        EXPECT_NE(state.find(a), nullptr);
        EXPECT_EQ(state.generation, before) << "releasing does not count";
    }
}

TEST_F(reservation_rules, s8_19_6_any_registrant_releases_what_all_of_them_hold) {
    for (const reservation_type type : shared_types) {
        let_a_hold(type);
        EXPECT_EQ(release(b, key_b, type), sc::success);
        EXPECT_FALSE(state.is_held());
        EXPECT_EQ(last.effects, (told{{a, reservation_notice::reservation_released, false},
                                      {c, reservation_notice::reservation_released, false}}));
    }
}

TEST_F(reservation_rules, s8_19_6_release_is_told_but_for_types_1_and_2) {
    const told both{{b, reservation_notice::reservation_released, false},
                    {c, reservation_notice::reservation_released, false}};
    for (const reservation_type type : single_holder_types) {
        let_a_hold(type);
        release(a, key_a, type);
        const bool silent =
            type == reservation_type::write_exclusive || type == reservation_type::exclusive_access;
        EXPECT_EQ(last.effects, silent ? told{} : both);
    }
}

TEST_F(reservation_rules, s8_19_6_another_type_is_an_invalid_field) {
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(release(a, key_a, reservation_type::exclusive_access), invalid_field);
    EXPECT_EQ(release(a, key_a, reservation_type::none), invalid_field);
    EXPECT_TRUE(holds(a));
}

TEST_F(reservation_rules, s8_19_6_who_does_not_hold_releases_nothing_and_succeeds) {
    add(a, key_a);
    EXPECT_EQ(release(a, key_a, reservation_type::write_exclusive), sc::success);
    EXPECT_FALSE(last.next) << "nothing is held";
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(release(b, key_b, reservation_type::write_exclusive), sc::success);
    EXPECT_EQ(release(b, key_b, reservation_type::exclusive_access), sc::success);
    EXPECT_FALSE(last.next);
    EXPECT_TRUE(holds(a));
}

TEST_F(reservation_rules, s8_19_6_strangers_and_wrong_keys_conflict) {
    let_a_hold(reservation_type::write_exclusive);
    EXPECT_EQ(release(a, key_b, reservation_type::write_exclusive), conflicts);
    EXPECT_EQ(release(d, key_a, reservation_type::write_exclusive), conflicts);
}

TEST_F(reservation_rules, s7_4_reserved_fields_of_release_are_refused) {
    add(a, key_a);
    for (std::uint8_t action = 0; action < 8; ++action) {
        reservation_request asked{.opcode = io_opcode::reservation_release,
                                  .command = {.action = action, .ignore_existing_key = true},
                                  .current_key = key_a};
        EXPECT_EQ(run(a, asked), invalid_field) << "IEKEY";
        asked.command.ignore_existing_key = false;
        if (action > 1) {
            EXPECT_EQ(run(a, asked), invalid_field);
        }
    }
}

// --- 8.19.8 Clearing ---------------------------------------------------------------------------

TEST_F(reservation_rules, s8_19_8_any_registrant_clears_all_of_it) {
    let_a_hold(reservation_type::exclusive_access);
    add(b, key_b, persist_change::on);
    const std::uint32_t before = state.generation;
    EXPECT_EQ(clear(b, key_b), sc::success);
    EXPECT_TRUE(state.registrants.empty());
    EXPECT_FALSE(state.is_held());
    EXPECT_TRUE(state.persistent) << "the PTPL state is not among what is cleared";
    EXPECT_EQ(state.generation, before + 1);
    EXPECT_EQ(last.effects, (told{{a, reservation_notice::reservation_preempted, false},
                                  {c, reservation_notice::reservation_preempted, false}}));
}

TEST_F(reservation_rules, s8_19_8_registrations_are_cleared_without_a_reservation_too) {
    add(a, key_a);
    add(b, key_b);
    EXPECT_EQ(clear(a, key_a), sc::success);
    EXPECT_TRUE(state.registrants.empty());
    EXPECT_EQ(last.effects, (told{{b, reservation_notice::reservation_preempted, false}}));
}

TEST_F(reservation_rules, s8_19_8_strangers_and_wrong_keys_conflict) {
    let_a_hold(reservation_type::exclusive_access);
    EXPECT_EQ(clear(d, key_a), conflicts);
    EXPECT_EQ(clear(a, key_b), conflicts);
    EXPECT_TRUE(holds(a));
}

// --- The rest ----------------------------------------------------------------------------------

TEST_F(reservation_rules, s7_5_the_generation_wraps) {
    state.generation = std::numeric_limits<std::uint32_t>::max();
    EXPECT_EQ(add(a, key_a), sc::success);
    EXPECT_EQ(state.generation, 0u);
}

TEST(reservation_request, is_read_from_exactly_its_data) {
    std::array<std::byte, 16> data{};
    data[0] = std::byte{0xa};
    data[8] = std::byte{0xb};
    nvme::sqe command{};
    nvme::encode_reservation(command, {.action = 1, .type = 3});
    for (const auto& [opcode, bytes, other] :
         {std::tuple{io_opcode::reservation_register, 16u, 0xbu},
          std::tuple{io_opcode::reservation_acquire, 16u, 0xbu},
          std::tuple{io_opcode::reservation_release, 8u, 0u}}) {
        command.opcode = static_cast<std::uint8_t>(opcode);
        EXPECT_EQ(reservation_data_bytes(command.opcode), bytes);
        const auto read = read_reservation_request(command, data);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->opcode, opcode);
        EXPECT_EQ(read->command.type, 3);
        EXPECT_EQ(read->current_key, 0xau);
        EXPECT_EQ(read->other_key, other);
        EXPECT_FALSE(read_reservation_request(command, std::span(data).first(bytes - 1)));
    }
    for (const io_opcode none : {io_opcode::reservation_report, io_opcode::write}) {
        command.opcode = static_cast<std::uint8_t>(none);
        EXPECT_EQ(reservation_data_bytes(command.opcode), 0u);
        EXPECT_FALSE(read_reservation_request(command, data));
        EXPECT_EQ(decide({}, numbered_host(1), {.opcode = none}).status,
                  sc::invalid_opcode.no_retry());
    }
}

TEST(reservation_state, knows_what_is_impossible) {
    const registrant one{numbered_host(1), 1}, two{numbered_host(2), 1};
    reservation_state s;
    EXPECT_TRUE(is_possible(s));
    s.registrants = {two, one};
    EXPECT_FALSE(is_possible(s)) << "out of order";
    s.registrants = {one, one};
    EXPECT_FALSE(is_possible(s)) << "twice";
    s.registrants = {{{}, 1}, one};
    EXPECT_FALSE(is_possible(s)) << "nobody";
    s.registrants = {one, two};
    s.holder = one.host;
    EXPECT_FALSE(is_possible(s)) << "a holder of nothing";
    s.type = reservation_type::write_exclusive;
    EXPECT_TRUE(is_possible(s));
    s.holder = numbered_host(3);
    EXPECT_FALSE(is_possible(s)) << "a holder who is no registrant";
    s.holder = {};
    EXPECT_FALSE(is_possible(s)) << "no holder";
    s.type = reservation_type::write_exclusive_all;
    EXPECT_TRUE(is_possible(s));
    s.holder = one.host;
    EXPECT_FALSE(is_possible(s)) << "one of many";
    s.holder = {};
    s.registrants.clear();
    EXPECT_FALSE(is_possible(s)) << "all of nobody";
    s.type = static_cast<reservation_type>(7);
    s.registrants = {one};
    s.holder = one.host;
    EXPECT_FALSE(is_possible(s)) << "no such type";
}

}  // namespace
}  // namespace fulmar::core::test
