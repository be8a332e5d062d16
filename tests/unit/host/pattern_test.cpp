#include <fulmar/host/pattern.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace fulmar::host {
namespace {

constexpr std::uint32_t block = 512;

std::vector<std::byte> made(std::uint64_t seed, std::uint64_t lba, std::size_t blocks) {
    std::vector<std::byte> data(blocks * block);
    pattern(seed).fill(data, lba, block);
    return data;
}

TEST(pattern, agrees_with_itself) {
    const auto data = made(7, 100, 16);
    EXPECT_FALSE(pattern(7).check(data, 100, block));
}

TEST(pattern, does_not_depend_on_how_it_is_cut) {
    const auto whole = made(7, 100, 16);
    const auto part = made(7, 105, 3);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 5 * block));
}

TEST(pattern, sees_one_wrong_bit_anywhere) {
    for (std::size_t at = 0; at < 2 * block; at += 37) {
        auto data = made(7, 100, 2);
        data[at] ^= std::byte{1};
        const auto found = pattern(7).check(data, 100, block);
        ASSERT_TRUE(found) << at;
        EXPECT_EQ(found->lba, 100 + at / block);
        EXPECT_EQ(found->offset_bytes, at % block / 8 * 8);
        EXPECT_FALSE(found->all_zero);
        EXPECT_FALSE(found->belongs_to);
    }
}

TEST(pattern, names_a_misplaced_block) {
    auto data = made(7, 100, 2);
    const auto other = made(7, 4242, 1);
    std::copy(other.begin(), other.end(), data.begin() + block);
    const auto found = pattern(7).check(data, 100, block);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->lba, 101u);
    ASSERT_TRUE(found->belongs_to);
    EXPECT_EQ(*found->belongs_to, 4242u);
}

TEST(pattern, sees_another_seed_and_zeroes) {
    const auto other = made(8, 100, 1);
    const auto found = pattern(7).check(other, 100, block);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->belongs_to);
    const std::vector<std::byte> nothing(block);
    const auto zero = pattern(7).check(nothing, 100, block);
    ASSERT_TRUE(zero);
    EXPECT_TRUE(zero->all_zero);
}

}  // namespace
}  // namespace fulmar::host
