// Unit tests of fulmar/security/secret.hpp.
#include <fulmar/security/digest.hpp>
#include <fulmar/security/secret.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <type_traits>

namespace fulmar::security {
namespace {

// The flags of the mapping that holds `address`, as /proc/self/smaps has them.
std::string flags_of_mapping(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0;
        unsigned long to = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2 && line.find(':') > 16)
            inside = reinterpret_cast<unsigned long>(address) >= from &&
                     reinterpret_cast<unsigned long>(address) < to;
        if (inside && line.starts_with("VmFlags:")) return line;
    }
    return {};
}

TEST(secret, pages_of_it_are_in_no_core_dump) {
    const secret one = secret::of_text("do not look");
    EXPECT_NE(flags_of_mapping(one.reveal().data()).find(" dd"), std::string::npos)
        << flags_of_mapping(one.reveal().data());
}

TEST(secret, cannot_be_copied_or_formatted) {
    static_assert(!std::is_copy_constructible_v<secret> && !std::is_copy_assignable_v<secret>);
    static_assert(!fmt::is_formattable<secret>::value);
    static_assert(!std::is_convertible_v<secret, std::string_view>);
}

TEST(secret, moves_clones_and_shrinks) {
    secret one = secret::of_text("0123456789");
    secret two = std::move(one);
    EXPECT_EQ(two.reveal_text(), "0123456789");
    EXPECT_EQ(two.clone().reveal_text(), "0123456789");
    const std::byte* const behind = two.reveal().data() + 4;
    two.shrink(4);
    EXPECT_EQ(two.reveal_text(), "0123");
    EXPECT_EQ(*behind, std::byte{0}) << "what is cut off is wiped";
    two.shrink(0);
    EXPECT_TRUE(two.empty());
    secret large(5000);
    large.shrink(10);
    EXPECT_EQ(large.size(), 10u);
}

TEST(secret, comparison_looks_at_all_bytes) {
    EXPECT_TRUE(equal(bytes_of("abc"), bytes_of("abc")));
    EXPECT_FALSE(equal(bytes_of("abc"), bytes_of("abd")));
    EXPECT_FALSE(equal(bytes_of("abc"), bytes_of("ab")));
    EXPECT_TRUE(equal({}, {}));
}

}  // namespace
}  // namespace fulmar::security
