#include "churn.hpp"

#include "settings.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <ctime>

namespace fulmar::sim {
namespace {

// A box of CPU time, so that neighbours on the machine cost no seeds; and one of real time, well
// within what the test runner allows.
class time_box {
  public:
    explicit time_box(double seconds) : cpu_(seconds), real_(seconds * 2.5) {}
    [[nodiscard]] bool open() const {
        const std::chrono::duration<double> real = std::chrono::steady_clock::now() - begun_;
        const double cpu = static_cast<double>(std::clock() - clock_) / CLOCKS_PER_SEC;
        return cpu < cpu_ && real.count() < real_;
    }

  private:
    double cpu_;
    double real_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::clock_t clock_ = std::clock();
};

void many(unsigned data_reactors) {
    const settings& s = settings::get();
    if (s.only) return (void)churn(*s.only, data_reactors);
    const time_box box(static_cast<double>(s.seconds) / 3);
    std::uint64_t done = 0;
    for (; done < s.seeds && box.open(); ++done) {
        (void)churn(s.first + done, data_reactors);
        if (::testing::Test::HasFailure()) return;
    }
    std::printf("%llu seeds on %u data reactors, of %llu wanted\n",
                static_cast<unsigned long long>(done), data_reactors,
                static_cast<unsigned long long>(s.seeds));
    ::testing::Test::RecordProperty("seeds", std::to_string(done));
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
