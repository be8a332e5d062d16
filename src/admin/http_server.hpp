// Serves HTTP/1.1 on listening sockets, for one handler: keep-alive, bounded in connections, sizes
// and time. Requests of a connection are answered in order; a client that pipelines simply waits.
// Called on: admin thread (the one that runs the io_context).
// Each listening socket has a budget of its own: who can reach one does not use up the other. When
// it is used up, the connection that has been there longest without a request that had a right to
// be made gives way; when there is none, the newcomer is told "503". Must never: let one client's
// silence or size cost another its service.
#pragma once

#include "http.hpp"

#include <fulmar/base/unique_fd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace fulmar::admin {

struct http_limits {
    std::uint32_t connections = 256;  ///< of the UNIX socket, and as many over TCP
    std::uint32_t refusals = 32;      ///< that are being told "503" at once; beyond, a reset
    std::uint32_t header_bytes = 16 * 1024;
    std::uint64_t body_bytes = 1024 * 1024;
    std::chrono::milliseconds idle = std::chrono::seconds(60);  ///< to the end of the next header
    /// The same while no request of the connection has had the right to anything.
    std::chrono::milliseconds first = std::chrono::seconds(5);
    std::chrono::milliseconds body = std::chrono::seconds(10);
    std::chrono::milliseconds write = std::chrono::seconds(30);
};

struct http_counters {
    std::uint64_t connections_total = 0;
    std::uint64_t connections_refused = 0;
    std::uint32_t connections = 0;  ///< all that are there, refused ones that are being told so too
    std::uint64_t requests = 0;
    std::uint64_t malformed = 0;
};

struct tls_setup;  // tls_context.hpp

/// How one listening socket is served.
struct http_door {
    bool over_tcp = false;
    bool metrics_only = false;
    std::shared_ptr<tls_setup> tls = nullptr;  ///< null: no TLS
};

class http_server {
  public:
    http_server(boost::asio::io_context& io, http_handler& handler, const http_limits& limits);
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    /// Accepts on `listening`, a socket in the listening state.
    void serve(unique_fd listening, http_door how);
    /// Goes on accepting where an exception has come between (no memory); until then nobody new is
    /// served there. May throw what came between. False: nothing was to be done.
    bool accept_again();
    /// Accepts no more, and ends connections: idle ones now, others after their answer.
    void stop();
    /// Ends what is left.
    void abort();
    [[nodiscard]] const http_counters& counters() const noexcept;
    /// accept_again() has something to do.
    [[nodiscard]] bool is_deaf() const noexcept;

  private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace fulmar::admin
