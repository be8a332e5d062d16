#include "drive.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

namespace fulmar::backend::pcie {

namespace {

const char* explain(loss_cause cause) noexcept {
    switch (cause) {
        case loss_cause::none: return "nothing is known";
        case loss_cause::removal_requested: return "the kernel asked for it";
        case loss_cause::bus_error: return "the bus reported an error of it";
        case loss_cause::removed: return "the kernel says that it is gone";
        case loss_cause::silent: return "its registers read as if it were gone";
        case loss_cause::fatal_status: return "it reports a fatal error";
        case loss_cause::timed_out: return "it did not complete its commands in time";
        case loss_cause::hostile: return "it completes commands that nobody sent";
        case loss_cause::detached: return "an operator took it away";
        case loss_cause::bring_up_failed: return "it could not be brought up";
        case loss_cause::other_drive: return "another drive is in its place";
    }
    return "nothing is known";
}

std::uint64_t us_between(instant from, instant to) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

}  // namespace

// --- links ---------------------------------------------------------------------------------------

drive::queue_binding::queue_binding(drive& d, engine::reactor& r) noexcept
    : message(nullptr), owner(&d), place(r) {}

void drive::queue_binding::send(errand what) noexcept {
    on = what;
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<queue_binding&>(m);
        if (self.on == errand::move && self.queue != nullptr)
            self.place.bind(*self.queue, *self.view, self.interrupt_fd, self.mask);
        else if (self.on == errand::move)
            self.place.unbind();
        self.set_handler([](engine::message& home) noexcept {
            auto& back = static_cast<queue_binding&>(home);
            back.on = errand::none;
            back.owner->on_link_home(back);
        });
        self.owner->environment_.control->post(self);
    });
    place.reactor().post(*this);
}

drive::drive(const pcie_options& options, const pcie_environment& environment)
    : options_(options), environment_(environment), admin_(*environment.control, *this) {
    for (engine::reactor* r : environment.data)
        queue_bindings_.push_back(std::make_unique<queue_binding>(*this, *r));
}

drive::~drive() {
    environment_.control->timers().cancel(watch_timer_);
    environment_.control->timers().cancel(drain_timer_);
    environment_.control->timers().cancel(retry_timer_);
    stop_listening();
}

void drive::tell(drive_occurrence what, loss_cause cause, std::string_view detail) noexcept {
    if (environment_.observer != nullptr && life_.goal != drive_goal::retired)
        environment_.observer->on_drive_event(options_, what, cause, detail);
}

void drive::refuse(std::string reason, loss_cause cause) noexcept {
    reason_ = std::move(reason);
    if (reason_ == refused_) return;
    refused_ = reason_;
    tell(drive_occurrence::refused, cause, reason_);
}

reactor_queue* drive::place_of(const engine::reactor& r) noexcept {
    for (const auto& l : queue_bindings_)
        if (&l->place.reactor() == &r) return &l->place;
    return nullptr;
}

drive_status drive::status() const {
    return {.state = state(),
            .since = since_,
            .generation = generation_,
            .detached = kept_away(life_.goal),
            .last_loss = last_loss_,
            .reason = serves() ? std::string() : reason_,
            .losses = losses_,
            .late_reports = late_reports_,
            .last_release_us = last_release_us_,
            .last_quiet_us = last_quiet_us_,
            .firmware = firmware_,
            .counters = counters_,
            .events = admin_.events(),
            .aborts = admin_.aborts(),
            .faults = faults_,
            .errors = errors_,
            .health = health_};
}

// --- what follows --------------------------------------------------------------------------------

void drive::apply(const drive_input& input, const std::string& reason) noexcept {
    const drive_step step = next(life_, input);
    FULMAR_ASSERT(step.possible);
    const drive_state before = state();
    life_ = step.life;
    if (state() != before) since_ = now();
    for (const drive_action what : step) perform(what, step.life, reason);  // the last may end it
}

