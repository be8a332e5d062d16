// What the states, events, messages and actions of a drive are called.
#include "drive_life.hpp"

namespace fulmar::backend {

std::string_view to_string(loss_cause cause) noexcept {
    switch (cause) {
        case loss_cause::none: return "none";
        case loss_cause::removal_requested: return "removal-requested";
        case loss_cause::bus_error: return "bus-error";
        case loss_cause::removed: return "removed";
        case loss_cause::silent: return "silent";
        case loss_cause::fatal_status: return "fatal-status";
        case loss_cause::timed_out: return "timed-out";
        case loss_cause::hostile: return "hostile";
        case loss_cause::detached: return "detached";
        case loss_cause::bring_up_failed: return "bring-up-failed";
        case loss_cause::other_drive: return "other-drive";
    }
    return "?";
}

std::string_view to_string(drive_state state) noexcept {
    switch (state) {
        case drive_state::absent: return "absent";
        case drive_state::attaching: return "attaching";
        case drive_state::linking: return "linking";
        case drive_state::ready: return "ready";
        case drive_state::releasing: return "releasing";
    }
    return "?";
}

std::string_view to_string(drive_occurrence what) noexcept {
    switch (what) {
        case drive_occurrence::arrived: return "arrived";
        case drive_occurrence::ready: return "ready";
        case drive_occurrence::returned: return "returned";
        case drive_occurrence::lost: return "lost";
        case drive_occurrence::refused: return "refused";
        case drive_occurrence::detached: return "detached";
        case drive_occurrence::attached: return "attached";
        case drive_occurrence::released: return "released";
    }
    return "?";
}

}  // namespace fulmar::backend

namespace fulmar::backend::pcie {

std::string_view to_string(drive_goal goal) noexcept {
    switch (goal) {
        case drive_goal::served: return "served";
        case drive_goal::reset: return "reset";
        case drive_goal::reattached: return "reattached";
        case drive_goal::awaited: return "awaited";
        case drive_goal::detached: return "detached";
        case drive_goal::retired: return "retired";
    }
    return "?";
}

std::string_view to_string(goal_event event) noexcept {
    switch (event) {
        case goal_event::attach: return "attach";
        case goal_event::attach_next: return "attach next";
        case goal_event::begin: return "begin";
        case goal_event::reset: return "reset";
        case goal_event::leave: return "leave";
        case goal_event::detach: return "detach";
        case goal_event::retire: return "retire";
    }
    return "?";
}

std::string_view to_string(drive_stage stage) noexcept {
    switch (stage) {
        case drive_stage::absent: return "absent";
        case drive_stage::attaching: return "attaching";
        case drive_stage::cancelling: return "cancelling";
        case drive_stage::linking: return "linking";
        case drive_stage::serving: return "serving";
        case drive_stage::draining: return "draining";
        case drive_stage::release_pending: return "release pending";
        case drive_stage::silencing: return "silencing";
        case drive_stage::unlinking: return "unlinking";
        case drive_stage::closing: return "closing";
        case drive_stage::closed: return "closed";
        case drive_stage::given_back: return "given back";
    }
    return "?";
}

std::string_view to_string(stage_event event) noexcept {
    switch (event) {
        case stage_event::attach: return "attach";
        case stage_event::up: return "up";
        case stage_event::fail: return "fail";
        case stage_event::linked: return "linked";
        case stage_event::lose: return "lose";
        case stage_event::drain: return "drain";
        case stage_event::drained: return "drained";
        case stage_event::no_thread: return "no thread";
        case stage_event::retry: return "retry";
        case stage_event::quiet: return "quiet";
        case stage_event::unlinked: return "unlinked";
        case stage_event::closed: return "closed";
        case stage_event::end: return "end";
    }
    return "?";
}

std::string_view to_string(presence where) noexcept {
    switch (where) {
        case presence::missing: return "missing";
        case presence::found: return "found";
        case presence::open: return "open";
    }
    return "?";
}

std::string_view to_string(presence_event event) noexcept {
    switch (event) {
        case presence_event::find: return "find";
        case presence_event::open: return "open";
        case presence_event::lose: return "lose";
        case presence_event::withdraw: return "withdraw";
    }
    return "?";
}

std::string_view to_string(drive_message what) noexcept {
    switch (what) {
        case drive_message::arrive: return "arrive";
        case drive_message::attach: return "attach";
        case drive_message::detach: return "detach";
        case drive_message::drain: return "drain";
        case drive_message::retire: return "retire";
        case drive_message::lose: return "lose";
        case drive_message::begun: return "begun";
        case drive_message::not_begun: return "not begun";
        case drive_message::up: return "up";
        case drive_message::failed: return "failed";
        case drive_message::linked: return "linked";
        case drive_message::drained: return "drained";
        case drive_message::no_thread: return "no thread";
        case drive_message::quiet: return "quiet";
        case drive_message::unlinked: return "unlinked";
        case drive_message::closed: return "closed";
        case drive_message::probed: return "probed";
        case drive_message::timer: return "timer";
    }
    return "?";
}

std::string_view to_string(drive_action what) noexcept {
    switch (what) {
        case drive_action::doubt_caches: return "doubt caches";
        case drive_action::forget_refusal: return "forget refusal";
        case drive_action::tell_arrived: return "tell arrived";
        case drive_action::tell_attached: return "tell attached";
        case drive_action::tell_detached: return "tell detached";
        case drive_action::give_reason: return "give reason";
        case drive_action::cancel_retry: return "cancel retry";
        case drive_action::start: return "start";
        case drive_action::arm_retry: return "arm retry";
        case drive_action::cancel: return "cancel";
        case drive_action::link: return "link";
        case drive_action::serve: return "serve";
        case drive_action::count_late: return "count late";
        case drive_action::shut: return "shut";
        case drive_action::stop_watching: return "stop watching";
        case drive_action::record_loss: return "record loss";
        case drive_action::begin_drain: return "begin drain";
        case drive_action::end_drain: return "end drain";
        case drive_action::begin_release: return "begin release";
        case drive_action::arm_release: return "arm release";
        case drive_action::tell_lost: return "tell lost";
        case drive_action::unlink: return "unlink";
        case drive_action::count_drain: return "count drain";
        case drive_action::end_session: return "end session";
        case drive_action::tell_released: return "tell released";
        case drive_action::destroy: return "destroy";
    }
    return "?";
}

}  // namespace fulmar::backend::pcie
