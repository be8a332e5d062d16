// What a listener and its connections count together.
#pragma once

#include <fulmar/core/status_report.hpp>

#include <atomic>
#include <cstdint>
#include <string>

namespace fulmar::transport::common {

/// Shared by a listener and its connections. Called on: any thread.
struct listener_counters {
    std::string name;                           ///< of the listener, as in REST; never changes
    std::atomic<std::uint32_t> connections{0};  ///< present
    std::atomic<std::uint32_t> handshakes{0};   ///< of those, without a successful Connect
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> rejected{0};

    /// A connection was taken.
    void count_in() noexcept {
        connections.fetch_add(1, std::memory_order_relaxed);
        handshakes.fetch_add(1, std::memory_order_relaxed);
        accepted.fetch_add(1, std::memory_order_relaxed);
    }
    /// Its Connect has succeeded.
    void count_connected() noexcept { handshakes.fetch_sub(1, std::memory_order_relaxed); }
    /// It is gone. `in_handshake`: its Connect had not succeeded.
    void count_out(bool in_handshake) noexcept {
        connections.fetch_sub(1, std::memory_order_relaxed);
        if (in_handshake) handshakes.fetch_sub(1, std::memory_order_relaxed);
    }
    /// One was not taken, or could not be kept.
    void count_rejected() noexcept { rejected.fetch_add(1, std::memory_order_relaxed); }

    void report(core::listener_status& into) const noexcept {
        into.connections = connections.load(std::memory_order_relaxed);
        into.accepted_total = accepted.load(std::memory_order_relaxed);
        into.rejected_total = rejected.load(std::memory_order_relaxed);
    }
};

}  // namespace fulmar::transport::common
