// What a queue has done.
#pragma once

#include <atomic>
#include <cstdint>

namespace fulmar::core {

/// Written by the queue's reactor, read by the controller's home reactor and the administration.
/// Called on: any thread.
struct queue_counters {
    std::atomic<std::uint64_t> commands{0};
    std::atomic<std::uint64_t> reads{0};
    std::atomic<std::uint64_t> writes{0};
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> bytes_written{0};
    std::atomic<std::uint64_t> errors{0};
};

}  // namespace fulmar::core
