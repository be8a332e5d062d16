#include "drive_history.hpp"

#include <fulmar/base/limits.hpp>

#include <algorithm>

namespace fulmar::drives {

void drive_history::note(admin::event& one) {
    numbers_.date(one);
    if (by_address_.size() >= limits::max_drive_histories && !by_address_.contains(one.address))
        by_address_.erase(std::min_element(
            by_address_.begin(), by_address_.end(), [](const auto& a, const auto& b) {
                return a.second.back().sequence < b.second.back().sequence;
            }));
    std::deque<admin::event>& past = by_address_[one.address];
    past.push_back(one);
    if (past.size() > limits::drive_history) past.pop_front();
}

std::vector<admin::event> drive_history::of(const std::string& address) const {
    const auto past = by_address_.find(address);
    if (past == by_address_.end()) return {};
    return {past->second.begin(), past->second.end()};
}

}  // namespace fulmar::drives
