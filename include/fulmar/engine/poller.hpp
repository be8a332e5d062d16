// What a reactor turns over: a piece of work that is polled, and that can say when sleeping is
// safe.
#pragma once

#include <fulmar/base/intrusive.hpp>

#include <cstdint>

namespace fulmar::engine {

/// The order inside a turn. Reap before receive: completions free the buffers and slots that
/// receive will want. Submit after receive: one doorbell for the batch. Flush then: one send per
/// connection and turn. Settle last: whatever a device has lent for the turn is out of every send
/// queue by then, so that it may be told to go.
enum class stage : std::uint8_t { reap, receive, submit, flush, settle };
inline constexpr unsigned stage_count = 5;

/// Called on: owning reactor, all methods.
class poller {
  public:
    /// Does what is there to do, bounded; returns true when anything was done.
    virtual bool poll() noexcept = 0;

    /// True when poll() would find work; asked after try_sleep() by the sleep handshake. No side
    /// effects.
    [[nodiscard]] virtual bool has_work() noexcept { return false; }

    /// Asked before the reactor blocks: arms whatever will end the wait (an interrupt, an eventfd)
    /// and returns true, or returns false when the poller cannot be woken right now and must go on
    /// being polled.
    virtual bool try_sleep() noexcept { return true; }

    /// The wait is over; undoes try_sleep().
    virtual void wake() noexcept {}

  protected:
    virtual ~poller() = default;

  private:
    friend class reactor;
    list_hook hook_;
};

}  // namespace fulmar::engine
