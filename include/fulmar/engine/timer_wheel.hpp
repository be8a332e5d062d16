// Timers of one reactor: a hierarchical wheel with ticks of a millisecond. Arming and cancelling
// take constant time.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>

#include <array>
#include <cstdint>

namespace fulmar::engine {

/// A timer embedded in its owner. It must be cancelled, or have fired, before it is destroyed.
/// Called on: owning reactor.
class timer {
  public:
    using handler = void (*)(timer&) noexcept;
    explicit timer(handler on_expiry) noexcept : on_expiry_(on_expiry) {}
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;

    [[nodiscard]] bool armed() const noexcept { return hook_.is_linked(); }
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }

  private:
    friend class timer_wheel;
    handler on_expiry_;
    instant deadline_{};
    list_hook hook_;
    std::uint8_t level_ = 0;
    std::uint8_t slot_ = 0;
};

/// Fires each armed timer once, never before its deadline and at most one tick (1 ms) plus a turn
/// after it. Called on: owning reactor.
class timer_wheel {
  public:
    explicit timer_wheel(instant start) noexcept;
    ~timer_wheel();
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    /// Arms `t`, or moves its deadline when it is armed. A deadline in the past fires at the next
    /// advance().
    void arm(timer& t, instant deadline) noexcept;
    /// Does nothing when `t` is not armed.
    void cancel(timer& t) noexcept;
    /// Fires what is due at `now`; returns how many. Handlers may arm and cancel any timer.
    std::uint32_t advance(instant now) noexcept;
    /// A time not later than the first deadline's firing, or `never` when nothing is armed.
    [[nodiscard]] instant next_wakeup() const noexcept;

    static constexpr instant never = instant::max();

  private:
    static constexpr unsigned level_bits = 6;
    static constexpr unsigned slots = 1u << level_bits;
    static constexpr unsigned levels =
        5;  // 2^30 ms: twelve days; later deadlines are re-armed on the way
    static constexpr std::uint8_t due_level = 0xff;  // level_ of a timer in due_
    using slot_list = intrusive_list<timer, &timer::hook_>;

    [[nodiscard]] std::uint64_t tick_of(instant at) const noexcept;
    void place(timer& t) noexcept;
    void cascade(unsigned level) noexcept;
    void step_to(std::uint64_t next) noexcept;

    instant start_;
    std::uint64_t current_ = 0;  // all ticks before this one have been handled
    std::array<std::uint64_t, levels> occupied_{};
    std::array<std::array<slot_list, slots>, levels> wheel_;
    slot_list due_;  // being fired
};

}  // namespace fulmar::engine
