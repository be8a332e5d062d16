// What has happened to each drive: the last events, by address. Bounded in drives and in events of
// each. Called on: control reactor.
#pragma once

#include <fulmar/admin/event.hpp>
#include <fulmar/admin/event_numbers.hpp>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace fulmar::drives {

class drive_history {
  public:
    /// Dates and numbers `one`, and keeps it.
    void note(admin::event& one);
    /// The oldest first; at most limits::drive_history.
    [[nodiscard]] std::vector<admin::event> of(const std::string& address) const;
    [[nodiscard]] admin::event_numbers& numbers() noexcept { return numbers_; }

  private:
    std::map<std::string, std::deque<admin::event>> by_address_;
    admin::event_numbers numbers_;
};

}  // namespace fulmar::drives
