#include <fulmar/host/histogram.hpp>

#include <gtest/gtest.h>

#include <cstdint>

namespace fulmar::host {
namespace {

TEST(histogram, is_empty_at_first) {
    const histogram h;
    EXPECT_EQ(h.count(), 0u);
    EXPECT_EQ(h.min_ns(), 0u);
    EXPECT_EQ(h.max_ns(), 0u);
    EXPECT_EQ(h.mean_ns(), 0.0);
    EXPECT_EQ(h.percentile_ns(0.99), 0u);
}

TEST(histogram, is_exact_for_small_values) {
    histogram h;
    for (std::uint64_t v = 1; v <= 100; ++v) h.add(v);
    EXPECT_EQ(h.percentile_ns(0.5), 50u);
    EXPECT_EQ(h.percentile_ns(0.01), 1u);
    EXPECT_EQ(h.percentile_ns(1.0), 100u);
    EXPECT_DOUBLE_EQ(h.mean_ns(), 50.5);
}

TEST(histogram, is_right_to_one_point_six_percent_everywhere) {
    for (std::uint64_t v = 1; v < std::uint64_t{1} << 41; v = v * 9 / 8 + 1) {
        histogram h;
        h.add(1);
        h.add(v);
        h.add(v * 2);  // so that v is not the maximum, which is kept exactly
        const auto p = static_cast<double>(h.percentile_ns(0.5));
        EXPECT_GE(p, static_cast<double>(v));
        EXPECT_LE(p, static_cast<double>(v) * 1.016 + 1) << v;
    }
}

TEST(histogram, counts_huge_values_as_the_largest) {
    histogram h;
    h.add(~std::uint64_t{0} >> 1);
    EXPECT_EQ(h.count(), 1u);
    EXPECT_EQ(h.percentile_ns(0.5), h.max_ns());
}

TEST(histogram, merges_as_if_added_together) {
    histogram a;
    histogram b;
    histogram both;
    for (std::uint64_t v = 10; v < 100'000; v += 777) {
        (v % 2 == 0 ? a : b).add(v);
        both.add(v);
    }
    a.merge(b);
    EXPECT_EQ(a.count(), both.count());
    EXPECT_EQ(a.min_ns(), both.min_ns());
    EXPECT_EQ(a.max_ns(), both.max_ns());
    EXPECT_DOUBLE_EQ(a.mean_ns(), both.mean_ns());
    for (const double p : {0.1, 0.5, 0.9, 0.999})
        EXPECT_EQ(a.percentile_ns(p), both.percentile_ns(p));
}

TEST(histogram, adds_many_at_once) {
    histogram h;
    h.add(1000, 99);
    h.add(5000, 1);
    EXPECT_EQ(h.count(), 100u);
    EXPECT_NEAR(static_cast<double>(h.percentile_ns(0.99)), 1000, 16);
    EXPECT_EQ(h.percentile_ns(1.0), 5000u);
}

}  // namespace
}  // namespace fulmar::host
