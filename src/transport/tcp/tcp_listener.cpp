#include "tcp_listener.hpp"

#include "socket_options.hpp"
#include "socket_stream.hpp"
#include "tls_stream.hpp"

#include <fulmar/base/descriptors.hpp>
#include <fulmar/base/memory_reserve.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
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

/// The interface behind "%" of an address that has one ("fe80::1%eth0"); 0: none.
fulmar::result<std::uint32_t> scope_of(const core::listener_spec& spec, std::string& bare) {
    const std::size_t mark = spec.address.find('%');
    bare = spec.address.substr(0, mark);
    if (mark == std::string::npos) return 0;
    const std::string name = spec.address.substr(mark + 1);
    const std::uint32_t index = ::if_nametoindex(name.c_str());
    if (index == 0)
        return fail(errc::unavailable, fmt::format("there is no network interface {}", name),
                    spec.name(), "`ip link` shows those that are there");
    return index;
}

fulmar::result<address> parse(const core::listener_spec& spec) {
    address a;
    std::string bare;
    FULMAR_TRY(const std::uint32_t scope, scope_of(spec, bare));
    auto* v4 = reinterpret_cast<sockaddr_in*>(&a.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&a.storage);
    if (::inet_pton(AF_INET, bare.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(spec.port);
        a.length = sizeof *v4;
    } else if (::inet_pton(AF_INET6, bare.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(spec.port);
        v6->sin6_scope_id = scope;
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
        std::array<char, IF_NAMESIZE> interface {};
        const bool scoped = v6->sin6_scope_id != 0 &&
                            ::if_indextoname(v6->sin6_scope_id, interface.data()) != nullptr;
        return fmt::format("[{}{}{}]:{}", text.data(), scoped ? "%" : "", interface.data(),
                           port_of(a));
    }
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&a.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), port_of(a));
}

void set(int fd, int level, int option, int value) noexcept {
    ::setsockopt(fd, level, option, &value, sizeof value);
}

/// A socket that listens there; `port` becomes the one that was bound.
fulmar::result<unique_fd> bind_socket(const core::listener_spec& spec, std::uint16_t& port) {
    FULMAR_TRY(address at, parse(spec));
    unique_fd fd(
        ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!fd) return fail_errno("cannot create a socket", errno, spec.name());
    set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (at.storage.ss_family == AF_INET6) set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (::bind(fd.get(), at.get(), at.length) != 0) {
        const int why = errno;
        const char* remedy = "";
        if (why == EADDRINUSE)
            remedy = "another program has the port: stop it, or choose another port";
        else if (why == EADDRNOTAVAIL)
            remedy = "this machine does not have the address: `ip address` lists those it has";
        return fail_errno(fmt::format("cannot listen at {} port {}", spec.address, spec.port), why,
                          spec.name(), remedy);
    }
    constexpr int backlog = 1024;
    if (::listen(fd.get(), backlog) != 0) return fail_errno("cannot listen", errno, spec.name());
    address bound;
    bound.length = sizeof bound.storage;
    if (::getsockname(fd.get(), bound.get(), &bound.length) != 0)
        return fail_errno("cannot read the bound address", errno);
    port = port_of(bound);
    return fd;
}

/// What may pass by itself: an address that an interface gets later, a port that is given up.
bool may_pass(const error& why) noexcept {
    return why.code == errc::unavailable || why.code == errc::already_exists;
}

}  // namespace

fulmar::result<std::unique_ptr<core::listener>> tcp_listener::open(
    const core::listener_spec& spec, core::listen_mode mode, core::target& target,
    const std::vector<tcp_group*>& groups) {
    std::unique_ptr<tcp_listener> made(new tcp_listener(spec, target, groups));
    auto listening = made->try_to_listen();
    if (!listening) {
        if (mode == core::listen_mode::now || !may_pass(listening.error()))
            return tl::unexpected(std::move(listening).error());
        if (spec.port == 0)
            return fail(errc::unavailable, listening.error().message, "/port",
                        "a listener that waits for its address needs a port");
        made->wait(listening.error());
    }
    // The port is known by now.
    made->counters_->name = made->spec_.name();
    made->places_ = std::make_shared<core::listener_places>(
        made->spec_.name(), target.options().max_connections_per_listener);
    return made;
}

tcp_listener::tcp_listener(core::listener_spec spec, core::target& target,
                           const std::vector<tcp_group*>& groups)
    : spec_(std::move(spec)),
      target_(target),
      groups_(groups),
      counters_(std::make_shared<common::listener_counters>()) {}

