#include "http_client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

namespace fulmar::test {

namespace {
void set_timeouts(int fd) {
    // Long enough for a thousand changes, each synced, on a machine that builds beside them.
    const timeval limit{120, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}
}  // namespace

http_client http_client::unix_socket(const std::string& path) {
    http_client out;
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::memcpy(where.sun_path, path.data(), std::min(path.size(), sizeof where.sun_path - 1));
    out.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_timeouts(out.fd_.get());
    if (::connect(out.fd_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
        out.fd_.reset();
    return out;
}

http_client http_client::tcp(const std::string& address, std::uint16_t port) {
    http_client out;
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &where.sin_addr);
    out.host = fmt::format("{}:{}", address, port);
    out.fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_timeouts(out.fd_.get());
    if (::connect(out.fd_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
        out.fd_.reset();
    return out;
}

void http_client::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
}

bool http_client::more() {
    std::array<char, 16384> block;
    const ssize_t got = ::recv(fd_.get(), block.data(), block.size(), 0);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    buffer_.append(block.data(), static_cast<std::size_t>(got));
    return true;
}

http_answer http_client::read(bool head_only) {
    http_answer out;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
        if (!more()) return out;
    std::string_view head = std::string_view(buffer_).substr(0, end);
    out.status = std::stoi(std::string(head.substr(9, 3)));
    std::size_t line = head.find("\r\n");
    while (line != std::string_view::npos) {
        head.remove_prefix(line + 2);
        line = head.find("\r\n");
        const std::string_view one = head.substr(0, line);
        const std::size_t colon = one.find(": ");
        if (colon == std::string_view::npos) continue;
        std::string name(one.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        out.headers[name] = one.substr(colon + 2);
    }
    buffer_.erase(0, end + 4);
    if (head_only || out.status == 204 || out.status == 304 || out.status == 100) return out;
    const std::size_t length = std::stoul(out.headers["content-length"]);
    while (buffer_.size() < length)
        if (!more()) break;
    out.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return out;
}

http_answer http_client::send(std::string_view method, std::string_view target,
                              std::string_view body, const headers& extra) {
    std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, target, host);
    bool typed = false;
    for (const auto& [name, value] : extra) {
        request += fmt::format("{}: {}\r\n", name, value);
        typed = typed || name == "Content-Type";
    }
    if (!body.empty()) {
        if (!typed) request += "Content-Type: application/json\r\n";
        request += fmt::format("Content-Length: {}\r\n", body.size());
    }
    request += "\r\n";
    request += body;
    write(request);
    return read(method == "HEAD");
}

}  // namespace fulmar::test
