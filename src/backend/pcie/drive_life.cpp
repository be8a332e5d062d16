#include "drive_life.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>

namespace fulmar::backend::pcie {

namespace {

using A = drive_action;
using G = drive_goal;
using S = drive_stage;

/// A step while it is being taken.
class drive_stepper {
  public:
    explicit drive_stepper(const drive_life& now) noexcept : step_{.life = now} {}

    drive_step take(const drive_input& input) noexcept {
        switch (input.what) {
            case drive_message::arrive: arrive(); break;
            case drive_message::attach: attach(); break;
            case drive_message::detach: unbind(stage_event::lose); break;
            case drive_message::drain: unbind(stage_event::drain); break;
            case drive_message::retire: retire(); break;
            case drive_message::lose: lose(input); break;
            case drive_message::begun: begun(); break;
            case drive_message::not_begun: not_begun(); break;
            case drive_message::up: advance(stage_event::up, A::link); break;
            case drive_message::failed: failed(input); break;
            case drive_message::linked: advance(stage_event::linked, A::serve); break;
            case drive_message::drained: end_drain(); break;
            case drive_message::no_thread: advance(stage_event::no_thread, A::arm_release); break;
            case drive_message::quiet: advance(stage_event::quiet, A::unlink); break;
            case drive_message::unlinked: unlinked(input); break;
            case drive_message::closed: closed(input); break;
            case drive_message::probed: end_incarnation(false); break;
            case drive_message::timer: timer(); break;
        }
        return step_;
    }

  private:
    void act(A what) noexcept {
        FULMAR_ASSERT(step_.count < step_.actions.size());
        step_.actions[step_.count++] = what;
    }
    void advance(stage_event on) noexcept {
        const auto to = next_state(stage_edges, stage(), on);
        step_.possible = step_.possible && to.has_value();
        if (to) step_.life.stage = *to;
    }
    void advance(stage_event on, A then) noexcept {
        advance(on);
        act(then);
    }
    void want(goal_event on) noexcept {
        const auto to = next_state(goal_edges, goal(), on);
        step_.possible = step_.possible && to.has_value();
        if (to) step_.life.goal = *to;
    }
    [[nodiscard]] G goal() const noexcept { return step_.life.goal; }
    [[nodiscard]] S stage() const noexcept { return step_.life.stage; }
    [[nodiscard]] loss_cause& cause() noexcept { return step_.life.cause; }
    [[nodiscard]] bool has_edge_for(stage_event on) const noexcept {
        return has_edge(stage_edges, stage(), on);
    }

    // --- the kernel and operators ---

    void arrive() noexcept {
        if (goal() == G::retired) return;
        if (stage() != S::serving) act(A::doubt_caches);
        const drive_state seen = state_of(stage());
        if (seen == drive_state::absent || seen == drive_state::releasing) act(A::tell_arrived);
        act(A::forget_refusal);
        if (goal() != G::detached || mutated(mutation::arrivals_attach_detached_drives)) attach();
    }

    void attach() noexcept {
        if (goal() == G::retired) return;
        if (goal() == G::detached) act(A::tell_attached);
        if (stage() == S::absent) {
            if (goal() != G::served) want(goal_event::attach);
            return act(A::start);
        }
        const bool comes = stage() == S::attaching || stage() == S::linking;
        if (comes || stage() == S::serving || goal() == G::reattached) return;
        if (mutated(mutation::returns_during_release_are_forgotten)) return;
        want(goal_event::attach_next);
    }

    void unbind(stage_event how) noexcept {
        if (goal() == G::retired) return;
        if (goal() != G::detached) {
            want(goal_event::detach);
            act(A::tell_detached);
        }
        give_back(how);
    }

    void retire() noexcept {
        if (goal() == G::retired) return;
        want(goal_event::retire);
        give_back(stage_event::lose);
        if (stage() == S::absent) act(A::destroy);
    }

    void give_back(stage_event how) noexcept {
        if (stage() == S::absent) {
            act(A::cancel_retry);
            act(A::give_reason);
        } else if (stage() == S::draining) {
            if (how != stage_event::drain) end_drain();
        } else if (how == stage_event::drain && has_edge_for(how)) {
            act(A::doubt_caches);
            begin_loss(loss_cause::detached);
            advance(how, A::begin_drain);
        } else if (has_edge_for(stage_event::lose) || stage() == S::cancelling) {
            lose({.what = drive_message::lose, .cause = loss_cause::detached});
        }
    }

    void lose(const drive_input& input) noexcept {
        if (!keeps_cache(input.cause)) act(A::doubt_caches);
        if (!has_edge_for(stage_event::lose)) return lose_again(input.cause);
        if (stage() == S::attaching) {  // failed() goes on
            cause() = input.cause;
            return advance(stage_event::lose, A::cancel);
        }
        begin_loss(input.cause);
        judge(input);
        advance(stage_event::lose);
        act(A::stop_watching);
        act(A::begin_release);  // first: whoever wants the drive waits for it
        act(A::tell_lost);
    }

