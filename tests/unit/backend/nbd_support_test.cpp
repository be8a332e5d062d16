// What every build says of NBD, with libnbd or without.
#include <fulmar/backend/nbd_device.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>

namespace fulmar::backend {
namespace {

TEST(nbd_support, is_there_or_refused_by_name) {
    test::hand_reactor reactor;
    const nbd_environment environment{.control = &*reactor, .data = {&*reactor}};
    const auto made = make_nbd_device({.uri = "nbd://192.0.2.1/disk"}, environment);
    if (knows_nbd()) {
        EXPECT_TRUE(made) << made.error().text();
    } else {
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, errc::not_supported);
        EXPECT_NE(made.error().text().find("libnbd"), std::string::npos);
        GTEST_SKIP() << "this build has no libnbd (./dev setup build): devices on NBD servers are "
                        "not tested";
    }
}

}  // namespace
}  // namespace fulmar::backend
