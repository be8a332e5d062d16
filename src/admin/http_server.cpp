// The only file that includes Beast's HTTP on the server side: it takes half a minute to compile.
#include "http_server.hpp"

#include "tls_context.hpp"

#include <fulmar/base/log.hpp>

#include <arpa/inet.h>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <list>
#include <optional>
#include <type_traits>
#include <utility>

namespace fulmar::admin {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using executor = asio::io_context::executor_type;
using protocol = asio::generic::stream_protocol;
using stream_type = beast::basic_stream<protocol, executor>;
using tls_stream_type = asio::ssl::stream<stream_type>;
using socket_type = stream_type::socket_type;

constexpr std::size_t max_groups = 64;

void read_credentials(int fd, http_peer& peer) {
    ucred who{};
    socklen_t length = sizeof who;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) {
        peer.uid = static_cast<uid_t>(-1);  // nobody that has rights
        peer.gid = static_cast<gid_t>(-1);
        peer.name = "unknown";
        return;
    }
    peer.uid = who.uid;
    peer.gid = who.gid;
    peer.name = fmt::format("uid {} pid {}", who.uid, who.pid);
    std::array<gid_t, max_groups> groups{};
    length = sizeof groups;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) == 0)
        peer.groups.assign(groups.begin(), groups.begin() + length / sizeof(gid_t));
}

void read_address(int fd, http_peer& peer) {
    sockaddr_storage where{};
    socklen_t length = sizeof where;
    std::array<char, INET6_ADDRSTRLEN> text{};
    peer.name = "unknown";
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&where), &length) != 0) return;
    if (where.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(where);
        ::inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
        peer.address = text.data();
        peer.name = fmt::format("{}:{}", text.data(), ntohs(four.sin_port));
    } else if (where.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(where);
        ::inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
        peer.name = fmt::format("[{}]:{}", text.data(), ntohs(six.sin6_port));
        in6_addr network = six.sin6_addr;  // one machine may have all addresses of it
        if (!IN6_IS_ADDR_V4MAPPED(&network)) std::fill_n(network.s6_addr + 8, 8, 0);
        ::inet_ntop(AF_INET6, &network, text.data(), text.size());
        peer.address = text.data();
    }
    length = sizeof where;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &length) != 0) return;
    peer.port =
        ntohs(where.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(where).sin6_port
                                          : reinterpret_cast<const sockaddr_in&>(where).sin_port);
}

/// What the sessions need of their server; outlives it in the hands of the last session.
struct shared_state {
    http_handler* handler = nullptr;  // null once the server is gone
    http_limits limits;
    http_counters counters;
    std::uint32_t refusing = 0;
    bool stopping = false;
};

/// The connections of one listening socket.
struct door_count {
    std::uint32_t present = 0;
};

/// A connection as the server sees it.
class any_session {
  public:
    virtual ~any_session() = default;
    virtual void start() = 0;
    /// Tells the client that there are too many, whatever it asks for.
    virtual void refuse() = 0;
    /// Ends now for the sake of another; false: it has shown that it may be here, or is being
    /// answered.
    virtual bool give_way() = 0;
    [[nodiscard]] virtual bool came_through(
        const std::shared_ptr<door_count>& door) const noexcept = 0;
    virtual void stop() = 0;
    virtual void close() = 0;
};
using session_list = std::list<std::weak_ptr<any_session>>;

template <typename Stream>
class session final : public any_session, public std::enable_shared_from_this<session<Stream>> {
    static constexpr bool is_tls = std::is_same_v<Stream, tls_stream_type>;
    using std::enable_shared_from_this<session<Stream>>::shared_from_this;

  public:
    /// `stream` is what to make the stream of.
    template <typename... StreamParts>
    session(const http_door& how, std::shared_ptr<shared_state> shared,
            std::shared_ptr<door_count> door, StreamParts&&... stream)
        : stream_(std::forward<StreamParts>(stream)...),
          shared_(std::move(shared)),
          door_(std::move(door)) {
        const int fd = plain().socket().native_handle();
        peer_.over_tcp = how.over_tcp;
        peer_.over_tls = is_tls;
        peer_.metrics_only = how.metrics_only;
        if (how.over_tcp) {
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            read_address(fd, peer_);
        } else {
            read_credentials(fd, peer_);
        }
        ++shared_->counters.connections;
        ++door_->present;
    }
    ~session() override {
        --shared_->counters.connections;
        if (refused_)
            --shared_->refusing;
        else if (!left_)
            --door_->present;
    }
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start() override {
        if constexpr (is_tls)
            shake_hands();
        else
            read_head();
    }