void drive::perform(drive_action what, const drive_life& after,
                    const std::string& reason) noexcept {
    engine::timer_wheel& timers = environment_.control->timers();
    switch (what) {
        case drive_action::doubt_caches: return doubt_caches();
        case drive_action::forget_refusal: return refused_.clear();
        case drive_action::tell_arrived:
            return tell(drive_occurrence::arrived, loss_cause::none,
                        kept_away(after.goal) ? "it stays detached" : std::string_view());
        case drive_action::tell_attached:
            return tell(drive_occurrence::attached, loss_cause::none, {});
        case drive_action::tell_detached:
            return tell(drive_occurrence::detached, loss_cause::detached,
                        explain(loss_cause::detached));
        case drive_action::give_reason: reason_ = explain(loss_cause::detached); return;
        case drive_action::cancel_retry: return timers.cancel(retry_timer_);
        case drive_action::start: return start();
        case drive_action::arm_retry: return arm_retry(retry_interval);
        case drive_action::cancel: return session_->cancel();
        case drive_action::link: return link_all(true);
        case drive_action::serve: return serve();
        case drive_action::count_late: ++late_reports_; return;
        case drive_action::shut: return shut();
        case drive_action::stop_watching: return stop_listening();
        case drive_action::record_loss: return record_loss(after.cause, reason);
        case drive_action::begin_drain: return begin_drain();
        case drive_action::end_drain: return timers.cancel(drain_timer_);
        case drive_action::begin_release: return begin_release();
        case drive_action::arm_release: return arm_retry(watch_interval);
        case drive_action::tell_lost: return tell_lost();
        case drive_action::unlink: return link_all(false);
        case drive_action::count_drain: return counters_.count_drain(us_between(lost_at_, now()));
        case drive_action::end_session: return end_session();
        case drive_action::tell_released: return tell(drive_occurrence::released, last_loss_, {});
        case drive_action::destroy: delete this; return;
    }
}

// --- it comes ------------------------------------------------------------------------------------

void drive::start() noexcept {
    environment_.control->timers().cancel(retry_timer_);
    if (!environment_.provider->present(options_.address)) {
        reason_ = fmt::format("no drive is at {}", options_.address.text());
        return apply({.what = drive_message::not_begun});
    }
    ++generation_;
    std::vector<std::uint32_t> wanted;
    for (const auto& ns : namespaces_) wanted.push_back(ns->wanted_nsid);
    session_ = std::make_unique<drive_session>(*this, options_, environment_, std::move(wanted));
    if (auto begun = session_->begin_attach(); !begun) {
        refuse(begun.error().text());
        session_.reset();
        return apply({.what = drive_message::not_begun});
    }
    apply({.what = drive_message::begun});
}

void drive::on_attached(drive_session& session) noexcept {
    std::optional<refusal> refused;
    if (const loss_cause cause = unwanted(life_, session.removal_seen()); cause != loss_cause::none)
        refused = refusal{cause, explain(cause)};
    else
        refused = accept(session);
    if (!refused) return apply({.what = drive_message::up});
    apply({.what = drive_message::failed, .cause = refused->cause, .may_reset = may_reset()},
          refused->why);
}

std::optional<drive::refusal> drive::accept(drive_session& session) {
    if (session.failure()) return refusal{.why = session.failure()->text()};
    const drive_description& found = session.view().description;
    if (auto known = recognise(found); !known)
        return refusal{loss_cause::other_drive, known.error().text()};
    if (auto taken = take_all(found); !taken)
        return refusal{taken.error().code == errc::conflict ? loss_cause::other_drive
                                                            : loss_cause::bring_up_failed,
                       taken.error().text()};
    using watched_fd = std::pair<engine::descriptor_watch*, int>;
    for (auto [watch, fd] : {watched_fd{&removal_watch_, session.access().removal_fd()},
                             watched_fd{&error_watch_, session.access().error_fd()}})
        if (fd >= 0)
            if (auto watched = environment_.control->watch(*watch, fd, EPOLLIN); !watched)
                return refusal{.why = watched.error().text()};
    known_ = hardware{found.serial, found.model};
    firmware_ = found.firmware;
    return std::nullopt;
}

void drive::link_all(bool up) noexcept {
    for (std::size_t i = 0; i < queue_bindings_.size(); ++i) {
        queue_binding& l = *queue_bindings_[i];
        if (l.on != errand::none) continue;  // on_link_home() goes on with it
        if (!up && l.queue == nullptr) continue;
        l.queue = up ? &session_->queue(i) : nullptr;
        l.view = up ? &session_->view() : nullptr;
        l.interrupt_fd =
            up ? session_->access().interrupt_fd(static_cast<std::uint32_t>(i) + 1) : -1;
        l.mask = up ? session_->access().interrupt_mask(static_cast<std::uint32_t>(i) + 1)
                    : vfio::interrupt_mask();
        l.seen = 0;
        l.since = now();
        l.send(errand::move);
    }
    if (!up) check_unlinked();
}

bool drive::links_home() const noexcept {
    return std::none_of(queue_bindings_.begin(), queue_bindings_.end(),
                        [](const auto& l) { return l->on != errand::none; });
}

