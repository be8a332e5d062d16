// The gate: whether I/O of one namespace may pass, on one poll group. A copyable value without
// pointers, so that the model explores the very code that the data path runs.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/base/state_table.hpp>

#include <compare>
#include <cstdint>
#include <string_view>

namespace fulmar::core {

enum class gate_position : std::uint8_t {
    closed,              ///< I/O is answered with a status
    open,                ///< I/O passes
    quiesced,            ///< I/O is parked, bounded in count and bytes
    waiting_for_device,  ///< the same, and in time as well: the device is lost and may be back soon
};

enum class gate_event : std::uint8_t {
    open,     ///< I/O may pass
    quiesce,  ///< an operator or an operation holds it up
    restore,  ///< serves again, but quiesced by somebody else
    hold,     ///< the device is lost, and its I/O waits for it
    close,    ///< gone, or on its way out
};

using gate_edge = edge<gate_position, gate_event>;

inline constexpr auto gate_edges = [] {
    using P = gate_position;
    using E = gate_event;
    return std::array{
        gate_edge{P::closed, E::open, P::open},
        gate_edge{P::closed, E::restore, P::quiesced},
        gate_edge{P::open, E::quiesce, P::quiesced},
        gate_edge{P::open, E::hold, P::waiting_for_device},
        gate_edge{P::open, E::close, P::closed},
        gate_edge{P::quiesced, E::open, P::open},
        gate_edge{P::quiesced, E::hold, P::waiting_for_device},
        gate_edge{P::quiesced, E::close, P::closed},
        gate_edge{P::waiting_for_device, E::open, P::open},
        gate_edge{P::waiting_for_device, E::restore, P::quiesced},
        gate_edge{P::waiting_for_device, E::close, P::closed},
    };
}();

static_assert(is_deterministic(gate_edges));
static_assert(is_complete<gate_position::waiting_for_device, gate_event::close>(gate_edges));
static_assert(always_leaves(gate_edges));
static_assert(always_reaches(gate_edges, gate_position::closed));
static_assert(!has_edge(gate_edges, gate_position::closed, gate_event::quiesce),
              "what is closed is answered, not parked");
static_assert(!has_edge(gate_edges, gate_position::waiting_for_device, gate_event::quiesce),
              "a quiesce that comes later does not end the wait: the device is not back");

enum class admission : std::uint8_t {
    enter,     ///< pass; leave() when it is answered
    park,      ///< keep it, in order; unpark() when it is taken out again
    refuse,    ///< the gate is closed
    overflow,  ///< too much is parked already
    stale,     ///< the request was meant for another generation
};

/// Called on: owning reactor, all methods.
struct gate {
    gate_position position = gate_position::closed;
    std::uint32_t generation = 0;  ///< of the namespace that it guards
    std::uint32_t inside = 0;      ///< entered and not left
    std::uint32_t parked = 0;
    std::uint64_t parked_bytes = 0;

    /// Moves to where `on` leads; an event without an edge changes nothing.
    void take(gate_event on) noexcept;
    /// Decides over a request for generation `for_generation` that would keep `bytes` while
    /// parked, and counts it.
    admission admit(std::uint32_t for_generation, std::uint64_t bytes) noexcept;
    /// Whether one that entered must not reach the device any more: the gate has closed, or the
    /// device is lost, while it waited for a buffer or its data.
    [[nodiscard]] bool turns_back() const noexcept;
    /// One that entered is answered; true when it was the last.
    bool leave() noexcept;
    /// One that was parked is taken out.
    void unpark(std::uint64_t bytes) noexcept;
    [[nodiscard]] bool drained() const noexcept { return inside == 0; }

    friend auto operator<=>(const gate&, const gate&) = default;
};

[[nodiscard]] std::string_view to_string(gate_position position) noexcept;
[[nodiscard]] std::string_view to_string(gate_event event) noexcept;

}  // namespace fulmar::core
