// What a queue has done.
#pragma once

#include <fulmar/base/limits.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::core {

/// Written by the queue's reactor, read by the controller's home reactor and the administration.
/// Called on: any thread.
/// On a line of their own: the queue's reactor writes them at every command, and they may live in
/// a controller of another.
struct alignas(limits::cache_line) queue_counters {
    std::atomic<std::uint64_t> commands{0};
    std::atomic<std::uint64_t> reads{0};
    std::atomic<std::uint64_t> writes{0};
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> bytes_written{0};
    std::atomic<std::uint64_t> errors{0};

    void take_over(const queue_counters& other) noexcept {
        constexpr auto order = std::memory_order_relaxed;
        commands.store(other.commands.load(order), order);
        reads.store(other.reads.load(order), order);
        writes.store(other.writes.load(order), order);
        bytes_read.store(other.bytes_read.load(order), order);
        bytes_written.store(other.bytes_written.load(order), order);
        errors.store(other.errors.load(order), order);
    }
};

}  // namespace fulmar::core
