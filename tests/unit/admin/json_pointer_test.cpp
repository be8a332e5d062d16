// JSON pointers (RFC 6901): made of keys, taken apart, followed.
#include "admin/json_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fulmar::admin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(json_pointer, steps_are_the_keys_that_it_was_made_of) {
    EXPECT_THAT(pointer_steps(""), IsEmpty());
    EXPECT_THAT(pointer_steps("/devices/0/path"), ElementsAre("devices", "0", "path"));
    EXPECT_THAT(pointer_steps("/"), ElementsAre(""));
    const std::vector<std::string> odd{"a/b", "~", "~1", "a~0/", "", "1"};
    std::string pointer;
    for (const std::string& key : odd) pointer += "/" + pointer_step(key);
    EXPECT_EQ(pointer_steps(pointer), odd) << pointer;
    EXPECT_THAT(pointer_steps("/a~"), ElementsAre("a~")) << "no escape, and no end of the text";
}

TEST(json_pointer, a_step_is_a_place_when_it_is_a_number) {
    EXPECT_EQ(index_of_step("12"), 12u);
    for (const char* none : {"", "a", "1a", "-1", " 1", "99999999999999999999999"})
        EXPECT_EQ(index_of_step(none), std::nullopt) << none;
}

TEST(json_pointer, is_followed_as_far_as_there_is_a_way) {
    problem_list problems;
    const auto root = parse_json("{\"a/b\": [\n10,\n{\"c\":\n20}]}", body_bounds, problems);
    ASSERT_TRUE(root);
    EXPECT_EQ(&follow_pointer(*root, ""), &*root);
    EXPECT_EQ(follow_pointer(*root, "/a~1b/0").natural, 10u);
    EXPECT_EQ(follow_pointer(*root, "/a~1b/1/c").line, 4u);
    EXPECT_EQ(&follow_pointer(*root, "/a~1b/1/d"), &follow_pointer(*root, "/a~1b/1"));
    EXPECT_EQ(&follow_pointer(*root, "/a~1b/2"), &follow_pointer(*root, "/a~1b"));
    EXPECT_EQ(&follow_pointer(*root, "/x"), &*root);
}

}  // namespace
}  // namespace fulmar::admin