    void refuse() override {
        refused_ = true;
        --door_->present;
        ++shared_->refusing;
        parser_.emplace();
        write(shared_->handler->refuse(503, "too many connections to the administration"), true);
    }

    bool give_way() override {
        if (trusted_ || left_ || refused_ || handled_) return false;
        left_ = true;
        --door_->present;
        close();
        return true;
    }
    [[nodiscard]] bool came_through(
        const std::shared_ptr<door_count>& door) const noexcept override {
        return door_ == door;
    }

    void stop() override {
        if (waiting_for_request_)
            close();
        else
            last_ = true;
    }

    void close() override {
        error_code ignored;
        plain().socket().close(ignored);
    }

  private:
    /// What is under TLS, or the stream itself: it has the socket and the deadlines.
    stream_type& plain() noexcept {
        if constexpr (is_tls)
            return stream_.next_layer();
        else
            return stream_;
    }

    /// As bounded as what comes after it for one that nobody knows yet.
    void shake_hands() {
        waiting_for_request_ = true;
        plain().expires_after(shared_->limits.first);
        stream_.async_handshake(asio::ssl::stream_base::server,
                                [self = shared_from_this()](error_code failure) {
                                    self->waiting_for_request_ = false;
                                    if (failure || self->shared_->handler == nullptr)
                                        return self->close();
                                    read_certificate(self->stream_.native_handle(), self->peer_);
                                    self->read_head();
                                });
    }

    void read_head() {
        parser_.emplace();
        parser_->header_limit(shared_->limits.header_bytes);
        parser_->body_limit(shared_->limits.body_bytes);
        waiting_for_request_ = true;
        plain().expires_after(trusted_ ? shared_->limits.idle : shared_->limits.first);
        http::async_read_header(stream_, buffer_, *parser_,
                                [self = shared_from_this()](error_code failure, std::size_t) {
                                    self->on_head(failure);
                                });
    }

    void on_head(error_code failure) {
        waiting_for_request_ = false;
        if (failure) return on_read_failure(failure);
        if (shared_->handler == nullptr) return close();
        ++shared_->counters.requests;
        request_ = http_request{};
        if (!take_head()) {
            ++shared_->counters.malformed;
            return write(shared_->handler->refuse(400, "a header is there twice"), true);
        }
        auto refused = shared_->handler->screen(request_);
        // A wrong token takes the head start of a right one away: guesses are counted then.
        failed_ = failed_ || (!request_.authorization.empty() && !request_.authenticated);
        proven_ = request_.authenticated && !failed_;
        trusted_ = trusted_ || proven_;
        if (refused) {
            // A body that is not read would be taken for the next request.
            return write(std::move(*refused), request_.has_length);
        }
        if (parser_->is_done()) return on_whole();
        if (beast::iequals(parser_->get()[http::field::expect], "100-continue"))
            return invite_body();
        read_body();
    }

    /// Copies what the handler wants to know. False when a header that decides something is
    /// doubled.
    bool take_head() {
        const auto& head = parser_->get();
        request_.peer = &peer_;
        request_.proven = proven_;
        request_.method = std::string(head.method_string());
        request_.target = std::string(head.target());
        request_.http_1_1 = head.version() >= 11;
        request_.has_length = parser_->chunked() || parser_->content_length().value_or(0) != 0 ||
                              head.count(http::field::content_length) != 0;
        const auto take = [&](http::field name, std::string& into) {
            into = std::string(head[name]);
            return head.count(name) <= 1;
        };
        return take(http::field::host, request_.host) &&
               take(http::field::origin, request_.origin) &&
               take(http::field::authorization, request_.authorization) &&
               take(http::field::accept, request_.accept) &&
               take(http::field::content_type, request_.content_type) &&
               take(http::field::if_match, request_.if_match) &&
               take(http::field::if_none_match, request_.if_none_match);
    }

    void invite_body() {
        go_on_.emplace(http::status::continue_, 11);
        plain().expires_after(shared_->limits.write);
        http::async_write(stream_, *go_on_,
                          [self = shared_from_this()](error_code failure, std::size_t) {
                              if (failure) return self->close();
                              self->read_body();
                          });
    }

    void read_body() {
        plain().expires_after(shared_->limits.body);
        http::async_read(stream_, buffer_, *parser_,
                         [self = shared_from_this()](error_code failure, std::size_t) {
                             if (failure) return self->on_read_failure(failure);
                             self->on_whole();
                         });
    }

    void on_whole() {
        if (shared_->handler == nullptr) return close();
        request_.body = std::move(parser_->get().body());
        plain().expires_never();
        handled_ = true;
        shared_->handler->handle(std::move(request_),
                                 [self = shared_from_this()](http_response answer) {
                                     self->handled_ = false;
                                     self->write(std::move(answer), false);
                                 });
    }

