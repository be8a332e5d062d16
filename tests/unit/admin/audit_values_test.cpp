// Unit tests of admin/audit_values.hpp: where a long text is cut.
#include "admin/audit_values.hpp"

#include <gtest/gtest.h>

namespace fulmar::admin {
namespace {

TEST(audit_values, no_character_is_cut_in_its_middle) {
    const std::string text = "a\u00e4\u20ac\U0001f600z";  // of 1, 2, 3, 4 and 1 bytes
    ASSERT_EQ(text.size(), 11u);
    const std::size_t wanted[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (std::size_t most = 0; most < std::size(wanted); ++most)
        EXPECT_EQ(whole_characters(text, most), wanted[most]) << most;
    EXPECT_EQ(whole_characters(std::string(20, '\x80'), 10), 10u) << "that is no text";
}

}  // namespace
}  // namespace fulmar::admin
