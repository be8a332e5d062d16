#include "watchdog.hpp"

#include <fulmar/base/log.hpp>

#include <systemd/sd-daemon.h>

#include <algorithm>

namespace fulmar::app {

namespace {
constexpr duration default_interval = std::chrono::seconds(5);
constexpr duration complaint_after = std::chrono::seconds(2);
}  // namespace

watchdog::ping::ping(watchdog& w, engine::reactor& r) noexcept
    : message(nullptr), owner(&w), where(&r) {}

watchdog::watchdog(engine::reactor& control, engine::reactor_pool& pool)
    : control_(control), interval_(default_interval) {
    std::uint64_t period_us = 0;
    // Fed at a third of the period, so that one late beat is no alarm.
    if (sd_watchdog_enabled(0, &period_us) > 0)
        interval_ = std::chrono::microseconds(period_us / 3);
    for (const auto& r : pool.reactors()) pings_.push_back(std::make_unique<ping>(*this, *r));
}

watchdog::~watchdog() { control_.timers().cancel(beat_); }

void watchdog::also_ask(std::function<void(std::function<void()>)> ask) { ask_ = std::move(ask); }

void watchdog::ready() {
    sd_notify(0, "READY=1\nSTATUS=serving");
    on_beat();
}

void watchdog::stopping(duration at_most) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(at_most).count();
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", static_cast<long long>(us));
}

void watchdog::on_beat() noexcept {
    const instant now = control_.fresh_now();
    bool all_answered = true;
    for (const auto& p : pings_) {
        if (!p->away) {
            p->complained = false;
            continue;
        }
        all_answered = false;
        if (now - p->sent >= complaint_after && !p->complained) {
            p->complained = true;
            log::error(
                "reactor {} has not answered for {} ms", p->where->id().value(),
                std::chrono::duration_cast<std::chrono::milliseconds>(now - p->sent).count());
        }
    }
    all_answered = all_answered && !asked_away_->load(std::memory_order_acquire);
    if (all_answered) {
        sd_notify(0, "WATCHDOG=1");
        for (const auto& p : pings_) {
            p->away = true;
            p->sent = now;
            p->send();
        }
        if (ask_) {
            asked_away_->store(true, std::memory_order_release);
            ask_([away = asked_away_] { away->store(false, std::memory_order_release); });
        }
    }
    control_.timers().arm(beat_, now + interval_);
}

void watchdog::ping::send() noexcept {
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<ping&>(m);
        self.set_handler(
            [](engine::message& home) noexcept { static_cast<ping&>(home).away = false; });
        self.owner->control_.post(self);
    });
    where->post(*this);
}

}  // namespace fulmar::app
