#include "iova_allocator.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

using namespace fulmar;
using vfio::iova_allocator;
using vfio::iova_range;

namespace {

// What a kernel with an IOMMU of 39 bits reports, around the interrupt window.
const std::vector<iova_range> narrow{{0, 0xfedf'ffff}, {0xfef0'0000, (std::uint64_t{1} << 39) - 1}};

TEST(iova_allocator, stays_within_what_the_iommu_reports) {
    iova_allocator all(narrow);
    const std::uint64_t first = all.allocate(4096, 4096).value();
    EXPECT_GE(first, iova_allocator::lowest) << "0 may mean none";
    // More than fits below the window: it must not lie across it.
    const std::uint64_t big = std::uint64_t{5} << 30;
    const std::uint64_t at = all.allocate(big, std::uint64_t{2} << 20).value();
    EXPECT_GE(at, 0xfef0'0000u);
    EXPECT_LT(at + big, std::uint64_t{1} << 39);
    EXPECT_EQ(at % (std::uint64_t{2} << 20), 0u);
    EXPECT_FALSE(all.allocate(std::uint64_t{1} << 39, 4096));
}

TEST(iova_allocator, takes_the_last_byte_of_the_address_space) {
    const std::vector<iova_range> wide{{~std::uint64_t{0} - 8191, ~std::uint64_t{0}}};
    iova_allocator all(wide);
    EXPECT_TRUE(all.allocate(8192, 4096));
    EXPECT_TRUE(all.free_ranges().empty());
    EXPECT_FALSE(all.allocate(1, 1));
}

TEST(iova_allocator, what_comes_back_joins_its_neighbours) {
    iova_allocator all(narrow);
    const auto whole = all.free_ranges();
    const std::uint64_t a = all.allocate(4096, 4096).value();
    const std::uint64_t b = all.allocate(8192, 4096).value();
    const std::uint64_t c = all.allocate(4096, 4096).value();
    all.release(b, 8192);
    all.release(a, 4096);
    all.release(c, 4096);
    EXPECT_EQ(all.free_ranges(), whole);
}

TEST(iova_allocator, never_hands_out_anything_twice) {
    iova_allocator all(narrow);
    const auto whole = all.free_ranges();
    std::map<std::uint64_t, std::uint64_t> taken;  // begin, bytes
    std::mt19937_64 random(7);
    for (int i = 0; i < 5000; ++i) {
        if (taken.size() > 64 || (random() % 3 == 0 && !taken.empty())) {
            auto at = taken.begin();
            std::advance(at, static_cast<std::ptrdiff_t>(random() % taken.size()));
            all.release(at->first, at->second);
            taken.erase(at);
            continue;
        }
        const std::uint64_t bytes = 4096 * (1 + random() % 999);
        const std::uint64_t alignment = std::uint64_t{4096} << random() % 10;
        const std::uint64_t begin = all.allocate(bytes, alignment).value();
        ASSERT_EQ(begin % alignment, 0u);
        const auto after = taken.lower_bound(begin);
        if (after != taken.end()) {
            ASSERT_LE(begin + bytes, after->first);
        }
        if (after != taken.begin()) {
            const auto before = std::prev(after);
            ASSERT_LE(before->first + before->second, begin);
        }
        taken.emplace(begin, bytes);
    }
    for (const auto& [begin, bytes] : taken) all.release(begin, bytes);
    EXPECT_EQ(all.free_ranges(), whole);
}

}  // namespace
