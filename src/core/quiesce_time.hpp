// CQT of Identify Controller (TP4129): how long commands of a host may take effect after its
// controller has noticed that the host is gone. Pure; any thread.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/core/model.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace fulmar::core {

/// What is at a device then has the deadline of a transition to end by itself. After that its
/// connection gives it up; a drive that has it still is reset, in no more than the limit of a
/// drain. Milliseconds; more than 65,535 cannot be said. A device that keeps commands for longer
/// than both is not covered: a Cross-Controller Reset finds that out, and fails.
[[nodiscard]] constexpr std::uint16_t quiesce_time_ms(const target_options& options) noexcept {
    constexpr std::uint64_t most = 0xffff;
    const std::uint64_t all =
        std::uint64_t{options.transition_timeout_ms} +
        static_cast<std::uint64_t>(std::chrono::milliseconds(limits::drain_limit).count());
    return static_cast<std::uint16_t>(std::min(all, most));
}

}  // namespace fulmar::core
