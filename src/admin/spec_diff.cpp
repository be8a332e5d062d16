#include "spec_diff.hpp"

#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/spec_rules.hpp>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace fulmar::admin {

namespace {

using core::change;
using core::device_spec;
using core::listener_spec;
using core::namespace_spec;
using core::subsystem_spec;

/// What `changes` add, by the UUIDs that hosts know it by.
std::unordered_set<std::string> added_namespaces(const std::vector<change>& changes) {
    std::unordered_set<std::string> out;
    for (const change& one : changes) {
        if (const auto* added = std::get_if<core::add_namespace>(&one))
            out.insert(added->spec.uuid);
        if (const auto* made = std::get_if<core::create_subsystem>(&one))
            for (const namespace_spec& ns : made->spec.namespaces) out.insert(ns.uuid);
    }
    out.erase(std::string{});  // not chosen yet
    return out;
}

/// What goes and is made anew by the same `changes` keeps what its hosts have made of it.
std::vector<change> mark_returning(std::vector<change> changes,
                                   const std::vector<const subsystem_spec*>& running) {
    const std::unordered_set<std::string> added = added_namespaces(changes);
    if (added.empty()) return changes;
    std::unordered_map<std::string_view, const subsystem_spec*> by_name;
    for (const subsystem_spec* subsystem : running) by_name.emplace(subsystem->nqn, subsystem);
    const auto returning = [&](const std::string& nqn) {
        std::unordered_set<std::uint32_t> out;
        if (const auto found = by_name.find(nqn); found != by_name.end())
            for (const namespace_spec& ns : found->second->namespaces)
                if (added.count(ns.uuid) != 0) out.insert(ns.nsid);
        return out;
    };
    for (change& one : changes) {
        if (auto* removed = std::get_if<core::remove_namespace>(&one))
            removed->returns = returning(removed->nqn).count(removed->nsid) != 0;
        if (auto* deleted = std::get_if<core::delete_subsystem>(&one)) {
            const auto nsids = returning(deleted->nqn);
            deleted->returning.assign(nsids.begin(), nsids.end());
        }
    }
    return changes;
}

std::vector<const subsystem_spec*> all_of(const std::vector<subsystem_spec>& subsystems) {
    std::vector<const subsystem_spec*> out;
    for (const subsystem_spec& one : subsystems) out.push_back(&one);
    return out;
}

/// Phases of a reload; changes are collected by phase and run in this order.
struct phases {
    std::vector<change> close;    ///< hosts out, namespaces and subsystems away
    std::vector<change> release;  ///< listeners, devices and drives away
    std::vector<change> provide;  ///< devices and listeners
    std::vector<change> open;     ///< subsystems, namespaces, hosts, pause and resume

