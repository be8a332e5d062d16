// What data reactors have of devices, on the control reactor. A queue that has failed must not
// leave its reactor idle: the least loaded one would get every new connection, and serve none.
#include "rdma_control.hpp"
#include "rdma_listener.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fulmar::transport::rdma {

device_part::device_part(open_device& of, rdma_group& at) noexcept : owner(&of), group(&at) {}

void device_part::on_broken() noexcept {
    owner->control.on_part_failed(*this, "a queue takes nothing, or gives nothing back");
}

void device_part::advance(part_event on) noexcept {
    const auto to = next_state(part_edges, state, on);
    FULMAR_ASSERT(to.has_value());
    state = *to;
}

void device_part::leave() noexcept {
    advance(part_event::unused);
    group->reactor().post(leaving);
}

void device_part::on_leaving() noexcept {
    group->detach(*resources);
    owner->control.reactor().post(left);
}

void device_part::on_left() noexcept { owner->control.on_part_left(*this); }

// --- finding and making one ----------------------------------------------------------------------

device_part& rdma_control::part_at(open_device& d, rdma_group& g) {
    for (const auto& part : d.parts)
        if (part->group == &g) return *part;
    d.parts.push_back(std::make_unique<device_part>(d, g));
    return *d.parts.back();
}

fulmar::result<void> rdma_control::make_part(device_part& p) {
    if (p.serves()) return {};
    const instant now = reactor().fresh_now();
    if (p.state != part_state::absent || now < p.not_before)
        return fail(errc::unavailable, "its queues are being made anew",
                    p.owner->what->facts().name);
    p.not_before = now + bounds::part_interval;  // if this fails
    FULMAR_TRY(p.resources,
               group_device::create(*p.owner->what, p.group->group(),
                                    {.counters = p.counters, .broken = p.broken, .part = &p}));
    p.advance(part_event::made);
    return {};
}

// The least loaded one that can serve. Errors: those of the one that should have.
fulmar::result<device_part*> rdma_control::part_for(open_device& d) {
    std::array<rdma_group*, limits::max_data_reactors> by_load{};
    const std::size_t count = std::min(groups_.size(), by_load.size());
    std::copy_n(groups_.begin(), count, by_load.begin());
    std::stable_sort(by_load.begin(), by_load.begin() + static_cast<std::ptrdiff_t>(count),
                     [](rdma_group* a, rdma_group* b) {
                         return a->group().load.load(std::memory_order_relaxed) <
                                b->group().load.load(std::memory_order_relaxed);
                     });
    fulmar::result<device_part*> first = fail(errc::unavailable, "there is no data reactor");
    for (std::size_t i = 0; i < count; ++i) {
        device_part& p = part_at(d, *by_load[i]);
        auto made = make_part(p);
        if (made) return &p;
        if (i == 0) first = tl::unexpected(std::move(made).error());
    }
    return first;
}

// --- its end -------------------------------------------------------------------------------------

void rdma_control::on_part_failed(device_part& p, std::string_view sign) noexcept {
    const bool was_serving = p.serves();
    if (p.state == part_state::absent) return;
    p.advance(part_event::fails);
    if (!was_serving) return;
    ++p.failures;
    log::error(
        "{}: the queues of reactor {} have failed ({}): ending {} connections, then making "
        "them anew",
        p.owner->what->facts().name, p.group->reactor().id().value(), sign, p.users);
    const instant until = reactor().fresh_now() + bounds::removal_limit;
    for (auto at = connections_.begin(); at != connections_.end();) {
        rdma_connection& c = *at++;
        if (c.part == &p) end_until(c, until);
    }
    settle(p);
}

// Nothing that a connection may use is taken away.
void rdma_control::settle(device_part& p) noexcept {
    if (p.users == 0 && p.state == part_state::failed) p.leave();
}

void rdma_control::on_part_left(device_part& p) noexcept {
    p.resources.reset();
    p.counters.receives.store(0, std::memory_order_relaxed);
    p.advance(part_event::left);
    p.not_before = reactor().fresh_now() + bounds::part_interval;
    finish_removal(*p.owner);
}

// --- what is told --------------------------------------------------------------------------------

std::string rdma_control::trouble_of(const device* d) const {
    const auto at = std::find_if(devices_.begin(), devices_.end(),
                                 [&](const auto& one) { return one->what == d; });
    if (at == devices_.end() || groups_.empty()) return {};
    const instant now = target_.control_reactor().now();
    const auto idle = std::count_if((*at)->parts.begin(), (*at)->parts.end(), [&](const auto& p) {
        // One that is absent is made by the next connection, after a pause.
        return p->state == part_state::failed || p->state == part_state::leaving ||
               (p->state == part_state::absent && now < p->not_before);
    });
    return static_cast<std::size_t>(idle) < groups_.size()
               ? std::string()
               : fmt::format("the queues of {} have failed and are being made anew",
                             d->facts().name);
}

void rdma_control::report(core::counters_report& into) const {
    for (const auto& d : devices_) {
        for (const auto& part : d->parts) {
            const auto add = [&](const char* name, const char* help, std::uint64_t value,
                                 bool monotonic = true) {
                into.samples.push_back(
                    {name,
                     help,
                     monotonic,
                     {{"device", d->what->facts().name},
                      {"reactor", fmt::format("{}", part->group->reactor().id().value())}},
                     static_cast<double>(value)});
            };
            const device_counters& c = part->counters;
            const auto of = [](const std::atomic<std::uint64_t>& value) {
                return value.load(std::memory_order_relaxed);
            };
            add("fulmar_rdma_completions_total", "RDMA work completions", of(c.completions));
            add("fulmar_rdma_flushed_total",
                "RDMA work that came back because its connection had ended", of(c.flushed));
            add("fulmar_rdma_failed_total", "RDMA work that failed", of(c.failed));
            add("fulmar_rdma_strays_total", "RDMA completions of nothing that was outstanding",
                of(c.strays));
            add("fulmar_rdma_overdue_total",
                "RDMA connections whose work did not come back in time", of(c.overdue));
            add("fulmar_rdma_shared_receives",
                "Receive buffers that the RDMA device has for commands to come", of(c.receives),
                false);
            add("fulmar_rdma_turned_back_total",
                "Commands that were answered 'later', since their connection had stalled and held "
                "more receive buffers than its share",
                of(c.turned_back));
            add("fulmar_rdma_serving", "Whether this reactor takes connections of the RDMA device",
                part->serves() ? 1 : 0, false);
            add("fulmar_rdma_queue_failures_total",
                "Queues of the RDMA device that failed and were made anew", part->failures);
        }
    }
}

}  // namespace fulmar::transport::rdma
