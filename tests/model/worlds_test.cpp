// Explores every world wholly; a property that does not hold prints its shortest story.
#include "worlds.hpp"

#include "explorer.hpp"

#include <fulmar/base/sanitizer.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace fulmar::model {
namespace {

class worlds : public testing::TestWithParam<settings> {};

// A sanitizer makes every move ten times as dear: it sees one operation less, and no fewer lines of
// code. So does `./dev test --quick`.
bool worlds_are_whole() {
#if FULMAR_ASAN || FULMAR_TSAN
    return false;
#else
    return std::getenv("FULMAR_QUICK") == nullptr;
#endif
}

TEST_P(worlds, keep_every_promise) {
    const bool whole = worlds_are_whole();
    settings world = GetParam();
    if (!whole) --world.operations;
    const outcome o = explore(world);
    EXPECT_EQ(o.wrong, "") << o.story;
    std::printf("%s%s: %llu states, %llu moves, %llu at rest, %llu ends, depth %u, %.1f s\n",
                world.name.c_str(), whole ? "" : " (one operation less)",
                static_cast<unsigned long long>(o.states), static_cast<unsigned long long>(o.moves),
                static_cast<unsigned long long>(o.at_rest),
                static_cast<unsigned long long>(o.at_end), o.depth, o.seconds);
    RecordProperty("states", std::to_string(o.states));
    if (whole) {
        EXPECT_GE(o.states, 100'000u);
    }
    EXPECT_GT(o.at_end, 0u) << "nothing ever ends: the world is wrong";
}

INSTANTIATE_TEST_SUITE_P(all, worlds, testing::ValuesIn(all_worlds()), [](const auto& world) {
    std::string name = world.param.name;
    for (char& c : name)
        if (c == '-') c = '_';
    return name;
});

}  // namespace
}  // namespace fulmar::model