    [[nodiscard]] std::vector<change> in_order() && {
        std::vector<change> out = std::move(close);
        for (auto* phase : {&release, &provide, &open})
            std::move(phase->begin(), phase->end(), std::back_inserter(out));
        return out;
    }
};

/// `wanted` says nothing, or the same.
template <typename Value>
bool fits(const Value& running, const Value& wanted, const Value& open) {
    return wanted == open || wanted == running;
}

bool fits(const listener_spec& running, const listener_spec& wanted) {
    return running.transport == wanted.transport && running.address == wanted.address &&
           running.tls == wanted.tls && fits<std::uint16_t>(running.port, wanted.port, 0);
}

/// `wanted`, where what it leaves open keeps the value that it has: hosts know it by that.
subsystem_spec filled(const subsystem_spec& running, const subsystem_spec& wanted) {
    subsystem_spec out = wanted;
    core::keep_chosen_fields(running, out);
    for (namespace_spec& ns : out.namespaces)
        for (const namespace_spec& before : running.namespaces)
            if (before.nsid == ns.nsid) core::keep_chosen_fields(before, ns);
    return out;
}

const namespace_spec* find(const std::vector<namespace_spec>& all, std::uint32_t nsid) {
    const auto found =
        std::find_if(all.begin(), all.end(), [nsid](const auto& ns) { return ns.nsid == nsid; });
    return found == all.end() ? nullptr : &*found;
}

using name_set = std::unordered_set<std::string>;

/// In an ANA group a namespace has no state of its own: one that it is to have comes after the
/// move, one that it has had goes with it.
void diff_kept_namespace(const std::string& nqn, const namespace_spec& running,
                         const namespace_spec& wanted, phases& out) {
    if (auto edits = core::edits_between(running, wanted); edits.which != 0)
        (core::takes_hosts_away(running.visible_to, wanted.visible_to) ? out.close : out.open)
            .push_back(core::modify_namespace{nqn, running.nsid, std::move(edits)});
    if (wanted.ana != running.ana && wanted.ana_group == 0)
        out.open.push_back(core::set_ana_state{nqn, running.nsid, wanted.ana});
}

/// Groups come before the namespaces that move into them, and go after those that leave. Paths
/// close before namespaces move, and open afterwards: none is open in between that is closed before
/// and after, since another target may have its blocks.
void diff_ana_groups(const subsystem_spec& running, const subsystem_spec& wanted, phases& out,
                     std::vector<change>& last) {
    const auto find_group = [](const subsystem_spec& in, std::uint32_t id) {
        const auto at = std::find_if(in.ana_groups.begin(), in.ana_groups.end(),
                                     [id](const auto& one) { return one.id == id; });
        return at == in.ana_groups.end() ? nullptr : &*at;
    };
    std::vector<change> closing;
    for (const core::ana_group_spec& group : wanted.ana_groups) {
        const core::ana_group_spec* const before = find_group(running, group.id);
        if (before == nullptr) {
            out.close.push_back(core::create_ana_group{running.nqn, group});
            continue;
        }
        auto edits = core::edits_between(*before, group);
        if (edits.which == 0) continue;
        (core::closes_paths(*before, group) ? closing : last)
            .push_back(core::modify_ana_group{running.nqn, group.id, std::move(edits)});
    }
    std::move(closing.begin(), closing.end(), std::back_inserter(out.close));
    for (const core::ana_group_spec& group : running.ana_groups)
        if (find_group(wanted, group.id) == nullptr)
            last.push_back(core::delete_ana_group{running.nqn, group.id});
}

void diff_namespaces(const subsystem_spec& running, const subsystem_spec& wanted,
                     const name_set& replaced_devices, phases& out) {
    for (const namespace_spec& ns : running.namespaces) {
        const namespace_spec* next = find(wanted.namespaces, ns.nsid);
        if (next == nullptr || !core::fixed_fields_fit(ns, *next) ||
            replaced_devices.contains(ns.device))
            out.close.push_back(core::remove_namespace{running.nqn, ns.nsid});
        else
            diff_kept_namespace(running.nqn, ns, *next, out);
    }
    for (const namespace_spec& ns : wanted.namespaces) {
        const namespace_spec* before = find(running.namespaces, ns.nsid);
        if (before != nullptr && core::fixed_fields_fit(*before, ns) &&
            !replaced_devices.contains(ns.device))
            continue;
        namespace_spec added = ns;
        // The same namespace on another device keeps its identity.
        if (before != nullptr) core::keep_chosen_fields(*before, added);
        out.open.push_back(core::add_namespace{running.nqn, std::move(added)});
    }
}

void diff_hosts(const subsystem_spec& running, const subsystem_spec& wanted, phases& out) {
    const name_set before(running.hosts.begin(), running.hosts.end());
    const name_set after(wanted.hosts.begin(), wanted.hosts.end());
    // When the door closes, those who may stay are named first: none of them is thrown out.
    const bool closing = running.allow_any_host && !wanted.allow_any_host;
    std::vector<change>& additions = closing ? out.close : out.open;
    for (const std::string& host : wanted.hosts)
        if (!before.contains(host)) additions.push_back(core::add_host{running.nqn, host});
    if (closing) out.close.push_back(core::set_allow_any_host{running.nqn, false});
    for (const std::string& host : running.hosts)
        if (!after.contains(host)) out.close.push_back(core::remove_host{running.nqn, host});
    // Last: who is on a list that was broken does not meet a half of it.
    if (running.closed || (!running.allow_any_host && wanted.allow_any_host))
        out.open.push_back(core::set_allow_any_host{running.nqn, wanted.allow_any_host});
}

// Before anybody is let in: who has to authenticate has to from the first Connect on. What asks for
// less than now stays with the other fields, which come last.
void tighten_authentication(const subsystem_spec& running, const subsystem_spec& wanted,
                            phases& out) {
    for (const core::host_keys_spec& keys : wanted.host_keys)
        if (std::find(running.host_keys.begin(), running.host_keys.end(), keys) ==
            running.host_keys.end())
            out.close.push_back(core::set_host_keys{running.nqn, keys});
    if (!wanted.dhchap_required || running.dhchap_required) return;
    subsystem_spec required = running;
    required.dhchap_required = true;
    out.close.push_back(
        core::modify_subsystem{running.nqn, core::edits_between(running, required)});
}

void diff_one(const subsystem_spec& running, const subsystem_spec& wanted,
              const name_set& replaced_devices, phases& out) {
    std::vector<change> after_moves;
    diff_ana_groups(running, wanted, out, after_moves);
    diff_namespaces(running, wanted, replaced_devices, out);
    std::move(after_moves.begin(), after_moves.end(), std::back_inserter(out.open));
    tighten_authentication(running, wanted, out);
    diff_hosts(running, wanted, out);
    if (auto edits = core::edits_between(running, wanted); edits.which != 0)
        out.open.push_back(core::modify_subsystem{running.nqn, std::move(edits)});
    if (running.paused == wanted.paused) return;
    if (wanted.paused)
        out.open.push_back(core::pause_subsystem{running.nqn});
    else
        out.open.push_back(core::resume_subsystem{running.nqn});
}

/// Devices that go away or are made anew; returns the names of the latter.
name_set diff_devices(const std::vector<device_spec>& running,
                      const std::vector<device_spec>& wanted, phases& out) {
    std::unordered_map<std::string, const device_spec*> before;
    for (const device_spec& device : running) before.emplace(device.name, &device);
    name_set kept;
    name_set replaced;
    for (const device_spec& device : wanted) {
        const auto found = before.find(device.name);
        const bool same = found != before.end() && core::fixed_fields_fit(*found->second, device);
        if (!same) {
            if (found != before.end()) replaced.insert(device.name);
            out.provide.push_back(core::create_device{device, true});
            continue;
        }
        kept.insert(device.name);
        if (!fits<std::uint64_t>(found->second->size_bytes, device.size_bytes, 0))
            out.provide.push_back(core::resize_device{device.name, device.size_bytes});
        if (auto edits = core::edits_between(*found->second, device); edits.which != 0)
            out.provide.push_back(core::modify_device{device.name, std::move(edits)});
        if (device.detached && !found->second->detached)
            out.release.push_back(core::detach_device{device.name});
        if (!device.detached && found->second->detached)
            out.provide.push_back(core::attach_device{device.name});
    }
    for (const device_spec& device : running)
        if (!kept.contains(device.name)) out.release.push_back(core::delete_device{device.name});
    return replaced;
}

void diff_listeners(const std::vector<listener_spec>& running,
                    const std::vector<listener_spec>& wanted, phases& out) {
    std::vector<bool> taken(running.size());
    std::vector<const listener_spec*> missing;
    // Those with a port first, so that "any port" takes what is left.
    for (const bool open : {false, true}) {
        for (const listener_spec& listener : wanted) {
            if ((listener.port == 0) != open) continue;
            std::size_t i = 0;
            while (i < running.size() && (taken[i] || !fits(running[i], listener))) ++i;
            if (i < running.size())
                taken[i] = true;
            else
                missing.push_back(&listener);
        }
    }
    for (std::size_t i = 0; i < running.size(); ++i)
        if (!taken[i]) out.release.push_back(core::remove_listener{running[i].name()});
    for (const listener_spec* listener : missing)
        out.provide.push_back(core::add_listener{*listener});
}

void diff_subsystems(const std::vector<subsystem_spec>& running,
                     const std::vector<subsystem_spec>& wanted, const name_set& replaced_devices,
                     phases& out) {
    std::unordered_map<std::string, const subsystem_spec*> before;
    for (const subsystem_spec& subsystem : running) before.emplace(subsystem.nqn, &subsystem);
    name_set kept;
    for (const subsystem_spec& subsystem : wanted) {
        const auto found = before.find(subsystem.nqn);
        if (found == before.end()) {
            out.open.push_back(core::create_subsystem{subsystem});
            continue;
        }
        if (!core::fixed_fields_fit(*found->second, subsystem)) {
            out.open.push_back(core::create_subsystem{filled(*found->second, subsystem)});
            continue;
        }
        kept.insert(subsystem.nqn);
        diff_one(*found->second, subsystem, replaced_devices, out);
    }
    for (const subsystem_spec& subsystem : running)
        if (!kept.contains(subsystem.nqn))
            out.close.push_back(core::delete_subsystem{subsystem.nqn});
}

}  // namespace

