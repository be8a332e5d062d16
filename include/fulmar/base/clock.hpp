// Time as the engine sees it: nanoseconds of a monotonic clock that a test may own.
#pragma once

#include <chrono>
#include <cstdint>

namespace fulmar {

using duration = std::chrono::nanoseconds;

/// A point on the monotonic clock of the process (or of the test). Zero is "never / not set".
using instant = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// Where a reactor reads the time, once a turn. Any thread.
class clock_source {
  public:
    virtual ~clock_source() = default;
    [[nodiscard]] virtual instant now() const noexcept = 0;
};

/// CLOCK_MONOTONIC.
class monotonic_clock final : public clock_source {
  public:
    [[nodiscard]] instant now() const noexcept override {
        return std::chrono::time_point_cast<duration>(std::chrono::steady_clock::now());
    }
};

/// A clock that only moves when told to; the simulator's. One thread.
class manual_clock final : public clock_source {
  public:
    [[nodiscard]] instant now() const noexcept override { return now_; }
    void advance(duration by) noexcept { now_ += by; }
    void set(instant to) noexcept { now_ = to; }

  private:
    instant now_{std::chrono::seconds(1)};
};

}  // namespace fulmar
