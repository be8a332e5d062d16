// Who may have a device: one namespace at a time, and nobody while it still has operations of a
// former one. A copyable value without pointers, so that the model explores the very code that the
// control reactor runs.
#pragma once

#include <compare>
#include <cstdint>

namespace fulmar::core {

enum class claim_verdict : std::uint8_t {
    free,  ///< nobody has it
    used,  ///< it backs a namespace
    held,  ///< poll groups wait for operations of a namespace that is gone
};

/// Called on: control reactor, all methods.
struct device_claim {
    bool taken = false;
    std::uint32_t holders = 0;  ///< poll groups that wait for operations of a former namespace

    [[nodiscard]] claim_verdict verdict() const noexcept;
    void take() noexcept;
    void release() noexcept { taken = false; }
    void hold() noexcept { ++holders; }
    /// True when that was the last one.
    bool let_go() noexcept;

    friend auto operator<=>(const device_claim&, const device_claim&) = default;
};

}  // namespace fulmar::core
