#include <fulmar/base/mutation.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace fulmar {
namespace {

TEST(mutation_names, each_bug_has_one_of_its_own) {
    std::set<std::string_view> all;
    for (unsigned i = 0; i <= static_cast<unsigned>(last_mutation); ++i) {
        const auto m = static_cast<mutation>(i);
        EXPECT_NE(to_string(m), "?") << i;
        EXPECT_TRUE(all.insert(to_string(m)).second) << to_string(m);
        EXPECT_EQ(parse_mutation(to_string(m)), m);
    }
}

}  // namespace
}  // namespace fulmar
