#include "drive.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

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

std::string_view to_string(drive_event event) noexcept {
    switch (event) {
        case drive_event::attach: return "attach";
        case drive_event::up: return "up";
        case drive_event::linked: return "linked";
        case drive_event::lose: return "lose";
        case drive_event::closed: return "closed";
    }
    return "?";
}

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

// It is still there, and a reset may help.
bool wants_reset(loss_cause cause) noexcept {
    return cause == loss_cause::bus_error || cause == loss_cause::fatal_status ||
           cause == loss_cause::timed_out || cause == loss_cause::hostile;
}

// A reset of the controller keeps what is in its write cache (NVMe Base 2.0, section 3.7.2), and
// these end in no more than that. All others may come with a loss of power, which nobody tells.
bool keeps_cache(loss_cause cause) noexcept {
    return cause == loss_cause::timed_out || cause == loss_cause::hostile;
}

std::uint64_t us_between(instant from, instant to) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

}  // namespace

// --- links ---------------------------------------------------------------------------------------

drive::link::link(drive& d, engine::reactor& r) noexcept : message(nullptr), owner(&d), place(r) {}

void drive::link::send() noexcept {
    away = true;
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<link&>(m);
        if (self.passing)
            self.passing = false;
        else if (self.queue != nullptr)
            self.place.bring(*self.queue, *self.view, self.interrupt_fd, self.mask);
        else
            self.place.take_away();
        self.set_handler([](engine::message& home) noexcept {
            auto& back = static_cast<link&>(home);
            back.away = false;
            back.owner->on_link_home(back);
        });
        self.owner->environment_.control->post(self);
    });
    place.reactor().post(*this);
}

drive::drive(const pcie_options& options, const pcie_environment& environment)
    : options_(options), environment_(environment), admin_(*environment.control, *this) {
    for (engine::reactor* r : environment.data) links_.push_back(std::make_unique<link>(*this, *r));
}

drive::~drive() {
    environment_.control->timers().cancel(watch_timer_);
    environment_.control->timers().cancel(drain_timer_);
    environment_.control->timers().cancel(retry_timer_);
    stop_listening();
}

void drive::tell(drive_occurrence what, loss_cause cause, std::string_view detail) noexcept {
    if (environment_.observer != nullptr && !retiring_)
        environment_.observer->on_drive_event(options_, what, cause, detail);
}

void drive::refuse(std::string reason, loss_cause cause) noexcept {
    reason_ = std::move(reason);
    if (reason_ == refused_) return;
    refused_ = reason_;
    tell(drive_occurrence::refused, cause, reason_);
}

channel_place* drive::place_of(const engine::reactor& r) noexcept {
    for (const auto& l : links_)
        if (&l->place.reactor() == &r) return &l->place;
    return nullptr;
}