void drive::on_link_home(queue_binding& l) noexcept {
    if (has_edge(stage_edges, life_.stage, stage_event::unlinked) && l.queue != nullptr) {
        l.queue = nullptr;
        return l.send(errand::move);
    }
    if (!links_home()) return;
    if (life_.stage == drive_stage::linking) return apply({.what = drive_message::linked});
    check_unlinked();
}

void drive::serve() noexcept {
    last_probe_ = now();
    environment_.control->timers().arm(watch_timer_, now() + watch_interval);
    const drive_description& found = session_->view().description;
    log::info("drive {} at {} is ready: {} {}", options_.name, options_.address.text(), found.model,
              found.serial);
    refused_.clear();
    tell(times_served_++ != 0 ? drive_occurrence::returned : drive_occurrence::ready,
         loss_cause::none, fmt::format("{} {}", found.model, found.serial));
    faults_ = 0;
    health_read_ = now();
    admin_.open(session_->admin_queue(), session_->access().interrupt_fd(0), found);
    admin_.read_smart();
    admin_.read_errors();
    // A listener may do anything but leave.
    for (std::size_t i = 0; i < namespaces_.size() && serves(); ++i) {
        drive_namespace& ns = *namespaces_[i];
        if (ns.where == presence::open) continue;
        if (ns.view.nsid != 0 && ns.reason.empty())
            open(ns);
        else
            look_at(ns);
    }
}

// --- it goes -------------------------------------------------------------------------------------

void drive::shut() noexcept {
    for (const auto& ns : namespaces_) ns->view.lost.store(true, std::memory_order_release);
    admin_.close();
    environment_.control->timers().cancel(watch_timer_);
}

void drive::record_loss(loss_cause cause, const std::string& reason) noexcept {
    last_loss_ = cause;
    reason_ = reason.empty() ? explain(cause) : reason;
    lost_at_ = now();
    if (wants_reset(cause)) count_reset();
    if (cause == loss_cause::bring_up_failed) return refuse(reason_);
    ++losses_;
    ++counters_.losses[static_cast<std::size_t>(cause)];
    if (cause == loss_cause::other_drive) return refuse(reason_, cause);
    if (cause != loss_cause::detached) tell(drive_occurrence::lost, cause, reason_);
}

void drive::stop_listening() noexcept {
    environment_.control->unwatch(removal_watch_);
    environment_.control->unwatch(error_watch_);
}

// What it owes to a Flush it owes for good, unless it was told to shut down and did.
void drive::doubt_caches() noexcept {
    if (mutated(mutation::lost_caches_are_forgotten)) return;
    for (const auto& ns : namespaces_) ns->cache_gone = true;
}

void drive::tell_lost() noexcept {
    const std::string why = fmt::format("{}: {}", to_string(last_loss_), reason_);
    for (std::size_t i = 0; i < namespaces_.size(); ++i) {
        drive_namespace& ns = *namespaces_[i];
        if (ns.where != presence::open) continue;
        ns.advance(presence_event::lose);
        ns.listener->on_drive_lost(why);
    }
}

// Submission has stopped: new commands are answered as of a lost drive, and those at the drive end
// as it says. A message passes through every reactor first: what was under way there to the drive
// is counted by then.
void drive::begin_drain() noexcept {
    drain_until_ = now() + limits::drain_limit;
    for (const auto& l : queue_bindings_) l->send(errand::pass);
    look_at_drain();
}

void drive::look_at_drain() noexcept {
    const bool over =
        links_home() &&
        std::all_of(queue_bindings_.begin(), queue_bindings_.end(), [](const auto& l) {
            return l->place.progress.at_drive.load(std::memory_order_relaxed) == 0;
        });
    if (over || now() >= drain_until_) return apply({.what = drive_message::drained});
    environment_.control->timers().arm(drain_timer_, now() + drain_interval);
}

void drive::begin_release() noexcept {
    const bool orderly =
        last_loss_ == loss_cause::detached || last_loss_ == loss_cause::other_drive;
    if (auto begun = session_->begin_release(orderly); !begun) {
        log::error("drive {}: {}; trying again", options_.name, begun.error().text());
        apply({.what = drive_message::no_thread});
    }
    if (mutated(mutation::drives_are_not_waited_for)) link_all(false);
}

void drive::on_quiet(drive_session&) noexcept {
    last_quiet_us_ = us_between(lost_at_, now());
    apply({.what = drive_message::quiet});
}

