#include <fulmar/base/mutation.hpp>

#include <gtest/gtest.h>

namespace fulmar {
namespace {

TEST(mutation_names, what_is_no_bug_has_none) {
    EXPECT_EQ(parse_mutation("fua_is_dropped"), mutation::fua_is_dropped);
    EXPECT_FALSE(parse_mutation("nothing of the kind"));
    EXPECT_EQ(to_string(static_cast<mutation>(static_cast<unsigned>(last_mutation) + 1)), "?");
}

}  // namespace
}  // namespace fulmar
