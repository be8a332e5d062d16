// The only file of the tool that includes Beast: it takes long to compile.
#include "rest_client.hpp"

#include "tls_client.hpp"

#include <fulmar/base/unique_fd.hpp>

#include <arpa/inet.h>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace fulmar::cli {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::array candidates{"/run/fulmar/admin.sock", "build/run/admin.sock"};
constexpr std::size_t largest_answer = 256 * 1024 * 1024;

/// A blocking socket with time-outs, as Beast wants its streams.
class socket_stream {
  public:
    /// Without `tls` it is plain.
    explicit socket_stream(unique_fd fd, tls_client tls = {})
        : fd_(std::move(fd)), tls_(std::move(tls)) {}

    template <typename Buffers>
    std::size_t read_some(const Buffers& buffers, error_code& failure) {
        const auto first = *boost::asio::buffer_sequence_begin(buffers);
        ssize_t got = -1;
        do
            got = tls_ ? tls_.read(first.data(), first.size())
                       : ::recv(fd_.get(), first.data(), first.size(), 0);
        while (got < 0 && errno == EINTR);
        failure = {};
        if (got == 0) failure = boost::asio::error::eof;
        if (got < 0) failure = error_code(errno, boost::system::system_category());
        return got < 0 ? 0 : static_cast<std::size_t>(got);
    }
    template <typename Buffers>
    std::size_t read_some(const Buffers& buffers) {
        error_code failure;
        const std::size_t got = read_some(buffers, failure);
        if (failure) throw boost::system::system_error(failure);
        return got;
    }
    template <typename Buffers>
    std::size_t write_some(const Buffers& buffers, error_code& failure) {
        failure = {};
        auto at = boost::asio::buffer_sequence_begin(buffers);
        const auto end = boost::asio::buffer_sequence_end(buffers);
        while (at != end && boost::asio::const_buffer(*at).size() == 0) ++at;
        if (at == end) return 0;
        const boost::asio::const_buffer first(*at);
        ssize_t put = -1;
        do
            put = tls_ ? tls_.write(first.data(), first.size())
                       : ::send(fd_.get(), first.data(), first.size(), MSG_NOSIGNAL);
        while (put < 0 && errno == EINTR);
        if (put < 0) failure = error_code(errno, boost::system::system_category());
        return put < 0 ? 0 : static_cast<std::size_t>(put);
    }
    template <typename Buffers>
    std::size_t write_some(const Buffers& buffers) {
        error_code failure;
        const std::size_t put = write_some(buffers, failure);
        if (failure) throw boost::system::system_error(failure);
        return put;
    }

  private:
    unique_fd fd_;
    tls_client tls_;  // before the descriptor goes
};

void set_timeouts(int fd, double seconds) {
    const timeval limit{static_cast<time_t>(seconds),
                        static_cast<suseconds_t>(
                            (seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e6)};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

result<unique_fd> connect_unix(const std::string& path, double timeout_s) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    if (path.size() >= sizeof where.sun_path)
        return fail(errc::invalid_argument, "the path of the socket is too long", path);
    std::memcpy(where.sun_path, path.data(), path.size());
    unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_timeouts(fd.get(), timeout_s);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0)
        return fd;
    const int code = errno;
    std::string remedy = "is fulmard running? --admin names another socket";
    if (code == EACCES)
        remedy = "only fulmard's own account, root and the socket's group may connect";
    error why = fail_errno("cannot connect", code, path, remedy).value();
    why.code = code == EACCES ? errc::permission_denied : errc::unavailable;
    return tl::unexpected(std::move(why));
}

