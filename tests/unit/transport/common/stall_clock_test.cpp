// Unit tests of transport/common/stall_clock.hpp.
#include "common/stall_clock.hpp"

#include <fulmar/base/limits.hpp>

#include <gtest/gtest.h>

namespace fulmar::transport::common {
namespace {

using namespace std::chrono_literals;
constexpr instant start{1h};
constexpr duration patience = 10s;

TEST(stall_clock, stalls_when_nothing_moves_for_its_patience) {
    stall_clock c(start);
    EXPECT_FALSE(c.stalled(start + patience - 1ns, patience));
    EXPECT_TRUE(c.stalled(start + patience, patience));
    c.moved(start + 5s);
    EXPECT_FALSE(c.stalled(start + patience, patience));
    EXPECT_TRUE(c.stalled(start + 5s + patience, patience));
}

TEST(stall_clock, what_is_owed_has_the_time_that_its_size_allows_however_much_moves) {
    stall_clock c(start);
    constexpr std::uint32_t bytes = 1'000'000;
    constexpr std::chrono::nanoseconds allowed{bytes *
                                               (1'000'000'000 / limits::slowest_peer_bytes_per_s)};
    const instant first = c.due(start, bytes, patience);
    EXPECT_EQ(first, start + allowed + patience);
    EXPECT_EQ(c.due(start, bytes, patience), start + 2 * allowed + patience) << "behind the first";
    c.moved(first);
    EXPECT_FALSE(c.is_due(first, first - 1ns));
    EXPECT_TRUE(c.is_due(first, first));
}

TEST(stall_clock, nothing_is_never_due) {
    const stall_clock c(start);
    EXPECT_FALSE(c.is_due(instant{}, start + 24h));
}

TEST(stall_clock, our_own_pauses_are_not_the_peers) {
    stall_clock c(start);
    const instant due = c.due(start, 0, patience);
    c.excuse(start + 1s, start + 31s);
    EXPECT_FALSE(c.stalled(start + 31s + patience - 1ns, patience));
    EXPECT_FALSE(c.is_due(due, start + 30s + patience - 1ns));
    EXPECT_TRUE(c.is_due(due, start + 30s + patience));
    // What is asked for afterwards has its whole time.
    const instant later = start + 40s;
    const instant next = c.due(later, 0, patience);
    EXPECT_FALSE(c.is_due(next, later + patience - 1ns));
    EXPECT_TRUE(c.is_due(next, later + patience));
}

}  // namespace
}  // namespace fulmar::transport::common
