#include "quiesce_time.hpp"

#include <gtest/gtest.h>

namespace fulmar::core {
namespace {

TEST(quiesce_time, is_the_deadline_of_a_transition_and_the_limit_of_a_drain) {
    target_options options;
    options.transition_timeout_ms = 2'500;
    EXPECT_EQ(quiesce_time_ms(options), 12'500);
    options.transition_timeout_ms = limits::least_timeout_ms;
    EXPECT_EQ(quiesce_time_ms(options), 10'010);
}

TEST(quiesce_time, says_no_more_than_its_field_holds) {
    target_options options;
    options.transition_timeout_ms = 55'535;
    EXPECT_EQ(quiesce_time_ms(options), 0xffff);
    options.transition_timeout_ms = limits::max_timeout_ms;
    EXPECT_EQ(quiesce_time_ms(options), 0xffff);
}

}  // namespace
}  // namespace fulmar::core
