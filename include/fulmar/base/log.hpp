// Logging for the control plane, and a limiter for whatever a peer can provoke. Never called per
// command.
#pragma once

#include <fulmar/base/clock.hpp>

#include <spdlog/spdlog.h>

#include <cstdint>
#include <string_view>

namespace fulmar::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Any thread, once, before reactors start. `level` is one of trace debug info warn error.
/// Lines go to stdout; a full queue drops the oldest line rather than stall a reactor.
bool initialise(std::string_view level);

/// Writes out what is queued; nothing may be logged afterwards. Any thread, once, when the reactors
/// have stopped.
void shut_down();

/// Lets at most `burst` lines through per `period`; counts what it held back. One thread.
class limiter {
  public:
    explicit limiter(std::uint32_t burst = 5, duration period = std::chrono::seconds(10)) noexcept
        : burst_(burst), period_(period) {}

    /// True when a line may be written now. `held_back()` tells how many were not since the last
    /// one.
    bool allow(instant now) noexcept;
    [[nodiscard]] std::uint64_t held_back() const noexcept { return held_back_; }

  private:
    std::uint32_t burst_;
    duration period_;
    instant window_start_{};
    std::uint32_t in_window_ = 0;
    std::uint64_t held_back_ = 0;
};

}  // namespace fulmar::log
