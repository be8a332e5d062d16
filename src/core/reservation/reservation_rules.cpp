// Each command is first checked as a whole against the present state; what it does is worked out on
// a copy after that.
#include "reservation_rules.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/mutation.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace fulmar::core {

using nvme::acquire_action;
using nvme::host_id;
using nvme::io_opcode;
using nvme::persist_change;
using nvme::register_action;
using nvme::release_action;
using nvme::reservation_notice;
using nvme::reservation_type;
namespace sc = nvme::sc;

namespace {

constexpr nvme::status conflict = sc::reservation_conflict.no_retry();
constexpr nvme::status invalid = sc::invalid_field.no_retry();

/// A command in the light of the present state.
struct question {
    const reservation_state& now;
    const host_id& who;
    const reservation_request& asked;
    const registrant* self;  ///< null: `who` is no registrant

    [[nodiscard]] bool knows_its_key() const noexcept {
        return self != nullptr && self->key == asked.current_key;
    }
    /// To acquire, preempt, release or clear.
    [[nodiscard]] bool may_go_on() const noexcept {
        return knows_its_key() || (self != nullptr && mutated(mutation::any_key_acquires));
    }
    /// IEKEY is for Register alone (7.2, 7.4).
    [[nodiscard]] bool ignores_key_in_vain() const noexcept {
        return asked.command.ignore_existing_key && !mutated(mutation::iekey_acquires);
    }
};

reservation_outcome refuse(nvme::status with) noexcept {
    reservation_outcome out;
    out.status = with;
    return out;
}

reservation_outcome change_nothing() noexcept { return refuse(sc::success); }

/// Releases are told where other registrants could not tell before (8.19.4, 8.19.6).
bool tells_release(reservation_type type) noexcept {
    if (mutated(mutation::releases_are_not_told)) return false;
    return type != reservation_type::write_exclusive && type != reservation_type::exclusive_access;
}

void end_reservation(reservation_state& state) noexcept {
    state.type = reservation_type::none;
    state.holder = {};
}

void hold(reservation_state& state, const host_id& who, reservation_type type) noexcept {
    state.type = type;
    state.holder = all_registrants_hold(type) ? host_id{} : who;
}

/// A reservation ends with its holder, or with the last of its holders.
void end_without_holder(reservation_state& state) noexcept {
    if (!state.is_held()) return;
    const bool held = all_registrants_hold(state.type) ? !state.registrants.empty()
                                                       : state.find(state.holder) != nullptr;
    if (!held) end_reservation(state);
}

void set_key(reservation_state& state, const host_id& host, std::uint64_t key) {
    const std::size_t at = state.place_of(host);
    if (state.find(host) != nullptr)
        state.registrants[at].key = key;
    else
        state.registrants.insert(state.registrants.begin() + static_cast<std::ptrdiff_t>(at),
                                 registrant{host, key});
}

template <typename Predicate>
void unregister(reservation_state& state, Predicate is_removed) noexcept {
    const auto end = std::remove_if(state.registrants.begin(), state.registrants.end(), is_removed);
    state.registrants.erase(end, state.registrants.end());
}

/// A success that leads to `next`.
reservation_outcome lead_to(reservation_state next) noexcept {
    reservation_outcome out;
    out.next = std::move(next);
    return out;
}

/// All that were registered before, except who asked.
void tell_others(reservation_notice notice, const question& q, reservation_outcome& out) {
    for (const registrant& r : q.now.registrants)
        if (r.host != q.who) out.effects.push_back({.host = r.host, .notice = notice});
}

// --- Register ----------------------------------------------------------------------------------

/// Every host with a controller has room (8.19); beyond that, registrants without one count.
nvme::status room_for_one_more(const reservation_state& now) noexcept {
    return now.registrants.size() < limits::max_registrants ? sc::success
                                                            : sc::internal_error.no_retry();
}

nvme::status may_add(const question& q) noexcept {
    if (q.self == nullptr) return room_for_one_more(q.now);
    if (mutated(mutation::registering_again_replaces_keys)) return sc::success;
    return q.self->key == q.asked.other_key ? sc::success : conflict;
}

nvme::status may_replace(const question& q) noexcept {
    const bool ignores_key =
        q.asked.command.ignore_existing_key && !mutated(mutation::existing_keys_are_not_ignored);
    if (!ignores_key) return q.knows_its_key() ? sc::success : conflict;
    return q.self != nullptr ? sc::success : room_for_one_more(q.now);
}

nvme::status may_remove(const question& q) noexcept {
    if (q.self == nullptr) return conflict;
    const bool matches = q.asked.command.ignore_existing_key || q.knows_its_key() ||
                         mutated(mutation::any_key_unregisters);
    return matches ? sc::success : conflict;
}

nvme::status may_register(const question& q, register_action action) noexcept {
    switch (action) {
        case register_action::add: return may_add(q);
        case register_action::replace: return may_replace(q);
        case register_action::remove: return may_remove(q);
    }
    return invalid;
}

bool persistence_after(bool now, persist_change change) noexcept {
    switch (change) {
        case persist_change::on: return true;
        case persist_change::off: return false;
        case persist_change::keep:
        case persist_change::reserved: break;
    }
    return now;
}

reservation_outcome decide_register(const question& q) {
    const auto action = nvme::parse_register_action(q.asked.command.action);
    const persist_change persist = q.asked.command.persist;
    const bool reserved =
        persist == persist_change::reserved && !mutated(mutation::reserved_persistence_is_kept);
    if (!action || reserved) return refuse(invalid);
    const nvme::status status = may_register(q, *action);
    if (!nvme::is_success(status)) {
        reservation_outcome out = refuse(status);
        if (mutated(mutation::refused_commands_change_persistence)) {
            out.next = q.now;
            out.next->persistent = persistence_after(q.now.persistent, persist);
        }
        return out;
    }
    reservation_state next = q.now;
    next.persistent = persistence_after(next.persistent, persist);
    ++next.generation;
    if (*action != register_action::remove) {
        set_key(next, q.who, q.asked.other_key);
        return lead_to(std::move(next));
    }
    unregister(next, [&](const registrant& r) { return r.host == q.who; });
    if (!mutated(mutation::reservations_outlive_their_holder)) end_without_holder(next);
    if (mutated(mutation::unregistering_always_releases)) end_reservation(next);
    const bool released = q.now.is_held() && !next.is_held();
    reservation_outcome out = lead_to(std::move(next));
    if (released && tells_release(q.now.type))
        tell_others(reservation_notice::reservation_released, q, out);
    return out;
}

// --- Acquire -----------------------------------------------------------------------------------

reservation_outcome acquire(const question& q, reservation_type type) {
    if (q.now.is_held()) {
        const bool again = q.now.type == type || mutated(mutation::acquiring_changes_the_type);
        if (!q.now.is_held_by(q.who) || !again) return refuse(conflict);
        if (q.now.type == type) return change_nothing();
    }
    reservation_state next = q.now;
    hold(next, q.who, type);
    return lead_to(std::move(next));
}

/// What a Preempt comes to (8.19.7).
struct preemption {
    nvme::status status{};
    bool takes_over = false;  ///< `who` holds the reservation after it, with the type asked for
    bool everybody = false;   ///< every other registrant goes, whatever its key
};

preemption plan_preemption(const question& q) noexcept {
    const std::uint64_t key = q.asked.other_key;
    const auto has_key = [&](const registrant& r) { return r.key == key; };
    if (all_registrants_hold(q.now.type)) {
        if (key == 0 && !mutated(mutation::zero_keys_spare_holders))
            return {.takes_over = true, .everybody = true};
    } else if (q.now.is_held()) {
        if (q.now.find(q.now.holder)->key == key) return {.takes_over = true};
        if (key == 0 && !mutated(mutation::zero_keys_preempt)) return {.status = invalid};
    }
    if (std::none_of(q.now.registrants.begin(), q.now.registrants.end(), has_key))
        return {.status = conflict};
    return {.takes_over = !q.now.is_held() && mutated(mutation::preempting_nobody_acquires)};
}

reservation_outcome preempt(const question& q, reservation_type type, bool and_abort) {
    const preemption plan = plan_preemption(q);
    if (!nvme::is_success(plan.status)) return refuse(plan.status);
    const auto is_removed = [&](const registrant& r) {
        if (mutated(mutation::preempted_hosts_stay_registered)) return false;
        const bool meant = plan.everybody || r.key == q.asked.other_key;
        const bool stays = plan.takes_over && r.host == q.who;
        return meant && (!stays || mutated(mutation::takers_are_preempted_too));
    };
    reservation_state next = q.now;
    if (!mutated(mutation::preempts_are_not_counted)) ++next.generation;
    unregister(next, is_removed);
    if (plan.takes_over)
        hold(next, q.who,
             mutated(mutation::preempting_keeps_the_type) && q.now.is_held() ? q.now.type : type);
    else
        end_without_holder(next);
    const bool type_changes = q.now.is_held() && next.type != q.now.type;
    reservation_outcome out = lead_to(std::move(next));
    const bool aborts = and_abort && !mutated(mutation::preempt_and_abort_ends_nobody);
    for (const registrant& r : q.now.registrants) {
        reservation_effect effect{.host = r.host};
        if (is_removed(r)) {
            effect.ends_commands = aborts;
            if (r.host != q.who && !mutated(mutation::preempted_hosts_are_not_told))
                effect.notice = reservation_notice::registration_preempted;
        } else if (type_changes && r.host != q.who) {
            effect.notice = reservation_notice::reservation_released;
        }
        if (effect != reservation_effect{.host = r.host}) out.effects.push_back(effect);
    }
    return out;
}

reservation_outcome decide_acquire(const question& q) {
    const auto action = nvme::parse_acquire_action(q.asked.command.action);
    const auto type = nvme::parse_reservation_type(q.asked.command.type);
    if (!action || !type || q.ignores_key_in_vain()) return refuse(invalid);
    if (!q.may_go_on()) return refuse(conflict);
    switch (*action) {
        case acquire_action::acquire: return acquire(q, *type);
        case acquire_action::preempt: return preempt(q, *type, false);
        case acquire_action::preempt_and_abort: return preempt(q, *type, true);
    }
    return refuse(invalid);
}

// --- Release -----------------------------------------------------------------------------------

reservation_outcome release_orderly(const question& q) {
    const bool holds = q.now.is_held_by(q.who) ||
                       (q.now.is_held() && mutated(mutation::registrants_release_for_others));
    if (!holds) return change_nothing();
    if (q.asked.command.type != static_cast<std::uint8_t>(q.now.type) &&
        !mutated(mutation::any_type_is_released))
        return refuse(invalid);
    reservation_state next = q.now;
    end_reservation(next);
    reservation_outcome out = lead_to(std::move(next));
    if (tells_release(q.now.type)) tell_others(reservation_notice::reservation_released, q, out);
    return out;
}

reservation_outcome clear(const question& q) {
    reservation_state next;
    next.persistent = q.now.persistent;
    next.generation = q.now.generation + 1;
    if (mutated(mutation::clearing_keeps_registrants)) next.registrants = q.now.registrants;
    reservation_outcome out = lead_to(std::move(next));
    if (!mutated(mutation::clearing_is_not_told))
        tell_others(reservation_notice::reservation_preempted, q, out);
    return out;
}

reservation_outcome decide_release(const question& q) {
    const auto action = nvme::parse_release_action(q.asked.command.action);
    if (!action || q.ignores_key_in_vain()) return refuse(invalid);
    if (!q.may_go_on()) return refuse(conflict);
    switch (*action) {
        case release_action::release: return release_orderly(q);
        case release_action::clear: return clear(q);
    }
    return refuse(invalid);
}

}  // namespace

