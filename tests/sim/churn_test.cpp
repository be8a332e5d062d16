#include "churn.hpp"

#include "many_seeds.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fulmar::sim {
namespace {

void many(unsigned data_reactors) {
    many_seeds(fmt::format("churn on {} data reactors", data_reactors).c_str(), 4'000,
               [&](std::uint64_t seed) { (void)churn(seed, data_reactors); });
}

TEST(churn, comes_to_rest_on_one_data_reactor) { many(1); }
TEST(churn, comes_to_rest_on_two_data_reactors) { many(2); }
TEST(churn, comes_to_rest_on_three_data_reactors) { many(3); }

TEST(simulator, replays_a_seed_step_for_step) {
    for (std::uint64_t seed = 1; seed <= 15; ++seed) {
        const auto data_reactors = static_cast<unsigned>(1 + seed % 3);
        const std::uint64_t first = churn(seed, data_reactors);
        EXPECT_EQ(churn(seed, data_reactors), first) << "seed " << seed;
        EXPECT_NE(churn(seed + 100, data_reactors), first);
    }
}

}  // namespace
}  // namespace fulmar::sim
