#include "access.hpp"

#include "private_file.hpp"

#include <fulmar/admin/disk.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>

#include <boost/beast/core/string.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace fulmar::admin {

namespace {

constexpr std::size_t least_token_bytes = 16;
constexpr std::size_t most_token_bytes = 4096;
constexpr std::string_view bearer_scheme = "Bearer ";

std::int64_t wall_clock_s() noexcept { return static_cast<std::int64_t>(std::time(nullptr)); }

access_rules::refusal denied(std::uint16_t status, std::string message, std::string remedy = {}) {
    return {status, {errc::permission_denied, std::move(message), {}, std::move(remedy)}};
}

/// "127.0.0.1:8420", "localhost:8420", "[::1]:8420".
bool names_loopback(std::string_view host, std::uint16_t our_port) {
    const std::size_t colon = host.rfind(':');
    const bool has_port = colon != host.npos && host.find(']', colon) == host.npos;
    const std::string_view name = has_port ? host.substr(0, colon) : host;
    const std::string_view port = has_port ? host.substr(colon + 1) : "80";
    if (port != fmt::format("{}", our_port)) return false;
    return boost::beast::iequals(name, "localhost") || name == "[::1]" ||
           (name.starts_with("127.") && name.find_first_not_of("0123456789.") == name.npos);
}

}  // namespace

result<std::string> read_token(const std::string& path) {
    FULMAR_TRY(std::string text, read_private_file(path, "token file", most_token_bytes));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (text.size() < least_token_bytes || !printable)
        return fail(errc::invalid_argument, "the token must be one line of 16 to 4096 characters",
                    path, fmt::format("head -c 24 /dev/urandom | base64 > {}", path));
    return text;
}

std::string tokens_path(const daemon_options& options, const std::string& config_path) {
    if (!options.admin.tokens.empty() || config_path.empty()) return options.admin.tokens;
    const std::string folder =
        options.state_dir.empty() ? folder_of(config_path) : options.state_dir;
    return fmt::format("{}/{}.tokens", folder, config_path.substr(config_path.rfind('/') + 1));
}

result<access_rules> access_rules::make(const admin_options& options, std::string tokens) {
    access_rules rules;
    rules.own_uid_ = ::geteuid();
    rules.socket_gid_ = ::getegid();
    rules.group_may_ = (options.socket_mode & 0060) != 0;
    rules.others_may_ = (options.socket_mode & 0006) != 0;
    struct stat about {};
    if (!options.unix_socket.empty() && ::stat(options.unix_socket.c_str(), &about) == 0)
        rules.socket_gid_ = about.st_gid;
    if (options.tcp) rules.token_file_ = options.tcp->token_file;
    rules.tokens_path_ = std::move(tokens);
    rules.client_roles_ = options.client_roles;
    FULMAR_CHECK(rules.reload_token());
    // Hosts are served whatever has become of this file; those that it names wait outside.
    if (const result<void> read = rules.reload_tokens(); !read)
        log::error("no named token is valid: {}", read.error().text());
    return rules;
}

result<void> access_rules::reload_token() {
    if (token_file_.empty()) return {};
    FULMAR_TRY(std::string token, read_token(token_file_));
    token_digest_ = digest_of(token);
    OPENSSL_cleanse(token.data(), token.size());
    return {};
}

result<void> access_rules::reload_tokens() {
    if (tokens_path_.empty()) return {};
    FULMAR_TRY(book_, read_book());
    return {};
}

result<token_book> access_rules::read_book() const {
    if (tokens_path_.empty())
        return fail(errc::not_supported, "there is no place for named tokens", {},
                    "give the configuration \"admin\": {\"tokens\": \"/…/tokens\"}");
    if (::access(tokens_path_.c_str(), F_OK) != 0) return token_book{};  // none was made yet
    FULMAR_TRY(const std::string text,
               read_private_file(tokens_path_, "file of tokens", limits::max_token_file_bytes));
    if (text.empty()) return token_book{};  // the daemon ended as it made it
    auto book = token_book::parse(text);
    if (!book) return tl::unexpected(book.error().first(tokens_path_));
    return std::move(*book);
}

