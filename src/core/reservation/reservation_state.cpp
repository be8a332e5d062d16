#include "reservation_state.hpp"

#include <fulmar/base/limits.hpp>

#include <algorithm>

namespace fulmar::core {

std::size_t reservation_state::place_of(const nvme::host_id& host) const noexcept {
    const auto at = std::lower_bound(
        registrants.begin(), registrants.end(), host,
        [](const registrant& r, const nvme::host_id& wanted) { return r.host < wanted; });
    return static_cast<std::size_t>(at - registrants.begin());
}

const registrant* reservation_state::find(const nvme::host_id& host) const noexcept {
    const std::size_t at = place_of(host);
    return at < registrants.size() && registrants[at].host == host ? &registrants[at] : nullptr;
}

reservation_role reservation_state::role_of(const nvme::host_id& host) const noexcept {
    if (find(host) == nullptr) return reservation_role::stranger;
    const bool holds = all_registrants_hold(type) || (is_held() && host == holder);
    return holds ? reservation_role::holder : reservation_role::registrant;
}

reservation_status describe(const reservation_state& state) {
    reservation_status s{.type = std::string(nvme::to_string(state.type)),
                         .is_held = state.is_held(),
                         .persistent = state.persistent,
                         .generation = state.generation,
                         .registrants = {}};
    for (const registrant& one : state.registrants)
        s.registrants.push_back({.identifier = std::string(nvme::to_text(one.host).view()),
                                 .key = one.key,
                                 .holds = state.is_held_by(one.host)});
    return s;
}

reservation_state locked_reservation() noexcept {
    return {.registrants = {},
            .holder = {},
            .type = nvme::reservation_type::exclusive_access_all,
            .persistent = true};
}

bool is_locked(const reservation_state& state) noexcept {
    return state.type == nvme::reservation_type::exclusive_access_all && state.registrants.empty();
}

bool is_possible(const reservation_state& state) noexcept {
    if (state.registrants.size() > limits::max_registrants) return false;
    if (!state.registrants.empty() && state.registrants.front().host.is_nil()) return false;
    const auto unordered = std::adjacent_find(
        state.registrants.begin(), state.registrants.end(),
        [](const registrant& a, const registrant& b) { return !(a.host < b.host); });
    if (unordered != state.registrants.end()) return false;
    if (!state.is_held()) return state.holder.is_nil();
    if (!nvme::parse_reservation_type(static_cast<std::uint8_t>(state.type))) return false;
    if (all_registrants_hold(state.type))
        return state.holder.is_nil() && !state.registrants.empty();
    return state.find(state.holder) != nullptr;
}

}  // namespace fulmar::core
