// The gate: whether I/O of one namespace may pass, on one poll group. A copyable value without
// pointers, so that the model explores the very code that the data path runs.
#pragma once

#include <fulmar/base/limits.hpp>

#include <compare>
#include <cstdint>
#include <string_view>

namespace fulmar::core {

enum class gate_position : std::uint8_t {
    closed,  ///< I/O is answered with a status
    open,    ///< I/O passes
    fenced,  ///< I/O is parked, bounded in count and bytes
};

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

    /// Decides over a request for generation `for_generation` that would hoard `bytes` while
    /// parked, and counts it.
    admission admit(std::uint32_t for_generation, std::uint64_t bytes) noexcept;
    /// One that entered is answered; true when it was the last.
    bool leave() noexcept;
    /// One that was parked is taken out.
    void unpark(std::uint64_t bytes) noexcept;
    [[nodiscard]] bool drained() const noexcept { return inside == 0; }

    friend auto operator<=>(const gate&, const gate&) = default;
};

[[nodiscard]] std::string_view to_string(gate_position position) noexcept;

}  // namespace fulmar::core
