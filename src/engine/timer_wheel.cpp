// Level 0 holds the next 64 ms one slot per tick; each level above holds 64 times as much per slot.
// A slot of a higher level is spread over the lower ones (cascade) when the time reaches it.
#include <fulmar/engine/timer_wheel.hpp>

#include <algorithm>
#include <bit>

namespace fulmar::engine {

namespace {
constexpr duration tick = std::chrono::milliseconds(1);
}

timer_wheel::timer_wheel(instant start) noexcept : start_(start) {}

timer_wheel::~timer_wheel() {
    for (auto& level : wheel_)
        for (auto& slot : level) slot.clear();
    due_.clear();
}

// Rounded up: a timer never fires before its deadline.
std::uint64_t timer_wheel::tick_of(instant at) const noexcept {
    if (at <= start_) return 0;
    return static_cast<std::uint64_t>((at - start_ + tick - duration(1)) / tick);
}

void timer_wheel::place(timer& t) noexcept {
    const std::uint64_t due = std::max(tick_of(t.deadline_), current_);
    const std::uint64_t horizon = (std::uint64_t{1} << (level_bits * levels)) - 1;
    const std::uint64_t at = std::min(due, current_ + horizon - (horizon >> level_bits));
    const std::uint64_t differs = at ^ current_;
    const unsigned level =
        differs == 0 ? 0u
                     : std::min((static_cast<unsigned>(std::bit_width(differs)) - 1) / level_bits,
                                levels - 1);
    const auto slot = static_cast<unsigned>(at >> (level * level_bits)) % slots;
    t.level_ = static_cast<std::uint8_t>(level);
    t.slot_ = static_cast<std::uint8_t>(slot);
    wheel_[level][slot].push_back(t);
    occupied_[level] |= std::uint64_t{1} << slot;
}

void timer_wheel::arm(timer& t, instant deadline) noexcept {
    cancel(t);
    t.deadline_ = deadline;
    place(t);
}

void timer_wheel::cancel(timer& t) noexcept {
    if (!t.armed()) return;
    if (t.level_ == due_level) {
        due_.erase(due_.iterator_to(t));
        return;
    }
    slot_list& list = wheel_[t.level_][t.slot_];
    list.erase(list.iterator_to(t));
    if (list.empty()) occupied_[t.level_] &= ~(std::uint64_t{1} << t.slot_);
}

// `current_` has just reached the start of a slot of `level`: spread that slot over the levels
// below.
void timer_wheel::cascade(unsigned level) noexcept {
    const auto slot = static_cast<unsigned>(current_ >> (level * level_bits)) % slots;
    if (slot == 0 && level + 1 < levels) cascade(level + 1);
    if ((occupied_[level] & (std::uint64_t{1} << slot)) == 0) return;
    slot_list due;
    due.swap(wheel_[level][slot]);
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    while (!due.empty()) {
        timer& t = due.front();
        due.pop_front();
        place(t);
    }
}

std::uint32_t timer_wheel::advance(instant now) noexcept {
    // Rounded down, so a deadline inside the current millisecond waits for its end.
    const std::uint64_t target =
        now <= start_ ? 0 : static_cast<std::uint64_t>((now - start_) / tick);
    std::uint32_t fired = 0;
    while (current_ <= target) {
        const auto slot = static_cast<unsigned>(current_ % slots);
        due_.swap(wheel_[0][slot]);
        occupied_[0] &= ~(std::uint64_t{1} << slot);
        for (timer& t : due_) t.level_ = due_level;
        step_to(current_ +
                1);  // a handler that arms for "now" gets the next tick, so this loop ends
        while (!due_.empty()) {
            timer& t = due_.front();
            due_.pop_front();
            if (tick_of(t.deadline_) >= current_) {
                place(t);  // its deadline lay beyond the wheel's horizon
                continue;
            }
            t.on_expiry_(t);
            ++fired;
        }
        // Nothing in the rest of this round: go to its end, or to the target, in one step.
        if (occupied_[0] == 0 && current_ <= target)
            step_to(std::min((current_ / slots + 1) * slots, target + 1));
    }
    return fired;
}

// Moves the time on by at most one round of level 0.
void timer_wheel::step_to(std::uint64_t next) noexcept {
    current_ = next;
    if (current_ % slots == 0) cascade(1);
}

instant timer_wheel::next_wakeup() const noexcept {
    for (unsigned level = 0; level < levels; ++level) {
        if (occupied_[level] == 0) continue;
        const unsigned shift = level * level_bits;
        const auto here = static_cast<unsigned>((current_ >> shift) % slots);
        // Slots are counted from the current one; on the levels above 0 the current slot itself has
        // been cascaded.
        const auto ahead = static_cast<unsigned>(
            std::countr_zero(std::rotr(occupied_[level], static_cast<int>(here))));
        const std::uint64_t at = ((current_ >> shift) + ahead) << shift;
        return start_ + tick * static_cast<std::int64_t>(std::max(at, current_));
    }
    return never;
}

}  // namespace fulmar::engine
