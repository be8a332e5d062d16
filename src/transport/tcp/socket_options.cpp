#include "socket_options.hpp"

#include <fulmar/base/limits.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace fulmar::transport::tcp {

void prepare_socket(int fd, std::chrono::seconds send_stall) noexcept {
    const auto set = [fd](int level, int option, auto value) {
        const int number = static_cast<int>(value);
        ::setsockopt(fd, level, option, &number, sizeof number);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, limits::keepalive_idle.count());
    set(IPPROTO_TCP, TCP_KEEPINTVL, limits::keepalive_interval.count());
    set(IPPROTO_TCP, TCP_KEEPCNT, limits::keepalive_probes);
    const std::chrono::milliseconds patience = std::max(limits::least_user_timeout, send_stall);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, patience.count());
}

}  // namespace fulmar::transport::tcp
