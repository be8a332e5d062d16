// Unit tests of transport/common/listener_counters.hpp.
#include "common/listener_counters.hpp"

#include <gtest/gtest.h>

namespace fulmar::transport::common {
namespace {

TEST(listener_counters, count_each_connection_from_its_arrival_to_its_end) {
    listener_counters c;
    for (int i = 0; i < 3; ++i) c.count_in();
    c.count_connected();
    c.count_rejected();
    EXPECT_EQ(c.connections, 3u);
    EXPECT_EQ(c.handshakes, 2u);
    c.count_out(false);
    c.count_out(true);
    EXPECT_EQ(c.connections, 1u);
    EXPECT_EQ(c.handshakes, 1u);
    core::listener_status seen;
    c.report(seen);
    EXPECT_EQ(seen.connections, 1u);
    EXPECT_EQ(seen.accepted_total, 3u);
    EXPECT_EQ(seen.rejected_total, 1u);
}

}  // namespace
}  // namespace fulmar::transport::common
