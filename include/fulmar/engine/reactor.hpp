// One event loop, as an object: a thread calls run(), the simulator calls run_once().
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/flight_recorder.hpp>
#include <fulmar/engine/mailbox.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

struct epoll_event;

namespace fulmar::engine {

/// Counters of one reactor; written by it alone, readable from any thread.
struct reactor_counters {
    std::atomic<std::uint64_t> turns{0};
    std::atomic<std::uint64_t> busy_turns{0};
    std::atomic<std::uint64_t> sleeps{0};
    std::atomic<std::uint64_t> messages{0};
    std::atomic<std::uint64_t> timers_fired{0};
    std::atomic<std::uint64_t> longest_turn_ns{0};
};

/// Polls while there is work, and for `busy_window` after it; then blocks in one wait that any
/// watched descriptor, message or timer ends.
class reactor {
  public:
    struct options {
        reactor_id id{};
        duration busy_window = std::chrono::microseconds(100);
        const clock_source* clock = nullptr;  ///< outlives the reactor
        bool descriptors = true;  ///< false in the simulator: no epoll set, never blocks
    };

    /// Errors: no_memory when the kernel refuses descriptors.
    static result<std::unique_ptr<reactor>> create(const options& opts);
    ~reactor();
    reactor(const reactor&) = delete;
    reactor& operator=(const reactor&) = delete;

    [[nodiscard]] reactor_id id() const noexcept { return options_.id; }
    [[nodiscard]] const reactor_counters& counters() const noexcept { return counters_; }
    /// Called on: any thread, for reading.
    [[nodiscard]] const flight_recorder& flight() const noexcept { return flight_; }

    /// Sends `m` here and wakes the reactor when it sleeps.  Called on: any thread.
    post_result post(message& m) noexcept;

    /// Asks run() to return after the current turn.  Called on: any thread.
    void stop() noexcept;

    /// One turn; returns true when anything was done.  Called on: owning thread.
    bool run_once() noexcept;
    /// Turns and sleeps until stop().  Called on: owning thread.
    void run() noexcept;

    // Everything below is called on the owning reactor only (or before its thread starts).

    /// The time at the start of this turn; `fresh_now()` reads the clock.
    [[nodiscard]] instant now() const noexcept { return now_; }
    [[nodiscard]] instant fresh_now() const noexcept { return options_.clock->now(); }
    [[nodiscard]] timer_wheel& timers() noexcept { return timers_; }
    /// Something for the flight recorder.
    void note(const flight_note& what) noexcept { flight_.note(now_, what); }

    /// Both may be called from inside poll(), for any poller.
    void add(poller& p, stage s) noexcept;
    void remove(poller& p, stage s) noexcept;

    /// Waits for `events` (EPOLLIN, EPOLLET, …) on `fd`.  Errors: no_memory, or what the kernel
    /// says of `fd`.
    result<void> watch(descriptor_watch& w, int fd, std::uint32_t events) noexcept;
    void unwatch(descriptor_watch& w) noexcept;

    /// Looks at the watched descriptors without blocking, now and not at the next interval; returns
    /// true when any was ready.
    bool poll_descriptors() noexcept;

    /// The last time that the reactor should have run and did not (a stopped process, a starved
    /// CPU, one very long turn).
    struct stall {
        instant end{};
        duration length{};
    };
    /// Only stalls of at least `stall_threshold` are kept.
    [[nodiscard]] const stall& last_stall() const noexcept { return last_stall_; }
    static constexpr duration stall_threshold = std::chrono::milliseconds(50);

    /// The reactor whose run_once() is on this thread's stack, or null.
    static reactor* current() noexcept;

  private:
    explicit reactor(const options& opts);
    bool run_stages() noexcept;
    bool dispatch_descriptors(int timeout_ms) noexcept;
    void sleep() noexcept;
    [[nodiscard]] int sleep_timeout_ms() const noexcept;
    void note_gap(instant expected) noexcept;
    void wake_up() noexcept;

    static constexpr duration descriptor_interval = std::chrono::microseconds(20);

    options options_;
    reactor_counters counters_;
    flight_recorder flight_;
    // Other threads write these.
    alignas(limits::cache_line) mailbox mailbox_;
    alignas(limits::cache_line) std::atomic<bool> sleeping_{false};
    std::atomic<bool> stopping_{false};
    alignas(limits::cache_line) instant now_;
    stall last_stall_;
    instant last_work_;
    instant last_descriptors_;
    timer_wheel timers_;
    std::array<intrusive_list<poller, &poller::hook_>, stage_count> pollers_;
    poller* next_ = nullptr;  // in the stage that is being polled
    unique_fd epoll_;
    unique_fd wakeup_;
    descriptor_watch wakeup_watch_;
    std::unique_ptr<epoll_event[]> events_;
    std::span<epoll_event> batch_;  // events being dispatched: unwatch() blanks its own
};

}  // namespace fulmar::engine
