#include "access.hpp"

#include <boost/beast/core/string.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace fulmar::admin {

namespace {

constexpr std::size_t least_token_bytes = 16;
constexpr std::size_t most_token_bytes = 4096;

}  // namespace

result<std::string> read_token(const std::string& path) {
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!file) return fail_errno("cannot open the token file", errno, path);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0)
        return fail_errno("cannot read the token file", errno, path);
    if (!S_ISREG(about.st_mode) || (about.st_mode & 077) != 0)
        return fail(errc::permission_denied, "others than its owner could use the token file", path,
                    fmt::format("chmod 600 {}", path));
    if (about.st_uid != ::geteuid() && about.st_uid != 0)
        return fail(errc::permission_denied, "the token file belongs to somebody else", path,
                    "it must belong to root or to the user that fulmard runs as");
    std::string text(most_token_bytes + 1, '\0');
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    if (got < 0) return fail_errno("cannot read the token file", errno, path);
    text.resize(static_cast<std::size_t>(got));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (text.size() < least_token_bytes || text.size() > most_token_bytes || !printable)
        return fail(errc::invalid_argument, "the token must be one line of 16 to 4096 characters",
                    path, fmt::format("head -c 24 /dev/urandom | base64 > {}", path));
    return text;
}

result<access_rules> access_rules::make(const admin_options& options, std::uint16_t tcp_port) {
    access_rules rules;
    rules.own_uid_ = ::geteuid();
    rules.socket_gid_ = ::getegid();
    rules.group_may_ = (options.socket_mode & 0060) != 0;
    rules.others_may_ = (options.socket_mode & 0006) != 0;
    struct stat about {};
    if (!options.unix_socket.empty() && ::stat(options.unix_socket.c_str(), &about) == 0)
        rules.socket_gid_ = about.st_gid;
    rules.tcp_port_ = tcp_port;
    if (options.tcp) {
        FULMAR_CHECK(rules.take_token(options.tcp->token_file));
    }
    return rules;
}

std::optional<access_rules::refusal> access_rules::check_local(const http_peer& peer) const {
    // The mode of the socket says the same; this holds when a folder or a namespace got in between.
    if (peer.uid == own_uid_ || peer.uid == 0 || others_may_) return std::nullopt;
    const bool in_group =
        peer.gid == socket_gid_ ||
        std::find(peer.groups.begin(), peer.groups.end(), socket_gid_) != peer.groups.end();
    if (group_may_ && in_group) return std::nullopt;
    return refusal{403,
                   {errc::permission_denied,
                    fmt::format("{} may not use this socket", peer.name),
                    {},
                    "join the group of the socket, or use the account that fulmard runs as"}};
}

result<void> access_rules::take_token(const std::string& path) {
    FULMAR_TRY(std::string token, read_token(path));
    token_digest_ = digest_of(token);
    OPENSSL_cleanse(token.data(), token.size());
    return {};
}

std::optional<access_rules::refusal> access_rules::check_token(
    const std::string& authorization) const {
    constexpr std::string_view scheme = "Bearer ";
    const std::string_view given = authorization;
    const bool bearer = given.size() > scheme.size() &&
                        boost::beast::iequals(given.substr(0, scheme.size()), scheme);
    // Digests are compared: neither time nor length tells anything about the token.
    const std::string digest = digest_of(bearer ? given.substr(scheme.size()) : "");
    if (!bearer || CRYPTO_memcmp(digest.data(), token_digest_.data(), token_digest_.size()) != 0)
        return refusal{401,
                       {errc::permission_denied,
                        "a valid bearer token is needed",
                        {},
                        "send the line of the token file as \"Authorization: Bearer …\""}};
    return std::nullopt;
}

/// "127.0.0.1:8420", "localhost:8420", "[::1]:8420".
bool access_rules::names_us(std::string_view host) const {
    const std::size_t colon = host.rfind(':');
    const bool has_port = colon != host.npos && host.find(']', colon) == host.npos;
    const std::string_view name = has_port ? host.substr(0, colon) : host;
    const std::string_view port = has_port ? host.substr(colon + 1) : "80";
    if (port != fmt::format("{}", tcp_port_)) return false;
    return boost::beast::iequals(name, "localhost") || name == "[::1]" ||
           (name.starts_with("127.") && name.find_first_not_of("0123456789.") == name.npos);
}

std::optional<access_rules::refusal> access_rules::check(const http_request& request,
                                                         bool public_route) const {
    const std::string_view origin = request.origin;
    if (!request.peer->over_tcp) {
        if (!origin.empty())  // no browser gets here by itself
            return refusal{403,
                           {errc::permission_denied, "requests of web pages are not served here"}};
        return check_local(*request.peer);
    }
    if (!names_us(request.host))
        return refusal{421,
                       {errc::permission_denied,
                        "the Host header names somebody else",
                        {},
                        "use 127.0.0.1, [::1] or localhost, with the port"}};
    constexpr std::string_view scheme = "http://";
    if (!origin.empty() && !(origin.starts_with(scheme) && names_us(origin.substr(scheme.size()))))
        return refusal{403,
                       {errc::permission_denied, "requests of other web pages are not served"}};
    if (public_route) return std::nullopt;
    return check_token(request.authorization);
}

}  // namespace fulmar::admin
