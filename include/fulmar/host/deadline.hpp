// A point in time that waiting must not pass.
#pragma once

#include <fulmar/base/clock.hpp>

#include <algorithm>
#include <chrono>
#include <limits>

namespace fulmar::host {

/// Monotonic. Any thread.
class deadline {
  public:
    explicit deadline(duration from_now) noexcept : at_(monotonic_clock{}.now() + from_now) {}

    [[nodiscard]] bool passed() const noexcept { return monotonic_clock{}.now() >= at_; }
    [[nodiscard]] duration left() const noexcept {
        return std::max(at_ - monotonic_clock{}.now(), duration::zero());
    }
    /// For poll(2): rounded up, so that it never spins on the last millisecond.
    [[nodiscard]] int left_ms() const noexcept {
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
        return static_cast<int>(std::min<long>(ms, std::numeric_limits<int>::max()));
    }

  private:
    instant at_;
};

}  // namespace fulmar::host
