// The simulator's own arguments, beside GoogleTest's:
//   --seed N      run the churn for that seed alone
//   --seeds N     so many seeds of each churn (FULMAR_SIM_SEEDS)
//   --soak        until something fails, from a seed of the clock's
//   --trace       print what happens
#include "drive_world.hpp"
#include "settings.hpp"
#include "world.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using fulmar::sim::settings;

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 0); }

void parse(int argc, char** argv) {
    settings& s = settings::get();
    if (const char* seeds = std::getenv("FULMAR_SIM_SEEDS")) s.seeds = number(seeds);
    for (int i = 1; i < argc; ++i) {
        const char* next = i + 1 < argc ? argv[i + 1] : "0";
        if (std::strcmp(argv[i], "--seed") == 0) s.only = number(next);
        if (std::strcmp(argv[i], "--seeds") == 0) s.seeds = number(next);
        if (std::strcmp(argv[i], "--trace") == 0) fulmar::sim::trace::echo = true;
        if (std::strcmp(argv[i], "--soak") != 0) continue;
        s.seeds = ~std::uint64_t{0} / 4;
        s.first =
            static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    }
}

// A known-bad build, for one run: FULMAR_MUTATION names the bug. It may hang; then the alarm ends
// it.
void mutate() {
#ifdef FULMAR_MUTATIONS
    const char* name = std::getenv("FULMAR_MUTATION");
    if (name == nullptr) return;
    const auto bug = fulmar::parse_mutation(name);
    if (!bug) {
        std::fprintf(stderr, "there is no mutation %s\n", name);
        std::exit(2);
    }
    fulmar::active_mutation = *bug;
    alarm(120);
#endif
}

void tell_seed() noexcept {
    const auto tell = [](const auto* w) {
        if (w == nullptr) return;
        std::fprintf(stderr, "seed=%llu (sim --seed %llu)\n%s",
                     static_cast<unsigned long long>(w->seed()),
                     static_cast<unsigned long long>(w->seed()), w->trace_tail().c_str());
    };
    tell(fulmar::sim::running());
    tell(fulmar::sim::running_drive());
}

}  // namespace

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    parse(argc, argv);
    mutate();
    fulmar::log::set_level(fulmar::sim::trace::echo ? fulmar::log::level::debug
                                                    : fulmar::log::level::off);
    fulmar::set_assert_hook(&tell_seed);
    return RUN_ALL_TESTS();
}
