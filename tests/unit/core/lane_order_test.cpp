// Unit tests of core/authentication/lane_order.hpp: who comes first, and that everybody comes.
#include "core/authentication/lane_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fulmar::core {
namespace {

TEST(lane_order, proven_queues_come_first_and_addresses_in_turn) {
    const lane_seat proven{.proven = true, .turn = 9};
    const lane_seat stranger{.proven = false, .turn = 1};
    EXPECT_TRUE(goes_before(proven, stranger, 0));
    EXPECT_FALSE(goes_before(stranger, proven, 0));
    EXPECT_TRUE(goes_before(stranger, {.proven = false, .turn = 2}, 0));
    EXPECT_FALSE(goes_before({.proven = true, .turn = 3}, {.proven = true, .turn = 3}, 0));
}

TEST(lane_order, hosts_that_ask_again_for_ever_keep_nobody_out) {
    std::vector<lane_seat> waiting(16, lane_seat{.proven = true});
    waiting.push_back({.proven = false, .turn = 1000});
    std::uint32_t in_a_row = 0;
    for (std::uint32_t turn = 0; turn <= limits::proven_authentications_in_a_row; ++turn) {
        const auto next = std::min_element(
            waiting.begin(), waiting.end(),
            [&](const auto& a, const auto& b) { return goes_before(a, b, in_a_row); });
        if (!next->proven) return SUCCEED();
        ++in_a_row;
        next->turn += 16;  // and there it is again
    }
    ADD_FAILURE() << "it never came";
}

}  // namespace
}  // namespace fulmar::core