/// "127.0.0.1:8420" or "[::1]:8420".
result<unique_fd> connect_tcp(const std::string& host, double timeout_s) {
    const std::size_t colon = host.rfind(':');
    std::uint16_t port = 0;
    if (colon != std::string::npos)
        std::from_chars(host.data() + colon + 1, host.data() + host.size(), port);
    std::string name = host.substr(0, colon);
    if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);
    if (name == "localhost") name = "127.0.0.1";
    sockaddr_storage where{};
    auto& four = reinterpret_cast<sockaddr_in&>(where);
    auto& six = reinterpret_cast<sockaddr_in6&>(where);
    socklen_t length = 0;
    if (::inet_pton(AF_INET, name.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        length = sizeof four;
    } else if (::inet_pton(AF_INET6, name.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        length = sizeof six;
    }
    if (length == 0 || port == 0)
        return fail(errc::invalid_argument, "is not an address of fulmard", host,
                    "such as http://127.0.0.1:8420 or http://[::1]:8420");
    unique_fd fd(::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_timeouts(fd.get(), timeout_s);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), length) == 0) return fd;
    error why = fail_errno("cannot connect", errno, host, "is fulmard running?").value();
    why.code = errc::unavailable;
    return tl::unexpected(std::move(why));
}

std::string host_name_of(const std::string& host) {
    std::string name = host.substr(0, host.rfind(':'));
    if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);
    return name;
}

/// "storage1.example.org:8420": over TLS a certificate tells that it is the right one.
result<unique_fd> connect_named(const std::string& host, double timeout_s) {
    const std::size_t colon = host.rfind(':');
    const bool has_port = colon != std::string::npos && colon + 1 < host.size() &&
                          host.find(']', colon) == std::string::npos;
    if (!has_port)
        return fail(errc::invalid_argument, "lacks a port", host, "such as https://storage1:8420");
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = host.substr(colon + 1);
    if (const int failure =
            ::getaddrinfo(host_name_of(host).c_str(), port.c_str(), &wanted, &found);
        failure != 0)
        return fail(errc::unavailable,
                    fmt::format("cannot find the address: {}", ::gai_strerror(failure)), host);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
    int code = 0;
    for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
        unique_fd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        set_timeouts(fd.get(), timeout_s);
        if (::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0) return fd;
        code = errno;
    }
    error why = fail_errno("cannot connect", code, host, "is fulmard running?").value();
    why.code = errc::unavailable;
    return tl::unexpected(std::move(why));
}

result<std::string> read_token(const std::string& path) {
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno("cannot open the token file", errno, path);
    std::string text(4096, '\0');
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    if (got < 0) return fail_errno("cannot read the token file", errno, path);
    text.resize(static_cast<std::size_t>(got));
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
        text.pop_back();
    return text;
}

errc code_of(const std::string& word) {
    for (int i = 0; i <= static_cast<int>(errc::internal); ++i)
        if (to_string(static_cast<errc>(i)) == word) return static_cast<errc>(i);
    return errc::internal;
}

/// The error that a problem document tells of. Statuses of HTTP itself have no errc of ours.
error read_problem(unsigned status, const rest_client::json& document) {
    error out{errc::internal, fmt::format("HTTP status {}", status)};
    if (!document.is_object()) return out;
    out.code = code_of(document.value("code", std::string()));
    out.message = document.value("detail", out.message);
    out.where = document.value("where", std::string());
    if (out.message.starts_with(out.where)) out.where.clear();  // it is said already
    out.remedy = document.value("remedy", std::string());
    if (status == 401 || status == 403) out.code = errc::permission_denied;
    if (status == 404) out.code = errc::bad_state;  // what was asked for is not there; fulmard is
    return out;
}

}  // namespace

class rest_client::impl {
  public:
    impl(unique_fd fd, std::string host, std::string token, tls_client tls = {})
        : stream_(std::move(fd), std::move(tls)),
          host_(std::move(host)),
          token_(std::move(token)) {}

