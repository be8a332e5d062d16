// Asynchronous events (NVMe Base 2.0, section 5.2; protocol list D8). One of each kind is out at a
// time, until its log page is read. A change that nobody may be told of yet is remembered: a host
// that reads a log first and enables the event a moment later would miss what happened between.
#include "admin_pages.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/subsystem_group.hpp>

#include <algorithm>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {

struct event_kind {
    nvme::async_event event;
    std::uint32_t enabled_by;  // bits of feature 0Bh; 0: always on
};

// In the order of controller::events_.
constexpr std::array event_kinds{
    event_kind{nvme::event::namespace_attribute_changed,
               nvme::async_event_config::namespace_attribute},
    event_kind{nvme::event::ana_changed, nvme::async_event_config::ana_change},
    event_kind{nvme::event::discovery_log_changed, nvme::async_event_config::discovery_log_change},
    event_kind{nvme::event::temperature, nvme::async_event_config::smart_temperature},
    event_kind{nvme::event::spare, nvme::async_event_config::smart_spare},
    event_kind{nvme::event::reliability, nvme::async_event_config::smart_reliability |
                                             nvme::async_event_config::smart_read_only |
                                             nvme::async_event_config::smart_volatile_backup |
                                             nvme::async_event_config::smart_persistent_memory},
    event_kind{nvme::event::reservation_log_available, 0},  // feature 82h masks it at its source
};

}  // namespace

void controller::async_event_request(request& r) noexcept {
    if (waiting_event_count_ == waiting_events_.size())
        return finish(r, sc::async_event_limit_exceeded.no_retry());
    waiting_events_[waiting_event_count_++] = &r;
    deliver_events();
}

bool controller::abort_async_event(request& r) noexcept {
    const auto end = waiting_events_.begin() + waiting_event_count_;
    const auto at = std::find(waiting_events_.begin(), end, &r);
    if (at == end) return false;
    std::copy(at + 1, end, at);
    waiting_events_[--waiting_event_count_] = nullptr;
    r.owner->finish(r, sc::aborted_by_request);  // as asked: nothing for the error log
    return true;
}

void controller::raise(nvme::async_event event) noexcept {
    static_assert(event_kinds.size() == std::tuple_size_v<decltype(events_)>);
    for (std::size_t i = 0; i < event_kinds.size(); ++i)
        if (event_kinds[i].event == event) events_[i].raised = true;
    deliver_events();
}

// Oldest request first.
void controller::deliver_events() noexcept {
    for (std::size_t i = 0; i < event_kinds.size() && waiting_event_count_ != 0; ++i) {
        pending_event& pending = events_[i];
        const std::uint32_t by = event_kinds[i].enabled_by;
        const bool enabled = by == 0 || (features_.event_config & by) != 0;
        if (!pending.raised || pending.masked || !enabled) continue;
        pending.raised = false;
        pending.masked = true;
        request& r = *waiting_events_[0];
        std::copy(waiting_events_.begin() + 1, waiting_events_.begin() + waiting_event_count_,
                  waiting_events_.begin());
        waiting_events_[--waiting_event_count_] = nullptr;
        r.dw0 = event_kinds[i].event.pack();
        finish(r, sc::success);
    }
}

// The host knows everything up to now: also what it has not been told of yet.
void controller::log_read(nvme::lid page) noexcept {
    if (page == nvme::lid::changed_namespaces) {
        changed_namespaces_.clear();
        changed_overflow_ = false;
    }
    for (std::size_t i = 0; i < event_kinds.size(); ++i)
        if (event_kinds[i].event.log_page == static_cast<std::uint8_t>(page))
            events_[i] = {.raised = false, .masked = false};
    if (page == nvme::lid::reservation_notification && notices_.available() != 0)
        raise(nvme::event::reservation_log_available);  // one page at a time
}

