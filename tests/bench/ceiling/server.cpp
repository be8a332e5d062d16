#include "bench/ceiling/server.hpp"

#include "bench/ceiling/gather.hpp"
#include "bench/ceiling/shape.hpp"
#include "bench/ceiling/socket.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

namespace fulmar::bench {
namespace {

/// What the connections of a run share. The receive buffer is scratch: small, so that it stays in
/// cache.
struct shared {
    walked_memory& memory;
    std::size_t block_bytes;
    std::vector<std::byte> scratch = std::vector<std::byte>(256 * 1024);
    repeated responses{response_bytes, response_type};
    repeated readies{ready_bytes, ready_type};
    /// response, then data header: consecutive replies share one piece between their data
    std::array<std::byte, response_bytes + data_header_bytes> between{};
};

enum class progress { nothing, some, gone };

progress received(ssize_t got) noexcept {
    if (got > 0) return progress::some;
    return got < 0 && errno == EAGAIN ? progress::nothing : progress::gone;
}

/// Requests of 72 bytes in, data out of the walked memory.
class read_connection {
  public:
    read_connection(unique_fd fd, shared& s, std::size_t depth)
        : fd_(std::move(fd)), s_(s), out_(4 * depth) {}
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    progress turn() noexcept {
        const ssize_t got = ::recv(fd(), s_.scratch.data(), s_.scratch.size(), MSG_DONTWAIT);
        const progress p = received(got);
        if (p == progress::gone) return p;
        if (p == progress::some) {
            bytes_ += static_cast<std::size_t>(got);
            for (; bytes_ >= capsule_bytes; bytes_ -= capsule_bytes) {
                out_.add(s_.between.data() + response_bytes, data_header_bytes);
                out_.add(s_.memory.next(s_.block_bytes), s_.block_bytes);
                out_.add(s_.between.data(), response_bytes);
            }
        }
        return out_.flush(fd()) ? p : progress::gone;
    }
    [[nodiscard]] bool blocked() const noexcept { return !out_.empty(); }

  private:
    unique_fd fd_;
    shared& s_;
    gather out_;
    std::size_t bytes_ = 0;
};

/// Capsules with their data in; the kernel copies each block to its place, since every size is
/// known beforehand.
class small_write_connection {
  public:
    small_write_connection(unique_fd fd, shared& s, std::size_t depth)
        : fd_(std::move(fd)),
          s_(s),
          out_(4 * depth),
          units_(std::min<std::size_t>(depth, max_units)) {
        for (std::size_t i = 0; i < units_; ++i) {
            in_[2 * i] = iovec{s_.scratch.data(), capsule_bytes};
            in_[2 * i + 1] = iovec{s_.memory.next(s_.block_bytes), s_.block_bytes};
        }
    }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    progress turn() noexcept {
        msghdr message{};
        message.msg_iov = in_.data();
        message.msg_iovlen = 2 * units_;
        const ssize_t got = ::recvmsg(fd(), &message, MSG_DONTWAIT);
        const progress p = received(got);
        if (p == progress::gone) return p;
        if (p == progress::some) place(static_cast<std::size_t>(got));
        return out_.flush(fd()) ? p : progress::gone;
    }
    [[nodiscard]] bool blocked() const noexcept { return !out_.empty(); }

  private:
    static constexpr std::size_t max_units = 64;

    /// Whole units get a new place; the one that is half full keeps its own and moves to the front.
    void place(std::size_t got) noexcept {
        const std::size_t unit = capsule_bytes + s_.block_bytes;
        const std::size_t total = partial_ + got;
        const std::size_t whole = total / unit;
        for (std::size_t i = 0; i < whole; ++i) out_.add(s_.responses.next(), response_bytes);
        partial_ = total % unit;
        if (whole != 0) {
            std::byte* const half = partial_ > capsule_bytes ? block_of(whole) : nullptr;
            for (std::size_t i = 0; i < whole && i < units_; ++i)
                in_[2 * i + 1] = iovec{s_.memory.next(s_.block_bytes), s_.block_bytes};
            if (whole < units_)
                in_[2 * whole + 1] = iovec{s_.memory.next(s_.block_bytes), s_.block_bytes};
            first_block_ = half != nullptr ? half : s_.memory.next(s_.block_bytes);
        }
        const std::size_t of_header = std::min(partial_, capsule_bytes);
        const std::size_t of_block = partial_ - of_header;
        in_[0] = iovec{s_.scratch.data() + of_header, capsule_bytes - of_header};
        in_[1] = iovec{first_block_ + of_block, s_.block_bytes - of_block};
    }
    std::byte* block_of(std::size_t unit) noexcept {
        return unit == 0 ? first_block_ : static_cast<std::byte*>(in_[2 * unit + 1].iov_base);
    }