    result<json> call(std::string_view method, const std::string& target, const json* body) {
        http::request<http::string_body> request{http::string_to_verb(method), target, 11};
        request.set(http::field::host, host_);
        request.set(http::field::accept, "application/json");
        if (!token_.empty()) request.set(http::field::authorization, "Bearer " + token_);
        if (body != nullptr) {
            request.set(http::field::content_type, "application/json");
            request.body() = body->dump(-1, ' ', false, json::error_handler_t::replace);
        }
        request.prepare_payload();
        error_code failure;
        http::write(stream_, request, failure);
        if (failure) return broken(failure);
        http::response_parser<http::string_body> answer;
        answer.body_limit(largest_answer);
        http::read(stream_, buffer_, answer, failure);
        if (failure) return broken(failure);
        const std::string& text = answer.get().body();
        json document = text.empty() ? json() : json::parse(text, nullptr, false);
        const unsigned status = answer.get().result_int();
        if (status >= 400) return tl::unexpected(read_problem(status, document));
        if (document.is_discarded())
            return fail(errc::internal, "the answer is no JSON; is this fulmard?", host_);
        return document;
    }

  private:
    static tl::unexpected<error> broken(const error_code& failure) {
        const bool late =
            failure == boost::asio::error::try_again || failure == boost::asio::error::would_block;
        return fail(late ? errc::timed_out : errc::unavailable,
                    late ? "fulmard has not answered in time; what was asked may still happen"
                         : "the connection to fulmard broke: " + failure.message(),
                    {}, late ? "--timeout gives it more time" : "");
    }

    socket_stream stream_;
    std::string host_;
    std::string token_;
    boost::beast::flat_buffer buffer_;
};

rest_client::rest_client(std::unique_ptr<impl> parts) : impl_(std::move(parts)) {}
rest_client::rest_client(rest_client&&) noexcept = default;
rest_client& rest_client::operator=(rest_client&&) noexcept = default;
rest_client::~rest_client() = default;

result<rest_client> rest_client::connect(const rest_endpoint& endpoint) {
    std::string address = endpoint.address;
    if (const char* set = std::getenv("FULMAR_ADMIN"); address.empty() && set != nullptr)
        address = set;
    if (address.empty()) {
        for (const char* candidate : candidates) {
            auto fd = connect_unix(candidate, endpoint.timeout_s);
            if (fd)
                return rest_client(
                    std::make_unique<impl>(std::move(*fd), "localhost", std::string()));
            if (fd.error().code == errc::permission_denied) return tl::unexpected(fd.error());
        }
        return fail(errc::unavailable,
                    fmt::format("no fulmard answers at {} or {}", candidates[0], candidates[1]), {},
                    "start one, or say where its \"unix_socket\" is: --admin PATH");
    }
    constexpr std::string_view plain_scheme = "http://";
    constexpr std::string_view tls_scheme = "https://";
    const bool over_tls = address.starts_with(tls_scheme);
    const std::string_view scheme = over_tls ? tls_scheme : plain_scheme;
    if (!address.starts_with(scheme)) {
        if (address.starts_with("unix:")) address.erase(0, 5);
        FULMAR_TRY(unique_fd fd, connect_unix(address, endpoint.timeout_s));
        return rest_client(std::make_unique<impl>(std::move(fd), "localhost", std::string()));
    }
    std::string host = address.substr(scheme.size());
    if (!host.empty() && host.back() == '/') host.pop_back();
    std::string token;
    if (!endpoint.token_file.empty()) {
        FULMAR_TRY(token, read_token(endpoint.token_file));
    }
    if (over_tls) {
        FULMAR_TRY(unique_fd fd, connect_named(host, endpoint.timeout_s));
        FULMAR_TRY(tls_client tls,
                   tls_client::connect(fd.get(), {.host = host_name_of(host),
                                                  .ca = endpoint.ca,
                                                  .certificate = endpoint.certificate,
                                                  .key = endpoint.key}));
        return rest_client(
            std::make_unique<impl>(std::move(fd), host, std::move(token), std::move(tls)));
    }
    FULMAR_TRY(unique_fd fd, connect_tcp(host, endpoint.timeout_s));
    return rest_client(std::make_unique<impl>(std::move(fd), host, std::move(token)));
}

result<rest_client::json> rest_client::call(std::string_view method, const std::string& target,
                                            const json* body) {
    return impl_->call(method, target, body);
}

std::string path_segment(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~' || c == ':')
            out += c;
        else
            out += fmt::format("%{:02X}", byte);
    }
    return out;
}

}  // namespace fulmar::cli