tcp_listener::~tcp_listener() {
    engine::reactor& control = target_.control_reactor();
    control.unwatch(watch_);
    control.timers().cancel(pause_);
    control.timers().cancel(retry_);
    if (places_ != nullptr) places_->close();  // they know each other
}

fulmar::result<void> tcp_listener::try_to_listen() {
    std::uint16_t port = spec_.port;
    FULMAR_TRY(unique_fd fd, bind_socket(spec_, port));
    FULMAR_CHECK(target_.control_reactor().watch(watch_, fd.get(), EPOLLIN));
    fd_ = std::move(fd);
    spec_.port = port;
    return {};
}

void tcp_listener::wait(const error& why) {
    if (why.message != waits_for_) {
        log::warn("{}: {}; it is tried again until it works{}{}", spec_.name(), why.message,
                  why.remedy.empty() ? "" : ": ", why.remedy);
        waits_for_ = why.message;
    }
    engine::reactor& control = target_.control_reactor();
    control.timers().arm(retry_, control.fresh_now() + limits::listen_retry);
}

void tcp_listener::on_retry() noexcept {
    engine::reactor& control = target_.control_reactor();
    try {
        if (auto listening = try_to_listen(); !listening) return wait(listening.error());
    } catch (const std::bad_alloc&) {
        return control.timers().arm(retry_, control.fresh_now() + limits::listen_retry);
    }
    log::info("{}: listening now", spec_.name());
    waits_for_.clear();
    target_.discovery_changed();
}

core::listener_status tcp_listener::status() const {
    core::listener_status s;
    s.spec = spec_;
    s.waits_for = waits_for_;
    counters_->report(s);
    return s;
}

void tcp_listener::on_pause_over() noexcept {
    engine::reactor& control = target_.control_reactor();
    if (!control.watch(watch_, fd_.get(), EPOLLIN))  // as short of something as before
        control.timers().arm(pause_, control.now() + accept_pause);
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
            hand_over(std::move(fd), text_of(from), core::address_key(from.get()));
        } catch (const std::bad_alloc&) {
            counters_->count_rejected();
        }
    }
}

void tcp_listener::reject(std::string_view peer, std::string_view why) noexcept {
    counters_->count_rejected();
    if (complaints_.allow(target_.control_reactor().now()))
        log::warn("{}: refused {}: {}", spec_.name(), peer, why);
}

void tcp_listener::hand_over(unique_fd fd, std::string peer, std::uint64_t address) {
    const instant now = target_.control_reactor().now();
    if (!memory_reserve::whole()) return reject(peer, "memory is short");
    if (!descriptors::is_for_peers(fd.get())) {
        (void)places_->spare_one(address, now);  // the next one finds a descriptor
        return reject(peer, "descriptors are used up; raise LimitNOFILE (ulimit -n)");
    }
    core::poll_group& least = target_.least_loaded();
    const auto here = std::find_if(groups_.begin(), groups_.end(),
                                   [&](tcp_group* g) { return &g->group() == &least; });
    if (here == groups_.end()) return;
    const int descriptor = fd.get();
    std::unique_ptr<byte_stream> stream;
    if (spec_.tls == "refuse")
        stream = std::make_unique<socket_stream>(std::move(fd));
    else
        stream = std::make_unique<tls_stream>(std::move(fd), spec_.tls == "allow", (*here)->tls(),
                                              (*here)->reactor());
    prepare_socket(descriptor, std::chrono::seconds(target_.options().send_stall_s));
    struct address bound;
    bound.length = sizeof bound.storage;
    std::string local;
    if (::getsockname(descriptor, bound.get(), &bound.length) == 0) local = text_of(bound);
    // Last of what may fail: a place that is taken is given back by the connection alone.
    const std::shared_ptr<core::connection_ticket> ticket = places_->arrive(least, address, now);
    if (ticket == nullptr) return reject(peer, "too many connections have not sent a Connect yet");
    std::unique_ptr<accepted_socket> made(new (std::nothrow) accepted_socket(
        **here, {std::move(stream), std::move(peer), std::move(local), counters_, ticket}));
    if (made == nullptr) return ticket->end();
    least.load.fetch_add(1, std::memory_order_relaxed);
    counters_->count_in();
    least.reactor().post(*made.release());
}

}  // namespace fulmar::transport::tcp
