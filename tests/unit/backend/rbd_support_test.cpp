// What every build says of images of Ceph, with librbd or without.
#include <fulmar/backend/rbd_device.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>

namespace fulmar::backend {
namespace {

TEST(rbd_support, is_there_or_refused_by_name) {
    test::hand_reactor reactor;
    const rbd_environment environment{.control = &*reactor, .data = {&*reactor}};
    const auto made = make_rbd_device({.pool = "rbd", .image = "disk"}, environment);
    if (knows_rbd()) {
        EXPECT_TRUE(made) << made.error().text();
    } else {
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, errc::not_supported);
        EXPECT_NE(made.error().text().find("librbd"), std::string::npos);
        GTEST_SKIP() << "this build has no librbd (./dev setup build): devices on images of Ceph "
                        "are not tested";
    }
}

}  // namespace
}  // namespace fulmar::backend
