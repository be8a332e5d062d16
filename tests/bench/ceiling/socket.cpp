#include "bench/ceiling/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fulmar::bench {

namespace {
sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}
}  // namespace

void die(const char* what) {
    std::fprintf(stderr, "fulmar-ceiling: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

unique_fd listen_loopback(std::uint16_t& port) {
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) die("socket");
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        die("bind");
    if (::listen(fd.get(), 1024) != 0) die("listen");
    socklen_t length = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
    return fd;
}

unique_fd connect_loopback(std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    for (int attempt = 0; attempt < 2000; ++attempt) {
        unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!fd) die("socket");
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            return fd;
        if (errno != ECONNREFUSED) break;
        timespec pause{0, 1'000'000};
        ::nanosleep(&pause, nullptr);
    }
    die("connect");
}

void prepare_socket(int fd, int buffer_bytes) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (buffer_bytes > 0) {
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    }
}

void set_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

bool read_all(int fd, void* to, std::size_t bytes) {
    auto* at = static_cast<char*>(to);
    while (bytes != 0) {
        const ssize_t got = ::recv(fd, at, bytes, 0);
        if (got <= 0) return false;
        at += got;
        bytes -= static_cast<std::size_t>(got);
    }
    return true;
}

void write_all(int fd, const void* from, std::size_t bytes) {
    const auto* at = static_cast<const char*>(from);
    while (bytes != 0) {
        const ssize_t put = ::send(fd, at, bytes, MSG_NOSIGNAL);
        if (put <= 0) die("send");
        at += put;
        bytes -= static_cast<std::size_t>(put);
    }
}

void pin_thread(int cpu) {
    if (cpu < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) die("sched_setaffinity");
}

std::uint64_t process_cpu_ns(int pid) {
    clockid_t clock{};
    if (::clock_getcpuclockid(pid, &clock) != 0) return 0;
    timespec spent{};
    if (::clock_gettime(clock, &spent) != 0) return 0;
    return static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(spent.tv_nsec);
}

}  // namespace fulmar::bench
