#include "drive_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

namespace fulmar::model::drives {

namespace {

using S = drive_stage;

void demand(world& w, bool holds, std::string_view what) {
    if (!holds && w.wrong.empty()) w.wrong = what;
}

bool all_queues(const world& w, queue where) {
    return std::ranges::all_of(w.queues, [&](queue q) { return q == where; });
}

bool queues_home(const world& w) {
    return !w.passing && std::ranges::none_of(w.queues, [](queue q) {
        return q == queue::on_its_way || q == queue::on_its_way_back;
    });
}

bool gives_up_queues(const world& w) {
    return has_edge(backend::pcie::stage_edges, w.life.stage, backend::pcie::stage_event::unlinked);
}

void apply(world& w, const drive_input& input);

void check_unlinked(world& w) {
    if (gives_up_queues(w) && !w.passing && all_queues(w, queue::none))
        apply(w, {.what = drive_message::unlinked, .probing = w.probing});
}

void start(world& w) {
    demand(w, w.life.stage == S::absent && !w.session, "two incarnations at once");
    demand(w, !w.kept_away, "what an operator took away is brought up");
    demand(w, !w.claimed || w.asked_again, "a drive that the kernel wants is taken back");
    w.retry_armed = w.asked_again = w.claimed = false;
    w.starting = true;
}

void record_loss(world& w) {
    demand(w, !w.loss_recorded, "two losses of one incarnation");
    w.loss_recorded = true;
}

void begin_release(world& w) {
    demand(w, w.session && w.at_work == job::none, "a release begins during another job");
    w.beginning_release = true;
}

void tell_lost(world& w) {
    demand(w, !w.lost_told, "a loss is told twice");
    demand(w, w.loss_recorded, "a loss that is none is told");
    w.lost_told = true;
    w.told = false;
}

void end_session(world& w) {
    demand(w, w.session, "an incarnation ends twice");
    demand(w, w.at_work == job::none && !w.probing, "an incarnation ends under a job of it");
    demand(w, all_queues(w, queue::none) && !w.passing, "an incarnation ends under a reactor");
    demand(w, !w.watching, "descriptors of an incarnation that has ended are watched");
    demand(w, !w.told, "a device serves without a drive");
    demand(w, w.loss_recorded, "an incarnation ends without a loss");
    w.session = false;
}

void perform(world& w, drive_action what) {
    demand(w, !w.gone, "a drive that has gone acts");
    switch (what) {
        case drive_action::doubt_caches:
        case drive_action::forget_refusal:
        case drive_action::tell_arrived:
        case drive_action::tell_attached:
        case drive_action::tell_detached:
        case drive_action::give_reason:
        case drive_action::count_drain:
        case drive_action::count_late:
        case drive_action::tell_released: return;
        case drive_action::cancel_retry: w.retry_armed = false; return;
        case drive_action::start: return start(w);
        case drive_action::arm_retry: w.retry_armed = true; return;
        case drive_action::cancel:
            return demand(w, w.at_work == job::attaching, "nobody is there to hurry");
        case drive_action::link: w.queues.fill(queue::on_its_way); return;
        case drive_action::serve: w.told = true; return;
        case drive_action::shut: return;
        case drive_action::stop_watching: w.watching = false; return;
        case drive_action::record_loss: return record_loss(w);
        case drive_action::begin_drain: w.drain_armed = w.passing = true; return;
        case drive_action::end_drain: w.drain_armed = false; return;
        case drive_action::begin_release: return begin_release(w);
        case drive_action::arm_release: w.release_armed = true; return;
        case drive_action::tell_lost: return tell_lost(w);
        case drive_action::unlink:
            for (queue& q : w.queues)
                if (q == queue::there && !w.passing) q = queue::on_its_way_back;
            return check_unlinked(w);
        case drive_action::end_session: return end_session(w);
        case drive_action::destroy:
            demand(w, w.life.stage == S::absent && !w.session, "a drive goes with its session");
            w.gone = true;
            return;
    }
}

void apply(world& w, const drive_input& input) {
    const backend::pcie::drive_step step = next(w.life, input);
    demand(w, step.possible, "an assertion fails: a table has no such edge");
    w.life = step.life;
    for (const drive_action what : step) perform(w, what);
    // What the daemon does at once on its own turn counts as later: the same reports may come.
}

// on_link_home() of the owner.
void queue_comes_home(world& w, std::size_t which) {
    queue& q = w.queues[which];
    q = q == queue::on_its_way ? queue::there : queue::none;
    if (gives_up_queues(w) && q == queue::there) {
        q = queue::on_its_way_back;
        return;
    }
    if (!queues_home(w)) return;
    if (w.life.stage == S::linking) return apply(w, {.what = drive_message::linked});
    check_unlinked(w);
}

void messages_have_passed(world& w) {
    w.passing = false;
    if (!gives_up_queues(w)) return;
    for (queue& q : w.queues)
        if (q == queue::there) q = queue::on_its_way_back;
}

// on_attached() of the owner: `found` is what accept() says.
void bring_up_ends(world& w, bool kernel_wants_it, loss_cause found) {
    w.at_work = job::none;
    loss_cause cause = unwanted(w.life, kernel_wants_it);
    if (cause == loss_cause::none) {
        cause = found;
        w.watching = true;  // perhaps of one descriptor only
    }
    if (cause == loss_cause::none) return apply(w, {.what = drive_message::up});
    apply(w, {.what = drive_message::failed, .cause = cause, .may_reset = w.may_reset});
}

void closes(world& w, bool kernel_wants_it) {
    w.at_work = job::none;
    if (kernel_wants_it && wants_reset(w.life.cause)) w.claimed = true;
    apply(
        w,
        {.what = drive_message::closed, .kernel_wants_it = kernel_wants_it, .probing = w.probing});
}

using adder = std::function<void(std::string, bool, const std::function<void(world&)>&)>;

void add_answers(const world& w, const adder& add) {
    if (w.starting) {
        add("its helper thread begins to bring it up", true, [](world& t) {
            t.starting = false;
            t.session = true;
            t.at_work = job::attaching;
            t.loss_recorded = t.lost_told = false;
            apply(t, {.what = drive_message::begun});
        });
        add("no drive is there", true, [](world& t) {
            t.starting = false;
            apply(t, {.what = drive_message::not_begun});
        });
        return;
    }
    add("its helper thread begins to give it back", true, [](world& t) {
        t.beginning_release = false;
        t.at_work = job::releasing;
    });
    add("no thread can be had to give it back", true, [](world& t) {
        t.beginning_release = false;
        apply(t, {.what = drive_message::no_thread});
    });
}

void add_jobs(const world& w, const adder& add) {
    if (w.at_work == job::attaching)
        for (const bool asked : {false, true})
            for (const loss_cause found :
                 {loss_cause::none, loss_cause::bring_up_failed, loss_cause::other_drive})
                add(fmt::format("the bring-up ends ({}{})", backend::to_string(found),
                                asked ? ", the kernel wants it" : ""),
                    true, [=](world& t) { bring_up_ends(t, asked, found); });
    if (w.at_work == job::releasing)
        add("it can reach no memory", true, [](world& t) {
            t.at_work = job::closing;
            apply(t, {.what = drive_message::quiet});
        });
    if (w.at_work == job::closing)
        for (const bool asked : {false, true})
            add(asked ? "it is closed, and the kernel wants it" : "it is closed", true,
                [=](world& t) { closes(t, asked); });
    if (w.probing)
        add("the look at its registers ends", true, [](world& t) {
            t.probing = false;
            apply(t, {.what = drive_message::probed});
        });
    else if (w.life.stage == S::serving)
        add("somebody looks at its registers", false, [](world& t) { t.probing = true; });
}

void add_reactors(const world& w, const adder& add) {
    for (std::size_t i = 0; i < w.queues.size(); ++i)
        if (w.queues[i] == queue::on_its_way || w.queues[i] == queue::on_its_way_back)
            add(fmt::format("reactor {} answers about its queue", i), true,
                [i](world& t) { queue_comes_home(t, i); });
    if (w.passing) add("the messages of the drain have passed", true, messages_have_passed);
}

void add_timers(const world& w, const adder& add) {
    if (w.drain_armed)
        add("the drain is over", true, [](world& t) {
            demand(t, t.life.stage == S::draining, "a drain goes on that has ended");
            t.drain_armed = false;
            apply(t, {.what = drive_message::drained});
        });
    if (w.release_armed)
        add("time to try the release again", true, [](world& t) {
            t.release_armed = false;
            apply(t, {.what = drive_message::timer});
        });
    if (w.retry_armed)
        add("time to try again", false, [](world& t) {
            t.retry_armed = false;
            apply(t, {.what = drive_message::timer});
        });
}

loss_cause cause_of(report what) {
    switch (what) {
        case report::request: return loss_cause::removal_requested;
        case report::bus_error: return loss_cause::bus_error;
        case report::removed: return loss_cause::removed;
        case report::silent_zeros:
        case report::silent_ones: return loss_cause::silent;
        case report::fatal: return loss_cause::fatal_status;
        case report::stuck: return loss_cause::timed_out;
        case report::hostile: return loss_cause::hostile;
        case report::detach:
        case report::drain:
        case report::arrival:
        case report::attach:
        case report::retire: break;
    }
    return loss_cause::none;
}

drive_message message_of(report what) {
    switch (what) {
        case report::detach: return drive_message::detach;
        case report::drain: return drive_message::drain;
        case report::arrival: return drive_message::arrive;
        case report::attach: return drive_message::attach;
        case report::retire: return drive_message::retire;
        default: return drive_message::lose;
    }
}

// Each report of a loss is recorded, kept for the end of the bring-up, or counted as late.
void check_counted(world& w, const world& before, const drive_input& input) {
    const backend::pcie::drive_step step = next(before.life, input);
    const bool late = std::ranges::count(step, drive_action::count_late) != 0;
    const bool recorded = std::ranges::count(step, drive_action::record_loss) != 0;
    const bool kept = before.life.stage == S::attaching && step.life.stage == S::cancelling;
    demand(w, int{late} + int{recorded} + int{kept} == 1, "a report of a loss is not counted once");
    const bool doubted = std::ranges::count(step, drive_action::doubt_caches) != 0;
    demand(w, doubted != keeps_cache(input.cause), "what was not flushed is trusted, or is not");
    demand(w, w.life.stage != S::draining, "whoever wants a drive waits until it is idle");
}

}  // namespace

std::strong_ordering operator<=>(const world& a, const world& b) {
    const auto key = [](const world& w) {
        return std::tuple(w.life.goal, w.life.stage, w.life.cause, w.at_work, w.queues, w.passing,
                          w.probing, w.retry_armed, w.release_armed, w.drain_armed, w.starting,
                          w.beginning_release, w.session, w.watching, w.told, w.gone,
                          w.loss_recorded, w.lost_told, w.kept_away, w.asked_again, w.claimed,
                          w.may_reset, w.given, w.wrong);
    };
    return key(a) <=> key(b);
}

std::string_view to_string(report what) noexcept {
    constexpr std::array<std::string_view, reports_of_drives + 1> names{
        "request", "bus error", "removed", "silent (zeros)", "silent (ones)", "fatal", "stuck",
        "hostile", "detach",    "drain",   "arrival",        "attach",        "retire"};
    return names[static_cast<std::size_t>(what)];
}

void give(world& w, report what, bool may_reset) {
    ++w.given;
    w.may_reset = may_reset;
    const world before = w;
    const drive_message message = message_of(what);
    if (message == drive_message::detach || message == drive_message::drain ||
        message == drive_message::retire) {
        w.kept_away = true;
        w.asked_again = false;
    }
    if (message == drive_message::attach && w.life.goal != drive_goal::retired) w.kept_away = false;
    const bool returns = message == drive_message::attach || message == drive_message::arrive;
    // Where the drive is there or comes, nobody owes it anything.
    const bool comes = w.life.stage == S::attaching || w.life.stage == S::linking ||
                       w.life.stage == S::serving || w.life.stage == S::absent;
    if (returns && !w.kept_away && !comes) w.asked_again = true;
    if (returns && !w.kept_away && w.life.stage == S::absent) w.claimed = false;
    const drive_input input{.what = message, .cause = cause_of(what), .may_reset = may_reset};
    apply(w, input);
    if (message == drive_message::lose && !w.gone) check_counted(w, before, input);
    if (w.kept_away) {
        const drive_goal goal = w.life.goal;
        demand(w, goal == drive_goal::detached || goal == drive_goal::retired,
               "what an operator took away is wanted");
    }
}

std::vector<move> moves(const world& w) {
    std::vector<move> all;
    if (w.gone) return all;
    const adder add = [&](std::string what, bool by_itself,
                          const std::function<void(world&)>& how) {
        world then = w;
        how(then);
        all.push_back({std::move(what), std::move(then), by_itself});
    };
    if (w.starting || w.beginning_release) {
        add_answers(w, add);
        return all;
    }
    add_jobs(w, add);
    add_reactors(w, add);
    add_timers(w, add);
    return all;
}

std::string_view wrong_at_rest(const world& w) {
    if (w.gone) return w.session ? "a drive has gone, and is open" : "";
    if (w.life.goal == drive_goal::retired) return "a drive that nobody wants is kept";
    if (w.life.stage == S::serving) {
        if (w.life.goal != drive_goal::served || w.kept_away)
            return "a drive serves, and is not wanted";
        if (!w.told || !w.watching || !w.session) return "a drive serves, and nobody knows";
        return all_queues(w, queue::there) ? "" : "a drive serves without queues";
    }
    if (w.life.stage != S::absent) return "a drive neither serves nor is absent";
    if (w.session || w.told) return "a drive is absent, and open";
    if (w.asked_again) return "a return is forgotten";
    if (w.kept_away != (w.life.goal == drive_goal::detached))
        return "an operator's word is forgotten";
    if (w.retry_armed != (w.life.goal == drive_goal::served))
        return "a drive is wanted and not tried, or tried and not wanted";
    return "";
}

world first_world() {
    world w;
    apply(w, {.what = drive_message::attach});
    return w;
}

}  // namespace fulmar::model::drives
