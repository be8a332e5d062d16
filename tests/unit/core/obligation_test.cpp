#include <fulmar/core/obligation.hpp>

#include <gtest/gtest.h>

namespace fulmar::core {
namespace {

TEST(obligation_clock, gives_time_by_size_behind_what_is_owed_already) {
    obligation_clock clock;
    const instant start = instant{} + std::chrono::hours(1);
    const duration patience = std::chrono::seconds(30);
    const auto size = static_cast<std::uint32_t>(limits::slowest_peer_bytes_per_s);
    EXPECT_LE(clock.due(start, size, patience), start + std::chrono::seconds(31));
    EXPECT_GE(clock.due(start, size, patience), start + std::chrono::milliseconds(31'900));
    const instant later = start + std::chrono::hours(1);
    EXPECT_LE(clock.due(later, 0, patience), later + patience) << "what was settled is settled";
}

}  // namespace
}  // namespace fulmar::core
