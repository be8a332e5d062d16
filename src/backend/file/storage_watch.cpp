// Looks at storage from helper threads. Control reactor; a job's work() on its thread. Must never
// wait for a look.
#include <fulmar/backend/storage_watch.hpp>
#include <fulmar/engine/reactor.hpp>

#include <algorithm>

namespace fulmar::backend {

storage_watch::storage_watch(engine::reactor& control, duration period) noexcept
    : control_(control), period_(period) {}

storage_watch::~storage_watch() {
    control_.timers().cancel(pulse_);
    for (auto& j : jobs_) {
        j->owner = nullptr;
        j.release()->abandon();  // deletes itself
    }
}

void storage_watch::add(std::shared_ptr<watched_storage> what) {
    auto fresh = std::make_shared<entry>();
    fresh->what = std::move(what);
    entries_.push_back(std::move(fresh));
    ++added_;
    if (!pulse_.armed()) control_.timers().arm(pulse_, control_.now() + period_);
}

void storage_watch::drop(const watched_storage& what) noexcept {
    for (const entry_ptr& e : entries_)
        if (e->what.get() == &what) e->dropped = true;
    std::erase_if(entries_, [](const entry_ptr& e) { return e->dropped; });
}

void storage_watch::note_hang() noexcept {
    impatient_until_ = control_.fresh_now() + 5 * limits::storage_patience;
}

bool storage_watch::may_wait() const noexcept { return control_.fresh_now() >= impatient_until_; }

// A thread that has taken nothing since the last pulse hangs: another one goes on behind it.
void storage_watch::on_pulse() noexcept {
    tell();
    if (entries_.empty()) return;
    control_.timers().arm(pulse_, control_.now() + period_);
    const std::size_t taken = round_ == nullptr ? 0 : round_->next.load();
    const bool all_taken = round_ == nullptr || taken >= round_->all.size();
    const bool hangs = !all_taken && taken == taken_;
    taken_ = taken;
    if (all_taken)
        begin_round();
    else if (hangs)
        static_cast<void>(start_job());
}

// Of an entry whose thread hangs, nothing more is asked. What nobody has taken yet of the round
// before goes on in this one.
void storage_watch::begin_round() {
    auto fresh = std::make_shared<round>();
    if (round_ != nullptr)
        for (std::size_t i = round_->next++; i < round_->all.size(); i = round_->next++)
            fresh->all.push_back(round_->all[i]);
    for (const entry_ptr& e : entries_) {
        if (e->at.load() != progress::idle) continue;
        e->at.store(progress::waiting);
        fresh->all.push_back(e);
    }
    round_ = std::move(fresh);
    taken_ = 0;
    added_ = 0;
    if (!round_->all.empty()) static_cast<void>(start_job());
}

void storage_watch::retry_now() {
    if (added_ != 0) begin_round();
    if (round_ == nullptr) return;
    const std::size_t taken = std::min(round_->next.load(), round_->all.size());
    for (std::size_t left = round_->all.size() - taken; left != 0; --left)
        if (!start_job()) return;
}

// False: not now. The next pulse tries again.
bool storage_watch::start_job() {
    if (jobs_.size() >= limits::max_storage_looks) return false;
    auto fresh = std::make_unique<job>();
    fresh->owner = this;
    fresh->of = round_;
    if (!fresh->start(control_)) return false;
    jobs_.push_back(std::move(fresh));
    return true;
}

// From the list that is there now: whoever is told may drop or add.
void storage_watch::tell() noexcept {
    const std::vector<entry_ptr> now = entries_;
    for (const entry_ptr& e : now) {
        if (e->dropped || e->at.load() != progress::looked) continue;
        e->at.store(progress::idle);
        e->what->looked();
    }
}

void storage_watch::job::work() noexcept {
    for (std::size_t i = of->next++; i < of->all.size(); i = of->next++) {
        entry& e = *of->all[i];
        e.at.store(progress::looking);
        e.what->look();
        e.at.store(progress::looked);
    }
}

void storage_watch::job::on_done() noexcept {
    storage_watch& watch = *owner;
    std::erase_if(watch.jobs_, [this](const auto& j) { return j.get() == this; });
    watch.tell();
}

void storage_watch::job::on_abandoned() noexcept { delete this; }

}  // namespace fulmar::backend
