#include "streaming_copy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace fulmar::backend {
namespace {

// Every alignment of both sides and every length around the lines: what was asked for, no more.
TEST(streaming_copy, copies_what_it_should_and_nothing_else) {
    constexpr std::size_t room = 512;
    constexpr std::byte untouched{0xEE};
    std::vector<std::byte> from(room);
    for (std::size_t i = 0; i < room; ++i) from[i] = static_cast<std::byte>(i * 7 + 1);
    for (std::size_t to_shift = 0; to_shift < 64; to_shift += 3)
        for (std::size_t from_shift = 0; from_shift < 17; ++from_shift)
            for (const std::size_t bytes : {0, 1, 15, 63, 64, 65, 127, 128, 200, 256, 331}) {
                alignas(64) std::array<std::byte, room> to{};
                to.fill(untouched);
                streaming_copy(to.data() + to_shift, from.data() + from_shift, bytes);
                std::byte* first = to.data() + to_shift;
                ASSERT_TRUE(std::equal(first, first + bytes, from.data() + from_shift));
                ASSERT_TRUE(std::all_of(to.data(), first, [&](auto b) { return b == untouched; }));
                ASSERT_TRUE(std::all_of(first + bytes, to.data() + room,
                                        [&](auto b) { return b == untouched; }));
            }
}

}  // namespace
}  // namespace fulmar::backend