result<void> access_rules::write_book(token_book book) {
    // The first one: a file that is replaced keeps its mode, and this one is its owner's alone.
    const unique_fd first(
        ::open(tokens_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    // Before anybody is told a token: what a crash would forget was never given.
    FULMAR_CHECK(system_disk().replace(tokens_path_, book.text()));
    book_ = std::move(book);
    return {};
}

access_rules::known access_rules::check_local(const http_peer& peer) const {
    // The mode of the socket says the same; this holds when a folder or a namespace got in between.
    const bool in_group =
        peer.gid == socket_gid_ ||
        std::find(peer.groups.begin(), peer.groups.end(), socket_gid_) != peer.groups.end();
    const bool owns = peer.uid == own_uid_ || peer.uid == 0;
    if (owns || others_may_ || (group_may_ && in_group))
        return caller{.may = role::admin, .name = peer.name, .owns_machine = owns};
    return tl::unexpected(
        denied(403, fmt::format("{} may not use this socket", peer.name),
               "join the group of the socket, or use the account that fulmard runs as"));
}

/// Keeps the web pages of others out: over TLS the certificate tells a browser whom it talks to,
/// without it the names that a request says must be ours.
std::optional<access_rules::refusal> access_rules::check_page(const http_request& request) const {
    const http_peer& peer = *request.peer;
    const std::string_view origin = request.origin;
    if (!peer.over_tcp) {  // no browser gets here by itself
        if (origin.empty()) return std::nullopt;
        return denied(403, "requests of web pages are not served here");
    }
    if (!peer.over_tls && !names_loopback(request.host, peer.port))
        return denied(421, "the Host header names somebody else",
                      "use 127.0.0.1, [::1] or localhost, with the port");
    if (origin.empty()) return std::nullopt;
    const std::string_view scheme = peer.over_tls ? "https://" : "http://";
    const std::string_view from =
        origin.starts_with(scheme) ? origin.substr(scheme.size()) : std::string_view();
    const bool ours =
        peer.over_tls ? boost::beast::iequals(from, request.host) : names_loopback(from, peer.port);
    if (ours && !from.empty()) return std::nullopt;
    return denied(403, "requests of other web pages are not served");
}

access_rules::known access_rules::check_certificate(const http_peer& peer) const {
    if (wall_clock_s() >= peer.certificate_ends_s)
        return tl::unexpected(denied(401, "the client certificate has expired", "renew it"));
    for (const client_role& one : client_roles_)
        for (const std::string& name : peer.certificate_names)
            if (::fnmatch(one.certificate.c_str(), name.c_str(), FNM_NOESCAPE) == 0)
                return caller{.may = one.grants, .name = "certificate " + name};
    return tl::unexpected(
        denied(403, fmt::format("no role for the certificate {}", peer.certificate_names.front()),
               "name it in \"client_roles\", or present a token as well"));
}

access_rules::known access_rules::check_token(const http_request& request, instant now) {
    const std::string_view given = request.authorization;
    const bool bearer = given.size() > bearer_scheme.size() &&
                        boost::beast::iequals(given.substr(0, bearer_scheme.size()), bearer_scheme);
    const std::string_view token = bearer ? given.substr(bearer_scheme.size()) : "";
    // Nobody guesses 256 bits: who has such a token is let in whatever others do at its address.
    if (token.size() == token_mark.size() + 2 * token_bytes && token.starts_with(token_mark))
        if (const token_record* const found = book_.find(token, wall_clock_s()))
            return caller{.may = found->grants, .name = "token " + found->name};
    const http_peer& peer = *request.peer;
    const duration wait = request.proven ? duration::zero() : guesses_.wait(peer.address, now);
    if (bearer && wait > duration::zero()) {
        refusal out = denied(429, "too many tokens from this address were wrong",
                             "wait as long as Retry-After says; a token that `fulmar token create` "
                             "made is let in nevertheless");
        out.retry_after_s = static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::seconds>(wait).count() + 1);
        return tl::unexpected(std::move(out));
    }
    // Digests are compared: neither time nor length tells anything about the token.
    const std::string digest = digest_of(token);
    if (bearer && !token_digest_.empty() &&
        CRYPTO_memcmp(digest.data(), token_digest_.data(), token_digest_.size()) == 0)
        return caller{.may = role::admin, .name = "token of the token file"};
    if (bearer) guesses_.failed(peer.address, now);
    return tl::unexpected(
        denied(401, "a valid bearer token is needed",
               "send the line of the token file, or what `fulmar token create` has shown, as "
               "\"Authorization: Bearer …\""));
}

access_rules::known access_rules::identify(const http_request& request, instant now) {
    const http_peer& peer = *request.peer;
    if (auto page = check_page(request)) return tl::unexpected(std::move(*page));
    if (!peer.over_tcp) return check_local(peer);
    if (!peer.certificate_names.empty() && request.authorization.empty())
        return check_certificate(peer);
    return check_token(request, now);
}

}  // namespace fulmar::admin
