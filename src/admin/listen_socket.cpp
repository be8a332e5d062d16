// The listening sockets of the REST endpoint.
#include "access.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace fulmar::admin {

namespace {

constexpr int backlog = 128;

/// Something is at `path` already: a socket that nobody answers at is left over from a crash.
result<void> clear_place(const std::string& path, const sockaddr_un& where) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return {};
    if (!S_ISSOCK(about.st_mode))
        return fail(errc::invalid_argument, "something that is no socket is in the way", path,
                    "move it away, or choose another \"unix_socket\"");
    const unique_fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 ||
        errno == EAGAIN)
        return fail(errc::conflict, "another process serves this socket", path,
                    "stop it, or choose another \"unix_socket\"");
    ::unlink(path.c_str());
    return {};
}

}  // namespace

result<unique_fd> listen_unix(const std::string& path, std::uint32_t mode) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    if (path.size() >= sizeof where.sun_path)
        return fail(errc::invalid_argument,
                    fmt::format("is longer than {} bytes", sizeof where.sun_path - 1), path,
                    "choose a shorter \"unix_socket\"");
    std::memcpy(where.sun_path, path.data(), path.size());
    FULMAR_CHECK(clear_place(path, where));
    const std::string folder = folder_of(path);
    ::mkdir(folder.c_str(), 0755);  // /run/fulmar, when no service manager has made it
    unique_fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listening) return fail_errno("cannot make a socket", errno, path);
    // The file takes its mode from the socket: there is no moment in which others may connect.
    ::fchmod(listening.get(), 0600);
    if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
        return fail_errno("cannot bind the socket", errno, path,
                          "the folder must exist and be writable");
    if (::chmod(path.c_str(), mode) != 0)
        return fail_errno("cannot set the mode of the socket", errno, path);
    if (::listen(listening.get(), backlog) != 0) return fail_errno("cannot listen", errno, path);
    return listening;
}

result<unique_fd> listen_tcp(const std::string& address, std::uint16_t& port) {
    const std::string name = fmt::format("{}:{}", address, port);
    sockaddr_storage where{};
    socklen_t length = 0;
    auto& four = reinterpret_cast<sockaddr_in&>(where);
    auto& six = reinterpret_cast<sockaddr_in6&>(where);
    if (::inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        length = sizeof four;
    } else if (::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        length = sizeof six;
    } else {
        return fail(errc::invalid_argument, "is not a numeric address", name);
    }
    unique_fd listening(::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listening) return fail_errno("cannot make a socket", errno, name);
    const int on = 1;
    ::setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&where), length) != 0 ||
        ::listen(listening.get(), backlog) != 0)
        return fail_errno("cannot listen", errno, name);
    ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&where), &length);
    port = ntohs(where.ss_family == AF_INET ? four.sin_port : six.sin6_port);
    return listening;
}

}  // namespace fulmar::admin
