// When something that a peer owes is due: data that it was asked for, an answer that it does not
// take. By the size of what is owed, behind what it owed before; what else arrives in between moves
// nothing, and a trickle only bounds how long it goes on.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>

#include <algorithm>
#include <cstdint>

namespace fulmar::core {

/// One per connection and direction. Called on: owning reactor.
class obligation_clock {
  public:
    /// For `bytes` that are owed from `now` on: when the peer must have settled it. A peer that
    /// moves limits::slowest_peer_bytes_per_s and pauses for less than `patience` always does.
    [[nodiscard]] instant due(instant now, std::uint32_t bytes, duration patience) noexcept {
        constexpr std::int64_t ns_per_byte = 1'000'000'000 / limits::slowest_peer_bytes_per_s;
        until_ = std::max(now, until_) + std::chrono::nanoseconds(bytes * ns_per_byte);
        return until_ + patience;
    }

  private:
    instant until_{};
};

}  // namespace fulmar::core
