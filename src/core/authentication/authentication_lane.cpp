#include "authentication_lane.hpp"

#include "lane_order.hpp"

#include <fulmar/core/poll_group.hpp>

#include <algorithm>

namespace fulmar::core {

namespace {
std::uint64_t address_of(const qpair& q) noexcept {
    return q.ticket() != nullptr ? q.ticket()->address() : 0;
}
}  // namespace

bool authentication_lane::has_room_for(const qpair& q) const noexcept {
    std::uint32_t of_address = 0;
    std::uint32_t of_listener = 0;
    for (const queue_authentication& one : waiting_) {
        of_address += address_of(one.queue()) == address_of(q) ? 1 : 0;
        of_listener += one.queue().listener() == q.listener() ? 1 : 0;
    }
    return of_address < limits::waiting_authentications_per_address &&
           of_listener < limits::waiting_authentications_per_listener;
}

// An address that has much waiting comes behind one that has nothing, whoever came first.
void authentication_lane::enter(queue_authentication& one) noexcept {
    std::uint64_t last = served_;
    for (const queue_authentication& other : waiting_)
        if (address_of(other.queue()) == address_of(one.queue())) last = std::max(last, other.turn);
    if (running_ != nullptr && address_of(running_->queue()) == address_of(one.queue()))
        last = std::max(last, running_->turn);
    one.turn = last + 1;
    waiting_.push_back(one);
    if (running_ == nullptr) run_next();
}

queue_authentication& authentication_lane::choose() noexcept {
    const auto seat = [](const queue_authentication& one) {
        return lane_seat{.proven = one.was_proven(), .turn = one.turn};
    };
    queue_authentication& next =
        *std::min_element(waiting_.begin(), waiting_.end(), [&](const auto& a, const auto& b) {
            return goes_before(seat(a), seat(b), proven_in_a_row_);
        });
    proven_in_a_row_ = next.was_proven() ? proven_in_a_row_ + 1 : 0;
    return next;
}

void authentication_lane::run_next() noexcept {
    while (running_ == nullptr && !waiting_.empty()) {
        queue_authentication& next = choose();
        waiting_.erase(waiting_.iterator_to(next));
        served_ = std::max(served_, next.turn);
        if (next.begin_work())
            running_ = &next;
        else
            next.work_is_over();  // no thread can be had: it is refused
    }
}

void authentication_lane::finished(queue_authentication& one) noexcept {
    if (running_ == &one) running_ = nullptr;
    one.work_is_over();
    run_next();
}

}  // namespace fulmar::core
