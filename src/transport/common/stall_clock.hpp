// What a peer owes in one direction (data that it was asked for, answers that it does not take),
// and since when nothing of it has moved. Times in which we did not look are not the peer's.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/core/obligation.hpp>

#include <cstdint>

namespace fulmar::transport::common {

/// One per connection and direction. Called on: owning reactor.
class stall_clock {
  public:
    explicit stall_clock(instant opened) noexcept : moved_(opened) {}

    /// Something moved, or begins to be owed when nothing was.
    void moved(instant now) noexcept { moved_ = now; }
    /// From `since` to `now` the peer could not have moved anything, by our own doing.
    void excuse(instant since, instant now) noexcept {
        excused_ += now - since;
        moved_ = now;
    }

    /// For `bytes` that are owed from `now` on: what is_due() is to be asked with.
    [[nodiscard]] instant due(instant now, std::uint32_t bytes, duration patience) noexcept {
        return obligations_.due(now - excused_, bytes, patience);
    }
    /// `due` has passed; never, when it is nothing.
    [[nodiscard]] bool is_due(instant due, instant now) const noexcept {
        return due != instant{} && now - excused_ >= due;
    }
    /// Nothing has moved for `patience`. To be asked while something is owed.
    [[nodiscard]] bool stalled(instant now, duration patience) const noexcept {
        return now - moved_ >= patience;
    }

  private:
    instant moved_;
    duration excused_{};
    core::obligation_clock obligations_;
};

}  // namespace fulmar::transport::common
