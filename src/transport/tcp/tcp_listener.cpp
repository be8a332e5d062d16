#include "tcp_listener.hpp"

#include "socket_stream.hpp"

#include <fulmar/base/memory_reserve.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace fulmar::transport::tcp {

namespace {

struct address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

fulmar::result<address> parse(const core::listener_spec& spec) {
    address a;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&a.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&a.storage);
    if (::inet_pton(AF_INET, spec.address.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(spec.port);
        a.length = sizeof *v4;
    } else if (::inet_pton(AF_INET6, spec.address.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(spec.port);
        a.length = sizeof *v6;
    } else {
        return fail(errc::invalid_argument,
                    fmt::format("{} is not a numeric IPv4 or IPv6 address", spec.address),
                    "/address", "write for example 127.0.0.1, 0.0.0.0 or ::1");
    }
    return a;
}

std::uint16_t port_of(const address& a) noexcept {
    if (a.storage.ss_family == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&a.storage)->sin6_port);
    return ntohs(reinterpret_cast<const sockaddr_in*>(&a.storage)->sin_port);
}

std::string text_of(const address& a) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (a.storage.ss_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&a.storage);
        ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
        return fmt::format("[{}]:{}", text.data(), port_of(a));
    }
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&a.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), port_of(a));
}

void set(int fd, int level, int option, int value) noexcept {
    ::setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

fulmar::result<std::unique_ptr<core::listener>> tcp_listener::open(
    const core::listener_spec& spec, core::target& target, const std::vector<tcp_group*>& groups) {
    FULMAR_TRY(address at, parse(spec));
    unique_fd fd(
        ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!fd) return fail_errno("cannot create a socket", errno, spec.name());
    set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (at.storage.ss_family == AF_INET6) set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (::bind(fd.get(), at.get(), at.length) != 0)
        return fail_errno(
            fmt::format("cannot listen at {} port {}", spec.address, spec.port), errno, spec.name(),
            errno == EADDRINUSE ? "another program has the port: stop it, or choose another port"
                                : "");
    constexpr int backlog = 1024;
    if (::listen(fd.get(), backlog) != 0) return fail_errno("cannot listen", errno, spec.name());
    address bound;
    bound.length = sizeof bound.storage;
    if (::getsockname(fd.get(), bound.get(), &bound.length) != 0)
        return fail_errno("cannot read the bound address", errno);
    core::listener_spec actual = spec;
    actual.port = port_of(bound);
    std::unique_ptr<tcp_listener> made(
        new tcp_listener(std::move(actual), std::move(fd), target, groups));
    FULMAR_CHECK(target.control_reactor().watch(made->watch_, made->fd_.get(), EPOLLIN));
    return made;
}

tcp_listener::tcp_listener(core::listener_spec spec, unique_fd fd, core::target& target,
                           const std::vector<tcp_group*>& groups)
    : spec_(std::move(spec)),
      fd_(std::move(fd)),
      target_(target),
      groups_(groups),
      account_(std::make_shared<listener_account>()),
      watch_(*this),
      pause_(*this) {
    account_->name = spec_.name();
}

tcp_listener::~tcp_listener() {
    target_.control_reactor().unwatch(watch_);
    target_.control_reactor().timers().cancel(pause_);
}

core::listener_status tcp_listener::status() const {
    core::listener_status s;
    s.spec = spec_;
    s.connections = account_->connections.load(std::memory_order_relaxed);
    s.accepted_total = account_->accepted.load(std::memory_order_relaxed);
    s.rejected_total = account_->rejected.load(std::memory_order_relaxed);
    return s;
}

void tcp_listener::on_ready(engine::descriptor_watch& w, std::uint32_t) noexcept {
    static_cast<watch&>(w).owner->accept_some();
}

void tcp_listener::on_pause_over(engine::timer& t) noexcept {
    tcp_listener& self = *static_cast<pause&>(t).owner;
    engine::reactor& control = self.target_.control_reactor();
    if (!control.watch(self.watch_, self.fd_.get(), EPOLLIN))  // as short of something as before
        control.timers().arm(self.pause_, control.now() + accept_pause);
}

void tcp_listener::accept_some() noexcept {
    for (unsigned i = 0; i < accepts_per_turn; ++i) {
        address from;
        from.length = sizeof from.storage;
        unique_fd fd(::accept4(fd_.get(), from.get(), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                if (complaints_.allow(target_.control_reactor().now()))
                    log::warn("{}: cannot accept: {}", spec_.name(), std::strerror(errno));
                target_.control_reactor().unwatch(watch_);
                target_.control_reactor().timers().arm(
                    pause_, target_.control_reactor().now() + accept_pause);
            }
            return;
        }
        try {
            hand_over(std::move(fd), text_of(from));
        } catch (const std::bad_alloc&) {
            account_->rejected.fetch_add(1, std::memory_order_relaxed);
        }
    }
}

void tcp_listener::hand_over(unique_fd fd, std::string peer) {
    const bool too_many = account_->connections.load(std::memory_order_relaxed) >=
                          target_.options().max_connections_per_listener;
    const bool storm =
        account_->handshakes.load(std::memory_order_relaxed) >= limits::max_pending_handshakes;
    const bool memory_short = !memory_reserve::whole();
    if (too_many || storm || memory_short) {
        account_->rejected.fetch_add(1, std::memory_order_relaxed);
        if (complaints_.allow(target_.control_reactor().now()))
            log::warn("{}: refused {}: {}", spec_.name(), peer,
                      too_many ? "max_connections_per_listener is reached"
                      : storm  ? "too many connections have not sent a Connect yet"
                               : "memory is short");
        return;
    }
    set(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    address here;
    here.length = sizeof here.storage;
    std::string local;
    if (::getsockname(fd.get(), here.get(), &here.length) == 0) local = text_of(here);
    core::poll_group& least = target_.least_loaded();
    for (tcp_group* g : groups_) {
        if (&g->group() != &least) continue;
        auto* m = new (std::nothrow)
            arrival(*g, {.stream = std::make_unique<socket_stream>(std::move(fd)),
                         .peer = std::move(peer),
                         .local = std::move(local),
                         .account = account_});
        if (m == nullptr) return;
        least.load.fetch_add(1, std::memory_order_relaxed);
        account_->connections.fetch_add(1, std::memory_order_relaxed);
        account_->handshakes.fetch_add(1, std::memory_order_relaxed);
        account_->accepted.fetch_add(1, std::memory_order_relaxed);
        least.reactor().post(*m);
        return;
    }
}

}  // namespace fulmar::transport::tcp