    void on_read_failure(error_code failure) {
        if (shared_->handler == nullptr || failure == http::error::end_of_stream ||
            failure == asio::error::eof || failure == asio::error::operation_aborted)
            return close();
        if (failure == beast::error::timeout) return close();  // the socket is closed already
        if (failure == http::error::body_limit)
            return write(shared_->handler->refuse(413, "the body is larger than 1 MiB"), true);
        if (failure == http::error::header_limit || failure == http::error::buffer_overflow)
            return write(shared_->handler->refuse(431, "the header is larger than 16 KiB"), true);
        if (failure.category() != http::make_error_code(http::error::bad_method).category())
            return close();  // the connection is gone
        ++shared_->counters.malformed;
        write(shared_->handler->refuse(400, failure.message()), true);
    }

    void write(http_response answer, bool close_after) {
        const bool keep = !close_after && !answer.close && !last_ && !shared_->stopping &&
                          parser_->is_done() && parser_->get().keep_alive();
        response_.emplace(static_cast<http::status>(answer.status), parser_->get().version());
        for (const auto& [name, value] : answer.headers) response_->set(name, value);
        if (!answer.content_type.empty() && answer.status != 204 && answer.status != 304)
            response_->set(http::field::content_type, answer.content_type);
        response_->keep_alive(keep);
        response_->body() = std::move(answer.body);
        const bool head_only = parser_->get().method() == http::verb::head;
        if (answer.status != 204 && answer.status != 304)
            response_->content_length(response_->body().size());
        if (head_only) response_->body().clear();
        plain().expires_after(shared_->limits.write);
        const auto next = [self = shared_from_this(), keep](error_code failure, std::size_t) {
            if (failure || !keep) return self->finish();
            self->read_head();
        };
        if (!head_only) return http::async_write(stream_, *response_, next);
        serializer_.emplace(*response_);
        http::async_write_header(stream_, *serializer_, next);
    }

    /// Says goodbye such that what was sent arrives, although the client may have sent more.
    void finish() {
        if constexpr (is_tls) {
            plain().expires_after(std::chrono::seconds(1));
            stream_.async_shutdown([self = shared_from_this()](error_code) { self->leave(); });
        } else {
            leave();
        }
    }

    void leave() {
        error_code ignored;
        plain().socket().shutdown(protocol::socket::shutdown_send, ignored);
        if (shared_->stopping) return close();
        drain_left_ = 16;
        drain();
    }

    void drain() {
        if (drain_left_-- == 0) return close();
        plain().expires_after(std::chrono::seconds(1));
        plain().async_read_some(asio::buffer(rest_),
                                [self = shared_from_this()](error_code failure, std::size_t) {
                                    if (failure) return self->close();
                                    self->drain();
                                });
    }

    Stream stream_;
    std::shared_ptr<shared_state> shared_;
    std::shared_ptr<door_count> door_;
    http_peer peer_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http_request request_;
    std::optional<http::response<http::string_body>> response_;
    std::optional<http::response_serializer<http::string_body>> serializer_;
    std::optional<http::response<http::empty_body>> go_on_;
    std::array<char, 4096> rest_;
    int drain_left_ = 0;
    bool waiting_for_request_ = false;
    bool handled_ = false;  // the handler has its request
    bool last_ = false;
    bool proven_ = false;   // its last request had, and none before it failed
    bool failed_ = false;   // a token of it was wrong
    bool trusted_ = false;  // has made a request that it had the right to make
    bool refused_ = false;  // is only told "503"
    bool left_ = false;     // gave way; what is left of it counts no more
};

}  // namespace

class http_server::impl final : public std::enable_shared_from_this<http_server::impl> {
  public:
    impl(asio::io_context& io, http_handler& handler, const http_limits& limits) : io_(io) {
        shared_->handler = &handler;
        shared_->limits = limits;
    }

