// Every allocation on the way of a reservation command fails once: the host may try again, and
// nothing has changed.
#include "reservation/reservation_rules.hpp"
#include "support/failing_memory.hpp"

#include <fulmar/core/reservation_notices.hpp>
#include <fulmar/nvme/features.hpp>

#include <gtest/gtest.h>

#include <array>

namespace fulmar::core::test {
namespace {

using fulmar::test::fail_each_allocation;
using fulmar::test::watched_memory;
using nvme::io_opcode;

reservation_state four_registrants(nvme::reservation_type type) {
    reservation_state state;
    for (std::uint8_t i = 1; i <= 4; ++i) {
        registrant r{.host = {}, .key = i};
        r.host.bytes[0] = i;
        state.registrants.push_back(r);
    }
    state.type = type;
    if (state.is_held() && !all_registrants_hold(type)) state.holder = state.registrants[0].host;
    return state;
}

TEST(reservation_memory, a_command_without_memory_may_be_tried_again) {
    using enum nvme::reservation_type;
    const struct {
        nvme::reservation_type held;
        reservation_request asked;
    } commands[] = {
        {none, {.opcode = io_opcode::reservation_register, .other_key = 1}},
        {none,
         {.opcode = io_opcode::reservation_register, .command = {.action = 1}, .current_key = 1}},
        {write_exclusive_registrants,
         {.opcode = io_opcode::reservation_register, .command = {.action = 1}, .current_key = 1}},
        {none,
         {.opcode = io_opcode::reservation_acquire, .command = {.type = 1}, .current_key = 1}},
        {exclusive_access_all,
         {.opcode = io_opcode::reservation_acquire,
          .command = {.action = 2, .type = 1},
          .current_key = 1}},
        {write_exclusive_registrants,
         {.opcode = io_opcode::reservation_release, .command = {.type = 3}, .current_key = 1}},
        {write_exclusive,
         {.opcode = io_opcode::reservation_release, .command = {.action = 1}, .current_key = 1}},
    };
    for (const auto& one : commands) {
        const reservation_request& asked = one.asked;
        const reservation_state state = four_registrants(one.held);
        const reservation_state before = state;
        const nvme::host_id who = state.registrants[0].host;
        reservation_outcome last;
        const std::uint64_t failed = fail_each_allocation([&](std::uint64_t) {
            {
                const watched_memory counts;
                last = decide(state, who, asked);
            }
            EXPECT_EQ(state, before);
            if (nvme::is_success(last.status)) return;
            EXPECT_EQ(last.status, nvme::sc::internal_error) << "without DNR";
            EXPECT_FALSE(last.next);
            EXPECT_TRUE(last.effects.empty());
        });
        EXPECT_GT(failed, 0u);
        EXPECT_EQ(last.status, nvme::sc::success);
    }
}

TEST(reservation_memory, adopting_what_was_decided_needs_none) {
    reservation_state state = four_registrants(nvme::reservation_type::none);
    const nvme::host_id who = state.registrants[0].host;
    reservation_outcome outcome = decide(
        state, who,
        {.opcode = io_opcode::reservation_register, .command = {.action = 1}, .current_key = 1});
    const std::uint64_t failed = fail_each_allocation([&](std::uint64_t) {
        const watched_memory counts;
        adopt(state, outcome);
    });
    EXPECT_EQ(failed, 0u);
    EXPECT_EQ(state.registrants.size(), 3u);
}

TEST(reservation_memory, feature_83h_without_memory_changes_nothing) {
    const reservation_state state = four_registrants(nvme::reservation_type::none);
    const std::uint64_t failed = fail_each_allocation([&](std::uint64_t nth) {
        const watched_memory counts;
        const reservation_outcome outcome = decide_persistence(state, true);
        EXPECT_EQ(outcome.next.has_value(), nth == 1);
        EXPECT_EQ(outcome.status, nth == 1 ? nvme::sc::success : nvme::sc::internal_error);
    });
    EXPECT_EQ(failed, 1u);
}

TEST(reservation_memory, masks_stay_as_they_were) {
    reservation_notices notices;
    const std::array<std::uint32_t, 1> first{1};
    ASSERT_TRUE(notices.set_mask(first, nvme::reservation_mask::all));
    const std::array<std::uint32_t, 2> both{1, 2};
    EXPECT_GT(fail_each_allocation([&](std::uint64_t) {
                  bool set = false;
                  {
                      const watched_memory counts;
                      set = notices.set_mask(both, nvme::reservation_mask::reservation_released);
                  }
                  EXPECT_EQ(notices.mask_of(1), set ? nvme::reservation_mask::reservation_released
                                                    : nvme::reservation_mask::all);
              }),
              0u);
}

}  // namespace
}  // namespace fulmar::core::test
