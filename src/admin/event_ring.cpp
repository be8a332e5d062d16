#include "event_ring.hpp"

#include <utility>

namespace fulmar::admin {

void event_ring::add(event one) {
    newest_ = one.sequence;
    events_.push_back(std::move(one));
    if (events_.size() > kept_) events_.pop_front();
}

event_ring::page event_ring::after(std::uint64_t sequence) const {
    page out{.events = {}, .next = newest_, .gap = false};
    // A number from before a restart: all of this life is news, and what was missed is unknown.
    const bool of_another_life = sequence > newest_;
    if (of_another_life) sequence = 0;
    for (const event& one : events_)
        if (one.sequence > sequence) out.events.push_back(one);
    const std::uint64_t first = out.events.empty() ? newest_ + 1 : out.events.front().sequence;
    out.gap = of_another_life || first != sequence + 1;
    return out;
}

}  // namespace fulmar::admin
