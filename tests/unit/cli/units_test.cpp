#include "units.hpp"

#include <gtest/gtest.h>

namespace fulmar::cli {
namespace {

TEST(units, parses_sizes) {
    EXPECT_EQ(parse_size("0"), 0u);
    EXPECT_EQ(parse_size("4096"), 4096u);
    EXPECT_EQ(parse_size("4k"), 4096u);
    EXPECT_EQ(parse_size("4K"), 4096u);
    EXPECT_EQ(parse_size("4kb"), 4096u);
    EXPECT_EQ(parse_size("4KiB"), 4096u);
    EXPECT_EQ(parse_size("4 KiB"), 4096u);
    EXPECT_EQ(parse_size("3M"), 3u << 20);
    EXPECT_EQ(parse_size("1GiB"), 1u << 30);
    EXPECT_EQ(parse_size("1GB"), 1u << 30);
    EXPECT_EQ(parse_size("2TiB"), std::uint64_t{2} << 40);
    EXPECT_EQ(parse_size("12B"), 12u);
}

TEST(units, refuses_what_is_no_size) {
    for (const char* text : {"", "k", "-1", "4x", "4kk", "4kib2", "4.5k", "18446744073709551616",
                             "99999999999G", "1BB", "4 "})
        EXPECT_FALSE(parse_size(text)) << text;
}

TEST(units, prints_three_digits) {
    EXPECT_EQ(size_text(0), "0 B");
    EXPECT_EQ(size_text(4096), "4 KiB");
    EXPECT_EQ(size_text(1536), "1.50 KiB");
    EXPECT_EQ(size_text(std::uint64_t{1} << 30), "1 GiB");
    EXPECT_EQ(size_text(123u << 20), "123 MiB");
    EXPECT_EQ(count_text(999), "999");
    EXPECT_EQ(count_text(1'234'567), "1.23 M");
    EXPECT_EQ(count_text(45'600), "45.6 k");
    EXPECT_EQ(time_text(999), "999 ns");
    EXPECT_EQ(time_text(12'345), "12.3 µs");
    EXPECT_EQ(time_text(4'560'000), "4.56 ms");
}

}  // namespace
}  // namespace fulmar::cli