void drive::on_released(drive_session& session) noexcept {
    last_release_us_ = us_between(lost_at_, session.closing_at());
    log::info(
        "drive {} at {} is given back after {} us, the kernel took {} us more ({}: {}; its "
        "thread ran after {} us)",
        options_.name, options_.address.text(), last_release_us_,
        us_between(session.closing_at(), session.closed_at()), to_string(last_loss_), reason_,
        us_between(lost_at_, session.releasing_at()));
    apply({.what = drive_message::closed,
           .kernel_wants_it = session.removal_seen(),
           .probing = session.probing()});
}

bool drive::taken_away() const noexcept {
    return std::none_of(queue_bindings_.begin(), queue_bindings_.end(),
                        [](const auto& l) { return l->on != errand::none || l->queue != nullptr; });
}

void drive::check_unlinked() noexcept {
    if (!has_edge(stage_edges, life_.stage, stage_event::unlinked) || !taken_away()) return;
    apply({.what = drive_message::unlinked, .probing = session_->probing()});
}

void drive::end_session() noexcept {
    if (session_->flushed())
        for (const auto& ns : namespaces_) ns->view.ledger.settle();
    session_.reset();
}

bool drive::may_reset() const noexcept {
    return now() - reset_window_began_ > reset_window || resets_ < most_resets;
}

void drive::count_reset() noexcept {
    if (now() - reset_window_began_ > reset_window) {
        reset_window_began_ = now();
        resets_ = 0;
    }
    ++resets_;
}

// --- does it make progress? ----------------------------------------------------------------------

void drive::watch_progress() noexcept {
    environment_.control->timers().arm(watch_timer_, now() + watch_interval);
    admin_.tick();
    if (!serves()) return;
    std::uint64_t faults = admin_.faults();
    bool stalled = false;
    bool stuck = admin_.overdue();
    for (const auto& l : queue_bindings_) {
        const progress_counters& p = l->place.progress;
        faults += p.faults.load(std::memory_order_relaxed);
        stuck = stuck || p.stuck.load(std::memory_order_relaxed);
        const std::uint64_t completed = p.completed.load(std::memory_order_relaxed);
        if (completed != l->seen || p.at_drive.load(std::memory_order_relaxed) == 0) {
            l->seen = completed;
            l->since = now();
        }
        stalled = stalled || now() - l->since >= stall_limit;
    }
    faults_ = faults;
    if (faults > most_faults) return report_loss(loss_cause::hostile);
    if (stuck) return report_loss(loss_cause::timed_out);
    abort_what_is_late();
    if (now() - health_read_ >= health_interval) {
        health_read_ = now();
        admin_.read_smart();
    }
    if (!stalled || session_->probing() || now() - last_probe_ < stall_limit) return;
    last_probe_ = now();
    if (auto begun = session_->begin_probe(); !begun)
        log::error("drive {}: {}", options_.name, begun.error().text());
}

// Asked for by the reactors, whose queues count from 1. From abort_sent on a command that ends
// leaves its wish here.
void drive::abort_what_is_late() noexcept {
    for (std::size_t i = 0; i < queue_bindings_.size(); ++i)
        for (auto& wanted : queue_bindings_[i]->place.progress.aborts) {
            std::uint32_t which = wanted.load(std::memory_order_acquire);
            if (which == 0 || (which & progress_counters::abort_sent) != 0) continue;
            if (!wanted.compare_exchange_strong(which, which | progress_counters::abort_sent,
                                                std::memory_order_acq_rel))
                continue;
            if (admin_.abort(static_cast<std::uint16_t>(i + 1),
                             static_cast<std::uint16_t>(which & 0xffffu)))
                continue;
            return wanted.store(which, std::memory_order_release);  // no room: later
        }
}

void drive::on_abort_answered(std::uint16_t qid, std::uint16_t cid) noexcept {
    if (qid == 0 || qid > queue_bindings_.size()) return;
    const std::uint32_t sent =
        progress_counters::abort_wanted | progress_counters::abort_sent | cid;
    for (auto& wanted : queue_bindings_[qid - 1u]->place.progress.aborts)
        if (wanted.load(std::memory_order_relaxed) == sent)
            return wanted.store(0, std::memory_order_release);
}

void drive::on_probed(drive_session&, liveness found) noexcept {
    const bool serving = serves();           // no probe changes that
    apply({.what = drive_message::probed});  // the end of a retired drive
    if (!serving) return;
    if (found == liveness::gone) return report_loss(loss_cause::silent);
    if (found == liveness::fatal) return report_loss(loss_cause::fatal_status);
}

}  // namespace fulmar::backend::pcie