// At a reset or the end of the association: whoever comes next reads everything afresh.
void controller::drop_async_events(nvme::status with) noexcept {
    const auto waiting = waiting_events_;
    const std::uint32_t count = waiting_event_count_;
    waiting_event_count_ = 0;
    waiting_events_ = {};
    events_ = {};
    warned_ = 0;
    changed_namespaces_.clear();
    changed_overflow_ = false;
    ana_changes_.forget();
    notices_.reset();
    for (std::uint32_t i = 0; i < count; ++i) waiting[i]->owner->finish(*waiting[i], with);
}

// Room for a full page was reserved. More changes than it can hold become "many".
void controller::namespace_changed(std::uint32_t number) noexcept {
    if (seen().find(nsid(number)) == nullptr) {
        features_.error_recovery.erase(number);
        notices_.forget_mask(number);
    }
    const auto at =
        std::lower_bound(changed_namespaces_.begin(), changed_namespaces_.end(), number);
    const bool known = at != changed_namespaces_.end() && *at == number;
    if (!known) {
        if (changed_namespaces_.size() < changed_namespaces_.capacity())
            changed_namespaces_.insert(at, number);
        else
            changed_overflow_ = true;
    }
    raise(nvme::event::namespace_attribute_changed);
}

// What the devices say of themselves, the worst of each; and without any that says something, what
// a target that is well says.
backend::device_health controller::health() const noexcept {
    backend::device_health all{.temperature_kelvin = 0, .spare_threshold_percent = 10};
    for (const auto& entry : subsystem_->entries) {
        if (entry == nullptr || entry->channel == nullptr) continue;
        if (hides(entry->id.index + 1)) continue;
        const auto one = entry->channel->health();
        if (!one) continue;
        all.critical_warning |= one->critical_warning;
        all.temperature_kelvin = std::max(all.temperature_kelvin, one->temperature_kelvin);
        if (one->available_spare_percent < all.available_spare_percent) {
            all.available_spare_percent = one->available_spare_percent;
            all.spare_threshold_percent = one->spare_threshold_percent;
        }
        all.used_percent = std::max(all.used_percent, one->used_percent);
        all.media_errors += one->media_errors;
    }
    if (all.temperature_kelvin == 0) all.temperature_kelvin = composite_kelvin;
    if (features_.temperature_out_of_bounds(all.temperature_kelvin))
        all.critical_warning |= nvme::critical_warning::temperature;
    return all;
}

// A warning is told once, when it comes.
void controller::look_at_health() noexcept {
    namespace bit = nvme::critical_warning;
    const std::uint8_t now = health().critical_warning;
    const unsigned fresh = now & ~unsigned{warned_};
    warned_ = now;
    if ((fresh & bit::temperature) != 0) raise(nvme::event::temperature);
    if ((fresh & bit::spare) != 0) raise(nvme::event::spare);
    if ((fresh & ~unsigned{bit::temperature | bit::spare}) != 0) raise(nvme::event::reliability);
}

void controller::reservation_changed(std::uint32_t number, nvme::reservation_notice what) noexcept {
    if (notices_.add(number, what) != notice_fate::masked)
        raise(nvme::event::reservation_log_available);
}

nvme::reservation_notification_log controller::read_reservation_notice(bool next) noexcept {
    if (next) last_notice_ = notices_.take();
    return last_notice_;
}

// The ANA log changes with the list, which is no event of its own: the host reads both (NVMe Base
// 2.0, figure "Asynchronous Event Information - Notice").
void controller::set_hidden(std::uint32_t number, bool hidden, bool told) noexcept {
    if (!hidden_.set(number, hidden) || !told) return;
    ana_changes_.begin();
    if (const namespace_description* n = description().find(nsid(number)))
        ana_changes_.note(n->ana_group());
    namespace_changed(number);
}

void controller::discovery_changed() noexcept {
    discovery_page_ = nullptr;
    raise(nvme::event::discovery_log_changed);
}

bool controller::ana_events_enabled() const noexcept {
    const std::uint32_t enabled = features_.event_config.load(std::memory_order_relaxed);
    return (enabled & nvme::async_event_config::ana_change) != 0;
}

}  // namespace fulmar::core
