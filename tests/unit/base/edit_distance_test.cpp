#include <fulmar/base/edit_distance.hpp>

#include <gtest/gtest.h>

namespace fulmar {
namespace {

TEST(edit_distance, counts_what_a_typist_gets_wrong) {
    EXPECT_EQ(edit_distance("size", "size"), 0u);
    EXPECT_EQ(edit_distance("", "size"), 4u);
    EXPECT_EQ(edit_distance("size", ""), 4u);
    EXPECT_EQ(edit_distance("sizes", "size"), 1u) << "one too many";
    EXPECT_EQ(edit_distance("sie", "size"), 1u) << "one left out";
    EXPECT_EQ(edit_distance("sise", "size"), 1u) << "one replaced";
    EXPECT_EQ(edit_distance("szie", "size"), 1u) << "neighbours swapped";
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace fulmar
