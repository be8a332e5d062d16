// What a controller's admin queue does by itself: Keep Alive in time, AERs always outstanding.
#pragma once

#include <fulmar/host/controller.hpp>
#include <fulmar/host/queue.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::host {

/// Its requests are lent to the queue, so it must outlive the queue. One thread.
struct controller::background {
    background(std::uint32_t keep_alive_ms, std::uint32_t async_events);

    /// Submits what is due at `now_ns`.
    void turn(queue& q, std::uint64_t now_ns) noexcept;

    struct beat final : request {
        beat() noexcept;
        bool outstanding = false;
    };
    struct event_request final : request {
        event_request() noexcept;
        background* owner = nullptr;
        bool outstanding = false;
        bool refused = false;  // asked for more than the controller takes
    };

    std::uint64_t interval_ns;
    std::uint64_t next_ns = 0;
    beat keep_alive;
    std::vector<std::unique_ptr<event_request>> event_requests;
    std::vector<nvme::async_event> events;
};

}  // namespace fulmar::host