    unique_fd fd_;
    shared& s_;
    gather out_;
    std::size_t units_;
    std::array<iovec, 2 * max_units + 2> in_{};
    std::byte* first_block_ = static_cast<std::byte*>(in_[1].iov_base);
    std::size_t partial_ = 0;
};

/// Capsules, answered by R2T; then data, received straight to its place but for what came with its
/// header.
class large_write_connection {
  public:
    large_write_connection(unique_fd fd, shared& s, std::size_t depth)
        : fd_(std::move(fd)), s_(s), out_(4 * depth) {}
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    progress turn() noexcept {
        std::array<iovec, 2> in{iovec{to_, missing_},
                                iovec{ahead_.data() + held_, ahead_.size() - held_}};
        msghdr message{};
        message.msg_iov = missing_ != 0 ? in.data() : in.data() + 1;
        message.msg_iovlen = missing_ != 0 ? 2 : 1;
        const ssize_t got = ::recvmsg(fd(), &message, MSG_DONTWAIT);
        const progress p = received(got);
        if (p == progress::gone) return p;
        if (p == progress::some) {
            const std::size_t placed = std::min(static_cast<std::size_t>(got), missing_);
            advance(placed);
            held_ += static_cast<std::size_t>(got) - placed;
            parse();
        }
        return out_.flush(fd()) ? p : progress::gone;
    }
    [[nodiscard]] bool blocked() const noexcept { return !out_.empty(); }

  private:
    void advance(std::size_t placed) noexcept {
        if (placed == 0) return;
        to_ += placed;
        missing_ -= placed;
        if (missing_ == 0) out_.add(s_.responses.next(), response_bytes);
    }
    void parse() noexcept {
        std::size_t at = 0;
        while (missing_ == 0 && held_ > at) {
            const bool data = ahead_[at] == static_cast<std::byte>(data_type);
            const std::size_t header = data ? data_header_bytes : capsule_bytes;
            if (held_ - at < header) break;
            at += header;
            if (data) {
                to_ = s_.memory.next(s_.block_bytes);
                missing_ = s_.block_bytes;
                const std::size_t here = std::min(held_ - at, missing_);
                std::memcpy(to_, ahead_.data() + at, here);
                at += here;
                advance(here);
            } else {
                out_.add(s_.readies.next(), ready_bytes);
            }
        }
        held_ -= at;
        std::memmove(ahead_.data(), ahead_.data() + at, held_);
    }

    unique_fd fd_;
    shared& s_;
    gather out_;
    std::array<std::byte, 4096>
        ahead_{};  // what follows the data in hand: headers, and the start of more data
    std::size_t held_ = 0;
    std::byte* to_ = nullptr;
    std::size_t missing_ = 0;
};

template <typename Connection>
void serve(std::vector<std::unique_ptr<Connection>> connections, waiting wait) {
    unique_fd poll;
    if (wait == waiting::epoll) {
        poll = unique_fd(::epoll_create1(EPOLL_CLOEXEC));
        for (auto& c : connections) {
            epoll_event event{EPOLLIN, {.ptr = c.get()}};
            ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, c->fd(), &event);
        }
    }
    const auto forget = [&](Connection* c) {
        std::erase_if(connections, [c](const auto& each) { return each.get() == c; });
    };
    std::array<epoll_event, 256> events;
    while (!connections.empty()) {
        if (wait == waiting::try_each) {
            for (std::size_t i = 0; i < connections.size(); ++i)
                if (connections[i]->turn() == progress::gone) forget(connections[i--].get());
            continue;
        }
        const int ready =
            ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < ready; ++i) {
            auto* c = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (c->turn() == progress::gone) forget(c);
        }
        for (auto& c : connections)
            if (c->blocked()) c->turn();
    }
}

unique_fd accept_one(int listener, const server_options& options, hello& greeting) {
    for (;;) {
        unique_fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) die("accept");
        prepare_socket(fd.get(), options.buffer_bytes);
        if (!read_all(fd.get(), &greeting, sizeof greeting)) continue;
        greeting.server_pid = ::getpid();
        write_all(fd.get(), &greeting, sizeof greeting);
        set_non_blocking(fd.get());
        return fd;
    }
}

template <typename Connection>
void serve_as(unique_fd first, const hello& greeting, int listener, shared& s,
              const server_options& options) {
    std::vector<std::unique_ptr<Connection>> connections;
    connections.push_back(std::make_unique<Connection>(std::move(first), s, greeting.depth));
    while (connections.size() < greeting.connections) {
        hello next;
        unique_fd fd = accept_one(listener, options, next);
        connections.push_back(std::make_unique<Connection>(std::move(fd), s, greeting.depth));
    }
    serve(std::move(connections), options.wait);
}

}  // namespace

void serve_run(int listener, walked_memory& memory, const server_options& options) {
    hello greeting;
    unique_fd first = accept_one(listener, options, greeting);
    shared s{memory, greeting.block_bytes};
    switch (static_cast<exchange>(greeting.kind)) {
        case exchange::read:
            return serve_as<read_connection>(std::move(first), greeting, listener, s, options);
        case exchange::write_in_capsule:
            return serve_as<small_write_connection>(std::move(first), greeting, listener, s,
                                                    options);
        case exchange::write_on_request:
            return serve_as<large_write_connection>(std::move(first), greeting, listener, s,
                                                    options);
    }
}

}  // namespace fulmar::bench
