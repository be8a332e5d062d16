// Stories out of random bytes, and those that the fuzzer has found worth keeping.
#include "../many_seeds.hpp"
#include "player.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

namespace fulmar::sim {
namespace {

std::vector<std::uint8_t> random_story(std::uint64_t seed) {
    std::mt19937_64 random(seed * 7919);
    std::vector<std::uint8_t> bytes(100 + random() % (most_story_bytes - 100));
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random());
    return bytes;
}

TEST(sequences, any_bytes_come_to_rest) {
    std::uint64_t longest = 0;
    many_seeds("stories of random bytes", 1'000, [&](std::uint64_t seed) {
        longest = std::max(longest, play_story(random_story(seed)));
    });
    std::printf("%llu turns at most\n", static_cast<unsigned long long>(longest));
}

TEST(sequences, replays_a_story_step_for_step) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        const auto bytes = random_story(seed);
        const std::uint64_t first = player(bytes).play();
        EXPECT_EQ(player(bytes).play(), first) << "seed " << seed;
        EXPECT_NE(player(random_story(seed + 100)).play(), first);
    }
}

std::vector<std::uint8_t> bytes_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::filesystem::path> kept_stories() {
    const char* source = std::getenv("FULMAR_SOURCE_DIR");
    const std::filesystem::path folder =
        std::filesystem::path(source != nullptr ? source : ".") / "tests/fuzz/corpus/sequence";
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    return all;
}

// Or the one that FULMAR_STORY names.
TEST(sequences, stories_that_are_kept_come_to_rest) {
    if (const char* only = std::getenv("FULMAR_STORY")) return (void)play_story(bytes_of(only));
    const auto all = kept_stories();
    EXPECT_GE(all.size(), 30u);
    for (const auto& file : all) {
        SCOPED_TRACE(file.filename());
        (void)play_story(bytes_of(file));
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace fulmar::sim
