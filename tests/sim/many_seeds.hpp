// How many seeds a churn runs: a number, the same on every machine.
#pragma once

#include "settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace fulmar::sim {

/// Runs `play` for seed after seed until one fails: `count` of them, a fraction of that in the
/// builds of sanitizers, or as many as the settings say; with --seed that one alone.
template <typename Play>
void many_seeds(const char* what, std::uint64_t count, Play&& play) {
    const settings& s = settings::get();
    if (s.only) return play(*s.only);
    const std::uint64_t wanted = s.seeds.value_or(std::max<std::uint64_t>(count / slowness, 1));
    for (std::uint64_t seed = s.first; seed < s.first + wanted; ++seed) {
        play(seed);
        if (::testing::Test::HasFailure()) {
            std::printf("%s: seed %llu failed (sim --seed %llu)\n", what,
                        static_cast<unsigned long long>(seed),
                        static_cast<unsigned long long>(seed));
            return;
        }
    }
    std::printf("%llu seeds of %s\n", static_cast<unsigned long long>(wanted), what);
    ::testing::Test::RecordProperty("seeds", std::to_string(wanted));
}

}  // namespace fulmar::sim
