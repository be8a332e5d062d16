// Where a target listens and over which fabric, and the TCP connection to it.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/host/deadline.hpp>

#include <cstdint>
#include <string>

namespace fulmar::host {

enum class fabric : std::uint8_t { tcp, rdma };

struct endpoint {
    std::string address = "127.0.0.1";  ///< numeric IPv4 or IPv6, or a name
    std::uint16_t port = 4420;
    fabric over = fabric::tcp;

    /// "127.0.0.1:4420", "[::1]:4420".
    [[nodiscard]] std::string text() const;
    friend bool operator==(const endpoint&, const endpoint&) = default;
};

/// A connected, non-blocking socket without delay. Any thread; blocks until `until`.
/// Errors: not_found (a name), unavailable (refused, unreachable), timed_out, no_memory.
[[nodiscard]] result<unique_fd> connect_tcp(const endpoint& to, const deadline& until);

enum class readiness : std::uint8_t { ready, timed_out };

/// Waits until `fd` has something to read, or room to write; a socket in error is ready too.
readiness wait_readable(int fd, const deadline& until) noexcept;
readiness wait_writable(int fd, const deadline& until) noexcept;

}  // namespace fulmar::host
