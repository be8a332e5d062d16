// How often the ANA log of a controller has changed, and each group in it. Plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <unordered_map>

namespace fulmar::core {

/// Called on: home reactor of its controller.
class ana_changes {
  public:
    /// The log is about to change: what is noted from here on counts as of this change.
    void begin() noexcept { ++log_; }
    /// It has not, after all: nothing has been noted.
    void take_back() noexcept { --log_; }
    /// What the log tells of that group has changed. Without memory for it, all have.
    void note(std::uint32_t group) noexcept {
        try {
            groups_.insert_or_assign(group, log_ + 1);
        } catch (const std::bad_alloc&) {
            least_ = log_ + 1;
        }
    }
    /// A reset: whoever reads it next has never read it before.
    void forget() noexcept {
        log_ = 0;
        least_ = 1;
        groups_.clear();
    }

    [[nodiscard]] std::uint64_t of_log() const noexcept { return log_; }
    /// Never 0, which says "not counted"; rises with each change, by one or more.
    [[nodiscard]] std::uint64_t of_group(std::uint32_t id) const noexcept {
        const auto at = groups_.find(id);
        return std::max(least_, at != groups_.end() ? at->second : 0);
    }

  private:
    std::uint64_t log_ = 0;
    std::uint64_t least_ = 1;
    std::unordered_map<std::uint32_t, std::uint64_t> groups_;  // that have changed
};

}  // namespace fulmar::core