    void lose_again(loss_cause again) noexcept {
        act(A::count_late);
        if (stage() == S::cancelling) return act(A::cancel);
        if (stage() == S::draining) {  // somebody waits for it
            if (again == loss_cause::detached || mutated(mutation::drains_outlast_losses)) return;
            return end_drain();
        }
        if (stage() == S::absent || !mutated(mutation::second_loss_report_releases_again)) return;
        step_.life.stage = S::silencing;
        act(A::begin_release);
    }

    void begin_loss(loss_cause first) noexcept {
        cause() = first;
        act(A::shut);
        act(A::record_loss);
    }

    // Whoever has said since that the drive is there, or that it is to stay away, is right.
    void judge(const drive_input& input) noexcept {
        if (goal() != G::served) return;
        if (has_left(input.cause)) return want(goal_event::leave);
        if (wants_reset(input.cause) && input.may_reset) want(goal_event::reset);
    }

    // --- what the owner has begun ---

    void require(bool holds) noexcept { step_.possible = step_.possible && holds; }

    void begun() noexcept {
        require(goal() == G::served);
        cause() = loss_cause::none;
        advance(stage_event::attach);
    }

    // Absent, and nothing is under way: there may be a reason to try again.
    void not_begun() noexcept {
        require(stage() == S::absent && goal() == G::served);
        act(A::arm_retry);
    }

    void failed(const drive_input& input) noexcept {
        const bool of_itself =
            input.cause == loss_cause::bring_up_failed || input.cause == loss_cause::other_drive;
        require(of_itself ? stage() == S::attaching
                          : input.cause == unwanted(step_.life, false) ||
                                input.cause == unwanted(step_.life, true));
        if (!keeps_cache(input.cause)) act(A::doubt_caches);
        cause() = input.cause;
        judge(input);
        advance(stage_event::fail);
        act(A::stop_watching);
        act(A::record_loss);
        act(A::begin_release);
    }

    void end_drain() noexcept {
        advance(stage_event::drained);
        act(A::stop_watching);
        act(A::end_drain);
        act(A::begin_release);
        act(A::tell_lost);
    }

    void unlinked(const drive_input& input) noexcept {
        advance(stage_event::unlinked);
        if (cause() != loss_cause::bring_up_failed) act(A::count_drain);
        end_incarnation(input.probing);
    }

    void closed(const drive_input& input) noexcept {
        const bool tried_again = goal() == G::served || goal() == G::reset;
        if (input.kernel_wants_it && wants_reset(cause()) && tried_again) want(goal_event::leave);
        advance(stage_event::closed);
        end_incarnation(input.probing);
    }

    void end_incarnation(bool probing) noexcept {
        if (stage() != S::given_back || probing) return;
        advance(stage_event::end, A::end_session);
        act(A::tell_released);
        if (goal() == G::retired) return act(A::destroy);
        if (goal() == G::served) return act(A::arm_retry);
        if (goal() != G::reset && goal() != G::reattached) return;
        want(goal_event::begin);
        act(A::start);
    }

    void timer() noexcept {
        if (stage() == S::release_pending) return advance(stage_event::retry, A::begin_release);
        if (stage() == S::absent && goal() == G::served) act(A::start);
    }

    drive_step step_;
};

}  // namespace

drive_step next(const drive_life& now, const drive_input& input) noexcept {
    return drive_stepper(now).take(input);
}

drive_state state_of(drive_stage stage) noexcept {
    switch (stage) {
        case S::absent: return drive_state::absent;
        case S::attaching:
        case S::cancelling: return drive_state::attaching;
        case S::linking: return drive_state::linking;
        case S::serving: return drive_state::ready;
        case S::draining:
        case S::release_pending:
        case S::silencing:
        case S::unlinking:
        case S::closing:
        case S::closed:
        case S::given_back: return drive_state::releasing;
    }
    return drive_state::absent;
}

loss_cause unwanted(const drive_life& now, bool kernel_wants_it) noexcept {
    if (kept_away(now.goal)) return loss_cause::detached;
    return kernel_wants_it ? loss_cause::removal_requested : now.cause;
}

bool wants_reset(loss_cause cause) noexcept {
    return cause == loss_cause::bus_error || cause == loss_cause::fatal_status ||
           cause == loss_cause::timed_out || cause == loss_cause::hostile;
}

bool keeps_cache(loss_cause cause) noexcept {
    return cause == loss_cause::timed_out || cause == loss_cause::hostile;
}

bool has_left(loss_cause cause) noexcept {
    return cause == loss_cause::removal_requested || cause == loss_cause::removed ||
           cause == loss_cause::silent || cause == loss_cause::other_drive;
}

}  // namespace fulmar::backend::pcie
