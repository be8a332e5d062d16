// Unit tests of fulmar/base/descriptors.hpp.
#include <fulmar/base/descriptors.hpp>
#include <fulmar/base/limits.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace fulmar {
namespace {

struct kept_limit {
    kept_limit() { ::getrlimit(RLIMIT_NOFILE, &before); }
    ~kept_limit() { ::setrlimit(RLIMIT_NOFILE, &before); }
    void set(rlim_t soft) const {
        rlimit now = before;
        now.rlim_cur = soft;
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &now), 0);
    }
    rlimit before{};
};

TEST(descriptors, the_limit_is_raised_as_far_as_it_may) {
    const kept_limit kept;
    kept.set(256);
    EXPECT_EQ(descriptors::raise_limit(), kept.before.rlim_max);
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    EXPECT_EQ(now.rlim_cur, kept.before.rlim_max);
}

TEST(descriptors, the_last_ones_are_not_for_peers) {
    const kept_limit kept;
    kept.set(1024);
    const int last = 1024 - static_cast<int>(limits::descriptors_in_reserve) - 1;
    EXPECT_TRUE(descriptors::is_for_peers(last));
    EXPECT_FALSE(descriptors::is_for_peers(last + 1));
    kept.set(100);
    EXPECT_TRUE(descriptors::is_for_peers(49)) << "of few, half";
    EXPECT_FALSE(descriptors::is_for_peers(50));
}

}  // namespace
}  // namespace fulmar
