// What follows from a message about a drive: one pure function over plain values, which the owner
// of the drive, the model and docs/drive_states.md ask alike.
#pragma once

#include "drive_states.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fulmar::backend::pcie {

/// All that decides what becomes of a drive.
struct drive_life {
    drive_goal goal = drive_goal::awaited;
    drive_stage stage = drive_stage::absent;
    /// Why the present incarnation ends, by the first report; none: it does not end.
    loss_cause cause = loss_cause::none;

    friend bool operator==(const drive_life&, const drive_life&) = default;
};

enum class drive_message : std::uint8_t {
    // Of the kernel and of operators.
    arrive,  ///< the kernel found a drive there
    attach,
    detach,
    drain,
    retire,  ///< the last device on it goes
    lose,    ///< with a cause
    // Of what the owner has begun.
    begun,      ///< the helper thread brings it up
    not_begun,  ///< no drive is there, or no thread can be had
    up,
    failed,     ///< to come up: with a cause
    linked,     ///< every reactor has its queue
    drained,    ///< nothing is at it any more, or that took too long
    no_thread,  ///< for its release
    quiet,      ///< it can reach no memory
    unlinked,   ///< no reactor has a queue of it
    closed,     ///< the kernel has it back
    probed,     ///< a look at its registers has ended
    timer,      ///< arm_retry or arm_release
};
inline constexpr std::size_t drive_message_count =
    static_cast<std::size_t>(drive_message::timer) + 1;

/// A message, and what must be known to judge it.
struct drive_input {
    drive_message what{};
    loss_cause cause = loss_cause::none;  ///< of lose and failed
    bool may_reset = false;               ///< of lose and failed: it was not reset too often
    bool kernel_wants_it = false;         ///< of closed: the kernel has asked for it meanwhile
    bool probing = false;                 ///< of unlinked and closed: a look is under way
};

/// What the owner does, in this order.
enum class drive_action : std::uint8_t {
    doubt_caches,    ///< what was not flushed may be gone with the drive's power
    forget_refusal,  ///< the next refusal is news, whatever it says
    tell_arrived,
    tell_attached,
    tell_detached,
    give_reason,    ///< why it stays away
    cancel_retry,   ///< of arm_retry
    start,          ///< answered by begun or not_begun
    arm_retry,      ///< drive::retry_interval
    cancel,         ///< the helper thread stops soon
    link,           ///< answered by linked
    serve,          ///< tells the devices
    count_late,     ///< a report of a loss that is known
    shut,           ///< no operation goes to it any more
    stop_watching,  ///< for requests of the kernel
    record_loss,    ///< … and tells the observer
    begin_drain,    ///< answered by drained
    end_drain,
    begin_release,  ///< answered by quiet and closed, or by no_thread
    arm_release,    ///< drive::watch_interval
    tell_lost,      ///< the devices
    unlink,         ///< answered by unlinked
    count_drain,    ///< how long it took until nothing was outstanding
    end_session,    ///< nothing of the incarnation is left
    tell_released,
    destroy,
};

[[nodiscard]] std::string_view to_string(drive_message what) noexcept;
[[nodiscard]] std::string_view to_string(drive_action what) noexcept;

struct drive_step {
    drive_life life;
    /// False: the message cannot come then, and the owner has made a mistake.
    bool possible = true;
    std::array<drive_action, 8> actions{};
    std::size_t count = 0;

    [[nodiscard]] const drive_action* begin() const noexcept { return actions.data(); }
    [[nodiscard]] const drive_action* end() const noexcept { return actions.data() + count; }
};

/// Pure; any thread.
[[nodiscard]] drive_step next(const drive_life& now, const drive_input& input) noexcept;

/// The public summary of a stage.
[[nodiscard]] drive_state state_of(drive_stage stage) noexcept;
/// An operator wants it to stay away, or nobody wants it.
[[nodiscard]] constexpr bool kept_away(drive_goal goal) noexcept {
    return goal == drive_goal::detached || goal == drive_goal::retired;
}
/// Why what the helper thread has brought up is not wanted; none: it is.
[[nodiscard]] loss_cause unwanted(const drive_life& now, bool kernel_wants_it) noexcept;

/// It is still there, and a reset may help.
[[nodiscard]] bool wants_reset(loss_cause cause) noexcept;
/// A reset of the controller keeps what is in its write cache (NVMe Base 2.0, section 3.7.2), and
/// these end in no more than that. All others may come with a loss of power, which nobody tells.
[[nodiscard]] bool keeps_cache(loss_cause cause) noexcept;
/// It is not there any more, or is somebody else's.
[[nodiscard]] bool has_left(loss_cause cause) noexcept;

}  // namespace fulmar::backend::pcie
