// The answering side of the ceiling.
#pragma once

#include "bench/ceiling/memory.hpp"

#include <cstddef>

namespace fulmar::bench {

/// How a turn finds the sockets that have something: by trying each, or by asking epoll.
enum class waiting { try_each, epoll };

struct server_options {
    waiting wait = waiting::try_each;
    int buffer_bytes = 0;  ///< SO_SNDBUF and SO_RCVBUF; 0 leaves them to the kernel
};

/// Serves one run: accepts its connections (blocking for the first), answers until all of them are
/// closed. Called on: the server's one thread.
void serve_run(int listener, walked_memory& memory, const server_options& options);

}  // namespace fulmar::bench