std::size_t reservation_data_bytes(std::uint8_t opcode) noexcept {
    if (opcode == static_cast<std::uint8_t>(io_opcode::reservation_register))
        return sizeof(nvme::reservation_register_data);
    if (opcode == static_cast<std::uint8_t>(io_opcode::reservation_acquire))
        return sizeof(nvme::reservation_acquire_data);
    if (opcode == static_cast<std::uint8_t>(io_opcode::reservation_release))
        return sizeof(nvme::reservation_release_data);
    return 0;
}

std::optional<reservation_request> read_reservation_request(
    const nvme::sqe& command, std::span<const std::byte> data) noexcept {
    reservation_request out{.opcode = static_cast<io_opcode>(command.opcode),
                            .command = nvme::decode_reservation(command)};
    if (out.opcode == io_opcode::reservation_register) {
        const auto keys = nvme::read_wire<nvme::reservation_register_data>(data);
        if (!keys) return std::nullopt;
        out.current_key = keys->crkey.value();
        out.other_key = keys->nrkey.value();
        return out;
    }
    if (out.opcode == io_opcode::reservation_acquire) {
        const auto keys = nvme::read_wire<nvme::reservation_acquire_data>(data);
        if (!keys) return std::nullopt;
        out.current_key = keys->crkey.value();
        out.other_key = keys->prkey.value();
        return out;
    }
    if (out.opcode != io_opcode::reservation_release) return std::nullopt;
    const auto key = nvme::read_wire<nvme::reservation_release_data>(data);
    if (!key) return std::nullopt;
    out.current_key = key->crkey.value();
    return out;
}

reservation_outcome decide(const reservation_state& now, const host_id& who,
                           const reservation_request& asked) noexcept {
    FULMAR_DASSERT((is_possible(now) || is_locked(now)) && !who.is_nil());
    const question q{.now = now, .who = who, .asked = asked, .self = now.find(who)};
    try {
        if (asked.opcode == io_opcode::reservation_register) return decide_register(q);
        if (asked.opcode == io_opcode::reservation_acquire) return decide_acquire(q);
        if (asked.opcode == io_opcode::reservation_release) return decide_release(q);
    } catch (const std::bad_alloc&) {
        return refuse(sc::internal_error);
    }
    return refuse(sc::invalid_opcode.no_retry());
}

reservation_outcome decide_persistence(const reservation_state& now, bool persistent) noexcept {
    reservation_outcome out;
    if (now.persistent == persistent) return out;
    try {
        out.next = now;
    } catch (const std::bad_alloc&) {
        return refuse(sc::internal_error);
    }
    out.next->persistent = persistent;
    return out;
}

}  // namespace fulmar::core
