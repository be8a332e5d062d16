#include <fulmar/host/endpoint.hpp>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

namespace fulmar::host {
namespace {

readiness wait_for(int fd, short events, const deadline& until) noexcept {
    for (;;) {
        pollfd one{fd, events, 0};
        const int ready = ::poll(&one, 1, until.left_ms());
        if (ready > 0) return readiness::ready;
        if (ready == 0 && until.passed()) return readiness::timed_out;
        if (ready < 0 && errno != EINTR) return readiness::ready;  // the next call on fd will tell
    }
}

errc code_of(int errno_value) noexcept {
    switch (errno_value) {
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOBUFS: return errc::no_memory;
        case ETIMEDOUT: return errc::timed_out;
        case EACCES:
        case EPERM: return errc::permission_denied;
        default: return errc::unavailable;
    }
}

result<unique_fd> connect_to(const addrinfo& candidate, const endpoint& to, const deadline& until) {
    const auto failed = [&](int errno_value) {
        auto why = fail_errno(
            "cannot connect", errno_value, to.text(),
            errno_value == ECONNREFUSED ? "is the target running and listening there?" : "");
        why.value().code = code_of(errno_value);
        return why;
    };
    unique_fd fd(
        ::socket(candidate.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!fd) return failed(errno);
    if (::connect(fd.get(), candidate.ai_addr, candidate.ai_addrlen) != 0) {
        if (errno != EINPROGRESS) return failed(errno);
        if (wait_writable(fd.get(), until) == readiness::timed_out) return failed(ETIMEDOUT);
        int why = 0;
        socklen_t length = sizeof why;
        ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &why, &length);
        if (why != 0) return failed(why);
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

}  // namespace

readiness wait_readable(int fd, const deadline& until) noexcept {
    return wait_for(fd, POLLIN, until);
}
readiness wait_writable(int fd, const deadline& until) noexcept {
    return wait_for(fd, POLLOUT, until);
}

std::string endpoint::text() const {
    return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                  : fmt::format("[{}]:{}", address, port);
}

result<unique_fd> connect_tcp(const endpoint& to, const deadline& until) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string service = std::to_string(to.port);
    const int why = ::getaddrinfo(to.address.c_str(), service.c_str(), &hints, &found);
    if (why != 0)
        return fail(errc::not_found, fmt::format("no such address: {}", ::gai_strerror(why)),
                    to.text());
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
    result<unique_fd> last = fail(errc::not_found, "the name has no address", to.text());
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        last = connect_to(*each, to, until);
        if (last) return last;
    }
    return last;
}

}  // namespace fulmar::host
