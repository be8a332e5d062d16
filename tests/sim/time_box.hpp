// How long a churn runs: a box of CPU time, so that neighbours on the machine cost no seeds, and
// one of real time, well within what the test runner allows.
#pragma once

#include "settings.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

namespace fulmar::sim {

class time_box {
  public:
    explicit time_box(double time_s) : cpu_(time_s), real_(time_s * 2.5) {}
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

/// Runs `play` for seed after seed, within `share` of the time that all churns have together, until
/// one fails; says how many there were. With --seed it runs that one alone.
template <typename Play>
void many_seeds(const char* what, double share, Play&& play) {
    const settings& s = settings::get();
    if (s.only) return play(*s.only);
    const time_box box(static_cast<double>(s.seconds) * share);
    std::uint64_t done = 0;
    for (; done < s.seeds && box.open(); ++done) {
        play(s.first + done);
        if (::testing::Test::HasFailure()) {
            std::printf("%s: seed %llu failed (sim --seed %llu)\n", what,
                        static_cast<unsigned long long>(s.first + done),
                        static_cast<unsigned long long>(s.first + done));
            return;
        }
    }
    std::printf("%llu seeds of %s, of %llu wanted\n", static_cast<unsigned long long>(done), what,
                static_cast<unsigned long long>(s.seeds));
    ::testing::Test::RecordProperty("seeds", std::to_string(done));
}

}  // namespace fulmar::sim
