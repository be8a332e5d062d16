// The asking side of the ceiling.
#pragma once

#include "bench/ceiling/server.hpp"
#include "bench/ceiling/shape.hpp"

#include <fulmar/host/histogram.hpp>

#include <cstdint>

namespace fulmar::bench {

struct client_options {
    std::uint16_t port = 0;
    exchange kind = exchange::read;
    std::uint32_t block_bytes = 4096;
    std::uint32_t depth = 1;  ///< per connection
    std::uint32_t connections = 1;
    double seconds = 1.0;
    double warmup_seconds = 0.2;
    waiting wait = waiting::try_each;
    int buffer_bytes = 0;
    std::size_t receive_bytes = 256 * 1024;  ///< one receive call takes at most this much
};

struct client_report {
    double seconds = 0;
    std::uint64_t exchanges = 0;
    host::histogram latency;
    std::uint64_t client_cpu_ns = 0;
    std::uint64_t server_cpu_ns = 0;
};

/// Keeps `depth` exchanges under way on each connection for the time asked. Called on: the client's
/// one thread.
client_report run_client(const client_options& options);

}  // namespace fulmar::bench
