// The only file that includes Beast's HTTP on the server side: it takes half a minute to compile.
#include "http_server.hpp"

#include <fulmar/base/log.hpp>

#include <arpa/inet.h>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
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
        peer.name = fmt::format("{}:{}", text.data(), ntohs(four.sin_port));
    } else if (where.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(where);
        ::inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
        peer.name = fmt::format("[{}]:{}", text.data(), ntohs(six.sin6_port));
    }
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

class session;
using session_list = std::list<std::weak_ptr<session>>;

class session final : public std::enable_shared_from_this<session> {
  public:
    session(socket_type socket, bool over_tcp, std::shared_ptr<shared_state> shared,
            std::shared_ptr<door_count> door)
        : stream_(std::move(socket)), shared_(std::move(shared)), door_(std::move(door)) {
        const int fd = stream_.socket().native_handle();
        peer_.over_tcp = over_tcp;
        if (over_tcp) {
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            read_address(fd, peer_);
        } else {
            read_credentials(fd, peer_);
        }
        ++shared_->counters.connections;
        ++door_->present;
    }
    ~session() {
        --shared_->counters.connections;
        if (refused_)
            --shared_->refusing;
        else if (!left_)
            --door_->present;
    }
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start() { read_head(); }

    /// Tells the client that there are too many, whatever it asks for.
    void refuse() {
        refused_ = true;
        --door_->present;
        ++shared_->refusing;
        parser_.emplace();
        write(shared_->handler->refuse(503, "too many connections to the administration"), true);
    }

    /// Ends now for the sake of another; false: it has shown that it may be here, or is being
    /// answered.
    bool give_way() {
        if (trusted_ || left_ || refused_ || !waiting_for_request_) return false;
        left_ = true;
        --door_->present;
        close();
        return true;
    }
    [[nodiscard]] bool came_through(const std::shared_ptr<door_count>& door) const noexcept {
        return door_ == door;
    }

    void stop() {
        if (waiting_for_request_)
            close();
        else
            last_ = true;
    }

    void close() {
        error_code ignored;
        stream_.socket().close(ignored);
    }

  private:
    void read_head() {
        parser_.emplace();
        parser_->header_limit(shared_->limits.header_bytes);
        parser_->body_limit(shared_->limits.body_bytes);
        waiting_for_request_ = true;
        stream_.expires_after(trusted_ ? shared_->limits.idle : shared_->limits.first);
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
        trusted_ = trusted_ || request_.authenticated;
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
        stream_.expires_after(shared_->limits.write);
        http::async_write(stream_, *go_on_,
                          [self = shared_from_this()](error_code failure, std::size_t) {
                              if (failure) return self->close();
                              self->read_body();
                          });
    }

    void read_body() {
        stream_.expires_after(shared_->limits.body);
        http::async_read(stream_, buffer_, *parser_,
                         [self = shared_from_this()](error_code failure, std::size_t) {
                             if (failure) return self->on_read_failure(failure);
                             self->on_whole();
                         });
    }

    void on_whole() {
        if (shared_->handler == nullptr) return close();
        request_.body = std::move(parser_->get().body());
        stream_.expires_never();
        shared_->handler->handle(std::move(request_),
                                 [self = shared_from_this()](http_response answer) {
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
        stream_.expires_after(shared_->limits.write);
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
        error_code ignored;
        stream_.socket().shutdown(protocol::socket::shutdown_send, ignored);
        if (shared_->stopping) return close();
        drain_left_ = 16;
        drain();
    }

    void drain() {
        if (drain_left_-- == 0) return close();
        stream_.expires_after(std::chrono::seconds(1));
        stream_.async_read_some(asio::buffer(rest_),
                                [self = shared_from_this()](error_code failure, std::size_t) {
                                    if (failure) return self->close();
                                    self->drain();
                                });
    }

    stream_type stream_;
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
    bool last_ = false;
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

    void serve(unique_fd listening, bool over_tcp) {
        sockaddr_storage where{};
        socklen_t length = sizeof where;
        ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&where), &length);
        auto entry = std::make_shared<door>(io_, over_tcp);
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
        door(asio::io_context& io, bool tcp) : acceptor(io), pause(io), over_tcp(tcp) {}
        asio::basic_socket_acceptor<protocol, executor> acceptor;
        asio::basic_waitable_timer<std::chrono::steady_clock,
                                   asio::wait_traits<std::chrono::steady_clock>, executor>
            pause;
        bool over_tcp;
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
        sessions_.remove_if([](const std::weak_ptr<session>& weak) { return weak.expired(); });
        ++shared_->counters.connections_total;
        const bool full =
            entry->count->present >= shared_->limits.connections && !make_room(entry->count);
        if (full) ++shared_->counters.connections_refused;
        if (!full || shared_->refusing < shared_->limits.refusals)
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

    void begin_session(socket_type fresh, const door& entry, bool full) {
        try {
            auto one =
                std::make_shared<session>(std::move(fresh), entry.over_tcp, shared_, entry.count);
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
void http_server::serve(unique_fd listening, bool over_tcp) {
    impl_->serve(std::move(listening), over_tcp);
}
bool http_server::accept_again() { return impl_->accept_again(); }
bool http_server::is_deaf() const noexcept { return impl_->is_deaf(); }
void http_server::stop() { impl_->stop(); }
void http_server::abort() { impl_->abort(); }
const http_counters& http_server::counters() const noexcept { return impl_->counters(); }

}  // namespace fulmar::admin
