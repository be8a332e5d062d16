// What a subsystem does about the reservations and the protection of its namespaces: commands get
// in line, states are adopted, recalled at start, forgotten with their namespace. Called on:
// control reactor.
#include "cross_reset_operation.hpp"
#include "reserve_operation.hpp"
#include "share_ranges_operation.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/namespace_memory.hpp>
#include <fulmar/core/range_locks.hpp>
#include <fulmar/core/subsystem.hpp>
#include <fulmar/core/target.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

namespace fulmar::core {

// One drain is enough for all pairs of a namespace that come meanwhile.
share_ranges_operation* subsystem::sharing_under_way(namespace_id of) const noexcept {
    const auto meant = [of](const std::unique_ptr<operation>& op) -> share_ranges_operation* {
        auto* const it = dynamic_cast<share_ranges_operation*>(op.get());
        return it != nullptr && it->concerns(of) ? it : nullptr;
    };
    if (current_ != nullptr)
        if (auto* const now = meant(current_)) return now;
    for (const auto& op : waiting_)
        if (auto* const later = meant(op)) return later;
    return nullptr;
}

bool subsystem::has_room_for(const reservation_errand& errand) const noexcept {
    std::uint32_t all = 0, its_own = 0;
    for (const auto& op : waiting_) {
        const nvme::host_id* const host = op->of_host();
        if (host == nullptr) continue;
        ++all;
        its_own += *host == errand.who ? 1 : 0;
    }
    return all < limits::pending_reservations_per_subsystem &&
           its_own < limits::pending_reservations_per_host;
}

void subsystem::reserve(std::unique_ptr<reservation_errand> errand) {
    const bool shares = std::holds_alternative<range_locks_request>(errand->what);
    if (shares)
        if (share_ranges_operation* const same = sharing_under_way(errand->ns))
            return same->join(std::move(errand));
    const bool ends = std::holds_alternative<cross_reset_request>(errand->what);
    if (const nvme::status may = ends ? may_end(*errand) : nvme::sc::success;
        !nvme::is_success(may))
        return reservation_errand::go_home(std::move(errand), may);
    // What a host has waiting by a path that it has lost must not keep it from ending that path.
    if (ends && !mutated(mutation::ended_controllers_leave_errands))
        drop_commands_of(std::get<cross_reset_request>(errand->what).instance);
    if (!ends && !has_room_for(*errand))
        return reservation_errand::go_home(std::move(errand), nvme::sc::command_interrupted);
    try {
        if (shares)
            enqueue(std::make_unique<share_ranges_operation>(*this, std::move(errand)));
        else if (ends)
            enqueue(std::make_unique<cross_reset_operation>(*this, std::move(errand)));
        else
            enqueue(std::make_unique<reserve_operation>(*this, std::move(errand)));
    } catch (const std::bad_alloc&) {
        if (errand) reservation_errand::go_home(std::move(errand), nvme::sc::internal_error);
    }
}

void subsystem::lift_protection(std::uint32_t nsid, control_request& asker) {
    const namespace_record* n = find(nsid);
    if (n == nullptr || deleted_ || target_.stopping())
        return asker.finish(
            fail(errc::not_found, fmt::format("{} has no namespace {}", spec_.nqn, nsid)));
    auto errand = std::make_unique<reservation_errand>();
    errand->operators = &asker;
    errand->subsystem = id_;
    errand->ns = n->id;
    errand->what = protection_request{.by_operator = true};
    reserve(std::move(errand));
}

void subsystem::adopt(namespace_record& n, reservation_state&& next) {
    n.reservation = std::make_shared<const reservation_state>(std::move(next));
}

void subsystem::share_ranges(namespace_record& n) { n.ranges = std::make_shared<range_locks>(); }

// Hosts that were fenced must not find an open door where a record cannot be understood, nor blocks
// that were protected be written.
void subsystem::recall(namespace_record& n) const {
    if (target_.memory() == nullptr || mutated(mutation::restarts_forget_what_hosts_made)) return;
    const auto known = target_.memory()->recall(n.uuid);
    n.recorded = !known || known->has_value();
    if (!n.recorded) return;
    // The one that no host lifts, since it may have been that.
    n.protection = known ? (*known)->protection : nvme::write_protection::until_power_cycle;
    if (known && !(*known)->reservation) return;
    auto state = known ? from_record(*(*known)->reservation) : tl::unexpected(known.error());
    if (state) {
        n.reservation = std::make_shared<const reservation_state>(std::move(*state));
        return;
    }
    log::error(
        "namespace {} of {} is closed to every host until one registers: what was reserved is not "
        "known{}: {}",
        n.spec.nsid, spec_.nqn,
        known ? "" : ", nor whether it was write protected, so that it is until that is lifted",
        state.error().text());
    n.reservation = std::make_shared<const reservation_state>(locked_reservation());
}

void subsystem::forget(const namespace_record& n) noexcept {
    if (target_.memory() != nullptr && n.recorded) target_.memory()->forget(n.uuid);
}

bool subsystem::has_registrants() const noexcept {
    return std::any_of(namespaces_.begin(), namespaces_.end(), [](const auto& each) {
        const auto& state = each.second.reservation;
        return state != nullptr && !state->registrants.empty();
    });
}

}  // namespace fulmar::core