    void serve(unique_fd listening, http_door how) {
        sockaddr_storage where{};
        socklen_t length = sizeof where;
        ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&where), &length);
        auto entry = std::make_shared<door>(io_, std::move(how));
        entry->acceptor.assign(protocol(where.ss_family, 0), listening.release());
        doors_.push_back(entry);
        accept(entry);
    }

    [[nodiscard]] bool is_deaf() const noexcept {
        return !shared_->stopping && std::any_of(doors_.begin(), doors_.end(),
                                                 [](const auto& entry) { return !entry->waits; });
    }

    bool accept_again() {
        const bool deaf = is_deaf();
        for (const auto& entry : doors_)
            if (deaf && !entry->waits) accept(entry);
        return deaf;
    }

    void stop() {
        shared_->stopping = true;
        for (const auto& entry : doors_) {
            error_code ignored;
            entry->acceptor.close(ignored);
            entry->pause.cancel();
        }
        for (const auto& weak : sessions_)
            if (const auto one = weak.lock()) one->stop();
    }

    void abort() {
        stop();
        shared_->handler = nullptr;
        for (const auto& weak : sessions_)
            if (const auto one = weak.lock()) one->close();
    }

    [[nodiscard]] const http_counters& counters() const noexcept { return shared_->counters; }

  private:
    struct door {
        door(asio::io_context& io, http_door about)
            : acceptor(io), pause(io), how(std::move(about)) {}
        asio::basic_socket_acceptor<protocol, executor> acceptor;
        asio::basic_waitable_timer<std::chrono::steady_clock,
                                   asio::wait_traits<std::chrono::steady_clock>, executor>
            pause;
        http_door how;
        bool waits = false;  // for a connection, or for its pause to end
        std::shared_ptr<door_count> count = std::make_shared<door_count>();
    };

    void accept(const std::shared_ptr<door>& entry) {
        auto fresh = std::make_shared<socket_type>(io_);
        entry->acceptor.async_accept(*fresh,
                                     [self = shared_from_this(), entry, fresh](error_code failure) {
                                         entry->waits = false;
                                         self->on_accept(entry, *fresh, failure);
                                     });
        entry->waits = true;
    }

    void on_accept(const std::shared_ptr<door>& entry, socket_type& fresh, error_code failure) {
        if (shared_->stopping || failure == asio::error::operation_aborted) return;
        if (failure) {  // out of descriptors, mostly: a moment later there may be some
            entry->pause.expires_after(std::chrono::milliseconds(100));
            entry->pause.async_wait([self = shared_from_this(), entry](error_code) {
                entry->waits = false;
                if (!self->shared_->stopping) self->accept(entry);
            });
            entry->waits = true;
            return;
        }
        sessions_.remove_if([](const std::weak_ptr<any_session>& weak) { return weak.expired(); });
        ++shared_->counters.connections_total;
        const bool full =
            entry->count->present >= shared_->limits.connections && !make_room(entry->count);
        if (full) ++shared_->counters.connections_refused;
        // Over TLS nobody can be told anything before a handshake, which is not for the many.
        const bool told = !entry->how.tls && shared_->refusing < shared_->limits.refusals;
        if (!full || told)
            begin_session(std::move(fresh), *entry, full);  // or closed as `fresh` goes
        accept(entry);
    }

    /// Sessions are in the order of their arrival: the first that may be sent away is the oldest.
    bool make_room(const std::shared_ptr<door_count>& where) {
        for (const auto& weak : sessions_)
            if (const auto one = weak.lock(); one && one->came_through(where) && one->give_way())
                return true;
        return false;
    }

    std::shared_ptr<any_session> make_session(socket_type fresh, const door& entry) {
        if (entry.how.tls)
            return std::make_shared<session<tls_stream_type>>(entry.how, shared_, entry.count,
                                                              stream_type(std::move(fresh)),
                                                              *entry.how.tls->now);
        return std::make_shared<session<stream_type>>(entry.how, shared_, entry.count,
                                                      std::move(fresh));
    }

    void begin_session(socket_type fresh, const door& entry, bool full) {
        try {
            const std::shared_ptr<any_session> one = make_session(std::move(fresh), entry);
            sessions_.push_back(one);
            full ? one->refuse() : one->start();
        } catch (const std::exception& failure) {  // memory: the next one finds an open door
            ++shared_->counters.connections_refused;
            log::error("rest: {}", failure.what());
        }
    }

    asio::io_context& io_;
    std::shared_ptr<shared_state> shared_ = std::make_shared<shared_state>();
    std::list<std::shared_ptr<door>> doors_;
    session_list sessions_;
};

http_server::http_server(asio::io_context& io, http_handler& handler, const http_limits& limits)
    : impl_(std::make_shared<impl>(io, handler, limits)) {}
http_server::~http_server() { impl_->abort(); }
void http_server::serve(unique_fd listening, http_door how) {
    impl_->serve(std::move(listening), std::move(how));
}
bool http_server::accept_again() { return impl_->accept_again(); }
bool http_server::is_deaf() const noexcept { return impl_->is_deaf(); }
void http_server::stop() { impl_->stop(); }
void http_server::abort() { impl_->abort(); }
const http_counters& http_server::counters() const noexcept { return impl_->counters(); }

}  // namespace fulmar::admin
