#include "bench/ceiling/client.hpp"

#include "bench/ceiling/gather.hpp"
#include "bench/ceiling/socket.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace fulmar::bench {
namespace {

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

struct shared {
    explicit shared(const client_options& o)
        : options(o),
          receive(o.receive_bytes),
          capsule_with_data(capsule_bytes + o.block_bytes),
          header_with_data(data_header_bytes + o.block_bytes) {
        capsule_with_data[0] = static_cast<std::byte>(capsule_type);
        header_with_data[0] = static_cast<std::byte>(data_type);
    }
    const client_options& options;
    std::vector<std::byte> receive;
    repeated capsules{capsule_bytes, capsule_type};
    std::vector<std::byte> capsule_with_data;
    std::vector<std::byte> header_with_data;
    host::histogram latency;
    std::uint64_t exchanges = 0;
};

/// One connection. Answers come in the order of the requests, so that a ring of times is all it has
/// to know.
class connection {
  public:
    connection(unique_fd fd, shared& s)
        : fd_(std::move(fd)), s_(s), out_(4 * s.options.depth), asked_ns_(s.options.depth) {}
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool blocked() const noexcept { return !out_.empty(); }

    void begin() {
        const std::uint64_t now = now_ns();
        for (std::uint32_t i = 0; i < s_.options.depth; ++i) ask(now);
        flush();
    }

    /// One receive and one send.
    void turn() {
        const ssize_t got = ::recv(fd(), s_.receive.data(), s_.receive.size(), MSG_DONTWAIT);
        if (got > 0) {
            const std::uint64_t now = now_ns();
            if (s_.options.kind == exchange::write_on_request)
                take_short(static_cast<std::size_t>(got), now);
            else
                take_fixed(static_cast<std::size_t>(got), now);
        } else if (got == 0 || errno != EAGAIN) {
            die("the server went away");
        }
        flush();
    }

  private:
    void flush() {
        if (!out_.flush(fd())) die("send");
    }
    void ask(std::uint64_t now) {
        asked_ns_[asked_++ % asked_ns_.size()] = now;
        if (s_.options.kind == exchange::write_in_capsule)
            out_.add(s_.capsule_with_data.data(), s_.capsule_with_data.size());
        else
            out_.add(s_.capsules.next(), capsule_bytes);
    }
    void finish(std::uint64_t now) {
        s_.latency.add(now - asked_ns_[answered_++ % asked_ns_.size()]);
        ++s_.exchanges;
        ask(now);
    }
    /// Replies of one size: how many bytes came says how many are complete.
    void take_fixed(std::size_t got, std::uint64_t now) {
        const std::size_t reply = s_.options.kind == exchange::read
                                      ? data_header_bytes + s_.options.block_bytes + response_bytes
                                      : response_bytes;
        held_ += got;
        for (; held_ >= reply; held_ -= reply) finish(now);
    }
    /// R2Ts and responses, 24 bytes both: the first byte tells them apart.
    void take_short(std::size_t got, std::uint64_t now) {
        static_assert(ready_bytes == response_bytes);
        std::size_t at = 0;
        if (held_ != 0) {
            at = std::min(got, ready_bytes - held_);
            held_ += at;
            if (held_ < ready_bytes) return;
            answer(type_, now);
            held_ = 0;
        }
        for (; got - at >= ready_bytes; at += ready_bytes) answer(s_.receive[at], now);
        if (at < got) {
            type_ = s_.receive[at];
            held_ = got - at;
        }
    }
    void answer(std::byte type, std::uint64_t now) {
        if (type == static_cast<std::byte>(ready_type))
            out_.add(s_.header_with_data.data(), s_.header_with_data.size());
        else
            finish(now);
    }

    unique_fd fd_;
    shared& s_;
    gather out_;
    std::vector<std::uint64_t> asked_ns_;
    std::uint64_t asked_ = 0;
    std::uint64_t answered_ = 0;
    std::size_t held_ = 0;
    std::byte type_{};
};

class client {
  public:
    explicit client(const client_options& options) : options_(options), shared_(options) {
        for (std::uint32_t i = 0; i < options.connections; ++i) {
            unique_fd fd = connect_loopback(options.port);
            prepare_socket(fd.get(), options.buffer_bytes);
            hello greeting{static_cast<std::uint32_t>(options.kind),
                           options.block_bytes,
                           options.depth,
                           options.connections,
                           0,
                           {}};
            write_all(fd.get(), &greeting, sizeof greeting);
            if (!read_all(fd.get(), &greeting, sizeof greeting)) die("hello");
            server_pid_ = greeting.server_pid;
            set_non_blocking(fd.get());
            connections_.push_back(std::make_unique<connection>(std::move(fd), shared_));
        }
        if (options.wait != waiting::epoll) return;
        poll_ = unique_fd(::epoll_create1(EPOLL_CLOEXEC));
        for (auto& c : connections_) {
            epoll_event event{EPOLLIN, {.ptr = c.get()}};
            ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, c->fd(), &event);
        }
    }

    client_report run() {
        for (auto& c : connections_) c->begin();
        turn_until(now_ns() + static_cast<std::uint64_t>(options_.warmup_seconds * 1e9));
        shared_.latency.clear();
        shared_.exchanges = 0;
        const std::uint64_t begin = now_ns();
        const std::uint64_t client_cpu = process_cpu_ns(0);
        const std::uint64_t server_cpu = process_cpu_ns(server_pid_);
        turn_until(begin + static_cast<std::uint64_t>(options_.seconds * 1e9));
        client_report report;
        report.seconds = static_cast<double>(now_ns() - begin) / 1e9;
        report.exchanges = shared_.exchanges;
        report.latency = shared_.latency;
        report.client_cpu_ns = process_cpu_ns(0) - client_cpu;
        report.server_cpu_ns = process_cpu_ns(server_pid_) - server_cpu;
        return report;
    }

  private:
    void turn_until(std::uint64_t end) {
        while (now_ns() < end)
            for (int i = 0; i < 32; ++i) turn();
    }
    void turn() {
        if (options_.wait == waiting::try_each) {
            for (auto& c : connections_) c->turn();
            return;
        }
        const int ready =
            ::epoll_wait(poll_.get(), events_.data(), static_cast<int>(events_.size()), 0);
        for (int i = 0; i < ready; ++i)
            static_cast<connection*>(events_[static_cast<std::size_t>(i)].data.ptr)->turn();
        for (auto& c : connections_)
            if (c->blocked()) c->turn();
    }

    const client_options& options_;
    shared shared_;
    std::vector<std::unique_ptr<connection>> connections_;
    unique_fd poll_;
    std::array<epoll_event, 256> events_{};
    int server_pid_ = 0;
};

}  // namespace

client_report run_client(const client_options& options) { return client(options).run(); }

}  // namespace fulmar::bench