std::vector<change> diff(const core::target_spec& running, const core::target_spec& wanted) {
    phases out;
    const auto has = [](const auto& all, const auto& one) {
        return std::find(all.begin(), all.end(), one) != all.end();
    };
    for (const core::referral_spec& referral : running.referrals)
        if (!has(wanted.referrals, referral)) out.close.push_back(core::remove_referral{referral});
    const name_set replaced = diff_devices(running.devices, wanted.devices, out);
    diff_listeners(running.listeners, wanted.listeners, out);
    diff_subsystems(running.subsystems, wanted.subsystems, replaced, out);
    for (const core::referral_spec& referral : wanted.referrals)
        if (!has(running.referrals, referral)) out.open.push_back(core::add_referral{referral});
    return mark_returning(std::move(out).in_order(), all_of(running.subsystems));
}

std::vector<shrunken_device> find_shrunken(const core::target_spec& running,
                                           const core::target_spec& wanted) {
    std::unordered_map<std::string, const device_spec*> before;
    for (const device_spec& device : running.devices) before.emplace(device.name, &device);
    std::vector<shrunken_device> out;
    for (const device_spec& device : wanted.devices) {
        const auto found = before.find(device.name);
        if (found == before.end() || device.size_bytes == 0) continue;
        const device_spec& now = *found->second;
        const bool same_storage =
            now.type == device.type && now.path == device.path && now.address == device.address;
        if (same_storage && device.size_bytes < now.size_bytes)
            out.push_back({device.name, now.size_bytes, device.size_bytes});
    }
    return out;
}

std::optional<std::vector<change>> diff_subsystem(const subsystem_spec& running,
                                                  const subsystem_spec& wanted) {
    if (!core::fixed_fields_fit(running, wanted)) return std::nullopt;
    phases out;
    diff_one(running, wanted, {}, out);
    return mark_returning(std::move(out).in_order(), {&running});
}

std::vector<change> recreation_of(const subsystem_spec& running, const subsystem_spec& wanted) {
    return mark_returning(
        {core::delete_subsystem{running.nqn}, core::create_subsystem{filled(running, wanted)}},
        {&running});
}

}  // namespace fulmar::admin