drive_status drive::status() const {
    return {.state = state_,
            .since = since_,
            .generation = generation_,
            .detached = detached_,
            .last_loss = last_loss_,
            .reason = state_ == drive_state::ready ? std::string() : reason_,
            .losses = losses_,
            .late_signs = late_signs_,
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

void drive::advance(drive_event on) noexcept {
    const auto next = next_state(drive_edges, state_, on);
    FULMAR_ASSERT(next.has_value());
    state_ = *next;
    since_ = now();
}

// --- it comes ------------------------------------------------------------------------------------

void drive::attach() noexcept {
    if (std::exchange(detached_, false)) tell(drive_occurrence::attached, loss_cause::none, {});
    await_arrival_ = false;
    if (state_ == drive_state::absent)
        try_attach();
    else if (state_ == drive_state::releasing || meanwhile_ != loss_cause::none)
        come_again_ = wished_ = true;
}

void drive::arrived() noexcept {
    if (state_ != drive_state::ready) note_power_loss();
    if (state_ == drive_state::absent || state_ == drive_state::releasing)
        tell(drive_occurrence::arrived, loss_cause::none,
             detached_ ? "it stays detached" : std::string_view());
    refused_.clear();
    if (!detached_) attach();
}

void drive::try_attach() noexcept {
    come_again_ = false;
    environment_.control->timers().cancel(retry_timer_);
    if (!environment_.provider->present(options_.address)) {
        reason_ = fmt::format("no drive is at {}", options_.address.text());
        return decide_what_next();
    }
    ++generation_;
    meanwhile_ = loss_cause::none;
    std::vector<std::uint32_t> wanted;
    for (const auto& ns : namespaces_) wanted.push_back(ns->wanted_nsid);
    session_ = std::make_unique<drive_session>(*this, options_, environment_, std::move(wanted));
    if (auto begun = session_->begin_attach(); !begun) {
        refuse(begun.error().text());
        session_.reset();
        return decide_what_next();
    }
    advance(drive_event::attach);
}

void drive::on_attached(drive_session& session) noexcept {
    const auto give_back = [this](loss_cause cause, std::string why) {
        const bool wanted_again = come_again_ && !detached_;  // since the sign that ended this
        note_loss(cause, std::move(why));
        if (wanted_again) {
            come_again_ = wished_ = true;
            await_arrival_ = false;
        }
        advance(drive_event::lose);
        begin_release();
    };
    if (session.removal_seen()) meanwhile_ = loss_cause::removal_requested;
    if (detached_) meanwhile_ = loss_cause::detached;
    if (meanwhile_ != loss_cause::none) return give_back(meanwhile_, explain(meanwhile_));
    if (session.failure()) return give_back(loss_cause::bring_up_failed, session.failure()->text());
    const drive_description& found = session.view().description;
    if (auto known = recognise(found); !known)
        return give_back(loss_cause::other_drive, known.error().text());
    if (auto taken = take_all(found); !taken)
        return give_back(taken.error().code == errc::conflict ? loss_cause::other_drive
                                                              : loss_cause::bring_up_failed,
                         taken.error().text());
    using watched_fd = std::pair<engine::descriptor_watch*, int>;
    for (auto [watch, fd] : {watched_fd{&removal_watch_, session.access().removal_fd()},
                             watched_fd{&error_watch_, session.access().error_fd()}})
        if (fd >= 0)
            if (auto watched = environment_.control->watch(*watch, fd, EPOLLIN); !watched)
                return give_back(loss_cause::bring_up_failed, watched.error().text());
    known_ = true;
    serial_ = found.serial;
    model_ = found.model;
    firmware_ = found.firmware;
    advance(drive_event::up);
    link_all(true);
}

void drive::link_all(bool up) noexcept {
    for (std::size_t i = 0; i < links_.size(); ++i) {
        link& l = *links_[i];
        if (l.away) continue;  // on_link_home() goes on with it
        if (!up && l.queue == nullptr) continue;
        l.queue = up ? &session_->queue(i) : nullptr;
        l.view = up ? &session_->view() : nullptr;
        l.interrupt_fd =
            up ? session_->access().interrupt_fd(static_cast<std::uint32_t>(i) + 1) : -1;
        l.mask = up ? session_->access().interrupt_mask(static_cast<std::uint32_t>(i) + 1)
                    : vfio::interrupt_mask();
        l.seen = 0;
        l.since = now();
        l.send();
    }
    if (links_home()) up ? all_linked() : check_released();
}

bool drive::links_home() const noexcept {
    return std::none_of(links_.begin(), links_.end(), [](const auto& l) { return l->away; });
}

void drive::on_link_home(link& l) noexcept {
    if (state_ == drive_state::releasing && quiet_ && l.queue != nullptr) {
        l.queue = nullptr;
        return l.send();
    }
    if (!links_home()) return;
    if (state_ == drive_state::linking) return all_linked();
    if (state_ == drive_state::releasing) check_released();
}

void drive::all_linked() noexcept {
    advance(drive_event::linked);
    last_probe_ = now();
    environment_.control->timers().arm(watch_timer_, now() + watch_interval);
    const drive_description& found = session_->view().description;
    log::info("drive {} at {} is ready: {} {}", options_.name, options_.address.text(), model_,
              serial_);
    refused_.clear();
    tell(std::exchange(served_, true) ? drive_occurrence::returned : drive_occurrence::ready,
         loss_cause::none, fmt::format("{} {}", model_, serial_));
    faults_ = 0;
    health_read_ = now();
    admin_.open(session_->admin_queue(), session_->access().interrupt_fd(0), found);
    admin_.read_smart();
    admin_.read_errors();
    // A listener may do anything but leave.
    for (std::size_t i = 0; i < namespaces_.size() && state_ == drive_state::ready; ++i) {
        drive_namespace& ns = *namespaces_[i];
        if (ns.view.nsid != 0 && ns.reason.empty())
            open(ns);
        else
            look_at(ns);
    }
}

// --- it goes -------------------------------------------------------------------------------------

void drive::sign(loss_cause cause) noexcept { lose(cause, explain(cause)); }

void drive::note_loss(loss_cause cause, std::string reason) noexcept {
    if (!keeps_cache(cause)) note_power_loss();
    last_loss_ = cause;
    reason_ = std::move(reason);
    lost_at_ = now();
    come_again_ = false;
    await_arrival_ = cause == loss_cause::removal_requested || cause == loss_cause::removed ||
                     cause == loss_cause::silent || cause == loss_cause::other_drive;
    wished_ = false;
    if (wants_reset(cause)) come_again_ = may_reset();
    drained_ = cause == loss_cause::bring_up_failed;  // nothing could be outstanding
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
void drive::note_power_loss() noexcept {
    if (mutated(mutation::lost_caches_are_forgotten)) return;
    for (const auto& ns : namespaces_) ns->cache_gone = true;
}

void drive::lose(loss_cause cause, std::string reason) noexcept {
    if (!keeps_cache(cause)) note_power_loss();
    if (!has_edge(drive_edges, state_, drive_event::lose)) {
        ++late_signs_;
        if (draining_ && cause != loss_cause::detached)
            return end_drain();  // somebody waits for it
        if (mutated(mutation::second_sign_releases_again) && session_) begin_release();
        return;
    }
    if (state_ == drive_state::attaching) {  // on_attached() goes on
        if (meanwhile_ != loss_cause::none)
            ++late_signs_;
        else
            meanwhile_ = cause;
        return session_->hurry();
    }
    for (const auto& ns : namespaces_) ns->view.lost.store(true, std::memory_order_release);
    if (!draining_) stop_listening();
    admin_.close();
    environment_.control->timers().cancel(watch_timer_);
    note_loss(cause, std::move(reason));
    advance(drive_event::lose);
    if (draining_) return begin_drain();
    begin_release();  // first: whoever wants the drive waits for it
    tell_lost();
}

void drive::tell_lost() noexcept {
    const std::string why = fmt::format("{}: {}", to_string(last_loss_), reason_);
    for (std::size_t i = 0; i < namespaces_.size(); ++i) {
        drive_namespace& ns = *namespaces_[i];
        if (std::exchange(ns.told_ready, false)) ns.listener->on_drive_lost(why);
    }
}

void drive::detach(bool drain) noexcept {
    if (!std::exchange(detached_, true))
        tell(drive_occurrence::detached, loss_cause::detached, explain(loss_cause::detached));
    come_again_ = false;
    if (state_ == drive_state::absent) environment_.control->timers().cancel(retry_timer_);
    if (draining_) return drain ? void() : end_drain();
    draining_ = drain && state_ == drive_state::ready;
    if (has_edge(drive_edges, state_, drive_event::lose))
        lose(loss_cause::detached, explain(loss_cause::detached));
    else if (state_ == drive_state::absent)
        reason_ = explain(loss_cause::detached);
}

// Submission has stopped: new commands are answered as of a lost drive, and those at the drive end
// as it says. A message passes through every reactor first: what was under way there to the drive
// is counted by then.
void drive::begin_drain() noexcept {
    quiet_ = false;
    released_ = false;
    drain_until_ = now() + limits::drain_limit;
    for (const auto& l : links_) {
        l->passing = true;
        l->send();
    }
    look_at_drain();
}

void drive::look_at_drain() noexcept {
    const bool over = links_home() && std::all_of(links_.begin(), links_.end(), [](const auto& l) {
                          return l->place.progress.at_drive.load(std::memory_order_relaxed) == 0;
                      });
    if (over || now() >= drain_until_) return end_drain();
    environment_.control->timers().arm(drain_timer_, now() + drain_interval);
}

void drive::end_drain() noexcept {
    draining_ = false;
    stop_listening();
    environment_.control->timers().cancel(drain_timer_);
    begin_release();
    tell_lost();
}

void drive::begin_release() noexcept {
    quiet_ = false;
    released_ = false;
    const bool orderly =
        last_loss_ == loss_cause::detached || last_loss_ == loss_cause::other_drive;
    if (auto begun = session_->begin_release(orderly); !begun) {
        log::error("drive {}: {}; trying again", options_.name, begun.error().text());
        environment_.control->timers().arm(retry_timer_, now() + watch_interval);
    }
    if (mutated(mutation::drives_are_not_waited_for)) link_all(false);
}

void drive::on_quiet(drive_session&) noexcept {
    quiet_ = true;
    last_quiet_us_ = us_between(lost_at_, now());
    link_all(false);
}

void drive::on_released(drive_session& session) noexcept {
    released_ = true;
    last_release_us_ = us_between(lost_at_, session.closing_at());
    if (wants_reset(last_loss_) && session.removal_seen() && !wished_) {  // it is wanted elsewhere
        come_again_ = false;
        await_arrival_ = true;
    }
    log::info(
        "drive {} at {} is given back after {} us, the kernel took {} us more ({}: {}; its "
        "thread ran after {} us)",
        options_.name, options_.address.text(), last_release_us_,
        us_between(session.closing_at(), session.closed_at()), to_string(last_loss_), reason_,
        us_between(lost_at_, session.releasing_at()));
    check_released();
}

bool drive::taken_away() const noexcept {
    return std::none_of(links_.begin(), links_.end(),
                        [](const auto& l) { return l->away || l->queue != nullptr; });
}

void drive::check_released() noexcept {
    if (state_ != drive_state::releasing || !taken_away()) return;
    if (quiet_ && !std::exchange(drained_, true))
        counters_.count_drain(us_between(lost_at_, now()));
    if (!released_ || session_->busy()) return;
    if (session_->flushed())
        for (const auto& ns : namespaces_) ns->view.ledger.settle();
    session_.reset();
    advance(drive_event::closed);
    tell(drive_occurrence::released, last_loss_, {});
    if (retiring_) {
        delete this;
        return;
    }
    if (come_again_ && !detached_) return try_attach();
    decide_what_next();
}

// Absent, and nothing is under way: is there a reason to try again by ourselves?
void drive::decide_what_next() noexcept {
    if (detached_ || await_arrival_ || retiring_) return;
    environment_.control->timers().arm(retry_timer_, now() + retry_interval);
}

void drive::retry() noexcept {
    if (state_ == drive_state::releasing) return begin_release();
    if (state_ == drive_state::absent && !detached_) try_attach();
}

bool drive::may_reset() noexcept {
    if (now() - reset_window_began_ > reset_window) {
        reset_window_began_ = now();
        resets_ = 0;
    }
    return ++resets_ <= most_resets;
}

// --- does it make progress? ----------------------------------------------------------------------

void drive::watch_progress() noexcept {
    environment_.control->timers().arm(watch_timer_, now() + watch_interval);
    admin_.tick();
    if (state_ != drive_state::ready) return;
    std::uint64_t faults = admin_.faults();
    bool stalled = false;
    bool stuck = admin_.overdue();
    for (const auto& l : links_) {
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
    if (faults > most_faults) return sign(loss_cause::hostile);
    if (stuck) return sign(loss_cause::timed_out);
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
    for (std::size_t i = 0; i < links_.size(); ++i)
        for (auto& wanted : links_[i]->place.progress.aborts) {
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
    if (qid == 0 || qid > links_.size()) return;
    const std::uint32_t sent =
        progress_counters::abort_wanted | progress_counters::abort_sent | cid;
    for (auto& wanted : links_[qid - 1u]->place.progress.aborts)
        if (wanted.load(std::memory_order_relaxed) == sent)
            return wanted.store(0, std::memory_order_release);
}

void drive::on_probed(drive_session&, pulse found) noexcept {
    if (state_ == drive_state::releasing) return check_released();
    if (state_ != drive_state::ready) return;
    if (found == pulse::gone) return sign(loss_cause::silent);
    if (found == pulse::fatal) return sign(loss_cause::fatal_status);
}

}  // namespace fulmar::backend::pcie
