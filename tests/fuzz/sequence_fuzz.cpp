// fuzz-links: sim_world
// Any bytes as a story of the simulator: hosts on several connections, peers that keep to nothing,
// devices that misbehave, operators and a clock (tests/sim/sequences/player.hpp). Whatever it was,
// every command is answered once, data is as the checker says, and nothing is left.
#include "sim/sequences/player.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

void tell_story() noexcept {
    if (const fulmar::sim::world* w = fulmar::sim::running())
        std::fputs(w->trace_tail().c_str(), stderr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool ready = [] {
        fulmar::log::initialise("off");
        fulmar::set_assert_hook(&tell_story);
        return true;
    }();
    if (!ready || size < 8 || size > fulmar::sim::most_story_bytes) return 0;
    (void)fulmar::sim::play_story({data, size});
    if (::testing::Test::HasFailure()) std::abort();
    return 0;
}
