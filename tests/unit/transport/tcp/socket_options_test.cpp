// Unit tests of tcp/socket_options.hpp: a host that vanished is noticed without its keep alive.
#include "tcp/socket_options.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace fulmar::transport::tcp {
namespace {

int option(int fd, int level, int which) {
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(::getsockopt(fd, level, which, &value, &length), 0);
    return value;
}

TEST(socket_options, a_peer_that_has_vanished_is_bounded_in_time) {
    const unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    prepare_socket(fd.get(), std::chrono::seconds(30));
    EXPECT_EQ(option(fd.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE), limits::keepalive_idle.count());
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL), limits::keepalive_interval.count());
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT), limits::keepalive_probes);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 60'000);
}

TEST(socket_options, a_host_that_may_stall_for_longer_is_not_ended_before) {
    const unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    prepare_socket(fd.get(), std::chrono::seconds(300));
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 300'000);
}

}  // namespace
}  // namespace fulmar::transport::tcp
