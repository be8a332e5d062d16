#include "json_tree.hpp"

#include <fulmar/admin/broken.hpp>
#include <fulmar/core/new_object_rules.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace fulmar::admin {

namespace {

using kind = broken_object::kind;

/// The object that a JSON pointer leads into.
struct place {
    kind what = kind::device;
    std::size_t index = 0;   // in its array
    std::size_t nested = 0;  // namespaces
    friend bool operator<(const place& a, const place& b) {
        return std::tie(a.index, a.what, a.nested) < std::tie(b.index, b.what, b.nested);
    }
};

std::optional<place> place_of(const std::string& pointer) {
    const std::vector<std::string> parts = pointer_steps(pointer);
    if (parts.size() < 2) return std::nullopt;
    const auto index = index_of_step(parts[1]);
    if (!index) return std::nullopt;
    if (parts[0] == "listeners") return place{kind::listener, *index};
    if (parts[0] == "devices") return place{kind::device, *index};
    if (parts[0] == "referrals") return place{kind::referral, *index};
    if (parts[0] != "subsystems") return std::nullopt;
    // Who may connect, and how it proves that it is who it says: with a part of that unknown,
    // nobody.
    if (parts.size() >= 3 && (parts[2] == "hosts" || parts[2] == "allow_any_host" ||
                              parts[2] == "host_keys" || parts[2].starts_with("dhchap_")))
        return place{kind::allow_list, *index};
    if (parts.size() >= 4 && parts[2] == "namespaces")
        if (const auto nested = index_of_step(parts[3])) return place{kind::ns, *index, *nested};
    return place{kind::subsystem, *index};
}

std::string pointer_of(const place& p) {
    switch (p.what) {
        case kind::listener: return fmt::format("/listeners/{}", p.index);
        case kind::device: return fmt::format("/devices/{}", p.index);
        case kind::referral: return fmt::format("/referrals/{}", p.index);
        case kind::ns: return fmt::format("/subsystems/{}/namespaces/{}", p.index, p.nested);
        case kind::subsystem:
        case kind::allow_list: break;
    }
    return fmt::format("/subsystems/{}", p.index);
}

/// What hosts see of namespace `ns`, which is not served.
broken_object::placeholder stand_in_for(const core::namespace_spec& ns, const std::string& nqn,
                                        const core::target_spec& spec) {
    broken_object::placeholder out;
    out.ns.nsid = ns.nsid;
    out.ns.ana = ns.ana;
    out.ns.ana_group = ns.ana_group;
    out.ns.visible_to = ns.visible_to;
    out.device.name = out.ns.device = fmt::format("absent:{}/{}", nqn, ns.nsid);
    out.device.type = absent_type;
    for (const core::device_spec& device : spec.devices)
        if (device.name == ns.device) {
            out.device.size_bytes = device.size_bytes;
            out.device.block_bytes = device.block_bytes;
        }
    return out;
}

broken_object broken_namespace(const core::namespace_spec& ns, const core::subsystem_spec& in,
                               const core::target_spec& spec, problem why) {
    const std::string& nqn = in.nqn;
    broken_object out;
    out.what = kind::ns;
    out.name = fmt::format("namespace {} of {}", ns.nsid, nqn);
    out.why = std::move(why);
    out.nqn = nqn;
    out.claims = core::claims_of(ns, nqn);
    if (ns.nsid != 0 && core::check_nsid(ns.nsid, in)) out.stand_in = stand_in_for(ns, nqn, spec);
    if (out.stand_in && !core::check_ana_group(out.stand_in->ns, in)) {
        out.stand_in->ns.ana_group = 0;  // it is not ready, whichever group it is in
        out.stand_in->ns.ana = core::ana_state::optimized;
    }
    return out;
}

broken_object describe_broken(const place& p, const core::target_spec& spec,
                              const std::string& folder, const problem& why) {
    broken_object out;
    out.what = p.what;
    out.why = why;
    switch (p.what) {
        case kind::listener:
            out.name = "listener " + spec.listeners[p.index].name();
            out.claims = core::claims_of(spec.listeners[p.index]);
            break;
        case kind::device:
            out.name = fmt::format("device \"{}\"", spec.devices[p.index].name);
            out.claims = core::claims_of(spec.devices[p.index], folder);
            break;
        case kind::referral:
            out.name = "a referral";
            out.claims = core::claims_of(spec.referrals[p.index]);
            break;
        case kind::ns:
            out = broken_namespace(spec.subsystems[p.index].namespaces[p.nested],
                                   spec.subsystems[p.index], spec, why);
            break;
        case kind::subsystem:
        case kind::allow_list: {
            const core::subsystem_spec& s = spec.subsystems[p.index];
            out.nqn = s.nqn;
            out.name = (p.what == kind::subsystem ? "subsystem " : "the allow-list of ") + s.nqn;
            if (p.what == kind::allow_list) break;
            out.claims = core::claims_of(s);
            for (const core::namespace_spec& ns : s.namespaces)
                for (core::spec_claim& claim : core::claims_of(ns, s.nqn))
                    out.claims.push_back(std::move(claim));
            break;
        }
    }
    out.pointer = pointer_of(p);
    return out;
}

bool exists(const place& p, const core::target_spec& spec) {
    switch (p.what) {
        case kind::listener: return p.index < spec.listeners.size();
        case kind::device: return p.index < spec.devices.size();
        case kind::referral: return p.index < spec.referrals.size();
        case kind::ns:
            return p.index < spec.subsystems.size() &&
                   p.nested < spec.subsystems[p.index].namespaces.size();
        case kind::subsystem:
        case kind::allow_list: return p.index < spec.subsystems.size();
    }
    return false;
}

template <typename List>
void keep(List& list, const std::set<std::size_t>& broken) {
    List kept;
    for (std::size_t i = 0; i < list.size(); ++i)
        if (!broken.contains(i)) kept.push_back(std::move(list[i]));
    list = std::move(kept);
}

/// Namespaces whose device is broken are so, too.
void find_orphans(const core::target_spec& spec, const json_node& root,
                  std::map<place, problem>& broken) {
    std::set<std::string> devices;
    for (std::size_t i = 0; i < spec.devices.size(); ++i)
        if (!broken.contains({kind::device, i})) devices.insert(spec.devices[i].name);
    const json_node* array = root.find("subsystems");
    for (std::size_t i = 0; i < spec.subsystems.size(); ++i) {
        const auto& all = spec.subsystems[i].namespaces;
        for (std::size_t j = 0; j < all.size(); ++j) {
            const place here{kind::ns, i, j};
            if (devices.contains(all[j].device)) continue;
            const json_node* list = array->items[i].find("namespaces");
            broken.emplace(here, problem{pointer_of(here) + "/device", list->items[j].line,
                                         fmt::format("its device \"{}\" is broken", all[j].device),
                                         "mend the device"});
        }
    }
}

}  // namespace

std::string broken_object::text() const {
    std::string out = name + " is broken";
    if (why.line != 0) out += fmt::format(", line {}", why.line);
    if (!why.pointer.empty()) out += fmt::format(", {}", why.pointer);
    out += ": " + why.message;
    if (!why.remedy.empty()) out += fmt::format(" ({})", why.remedy);
    if (what == kind::allow_list) out += "; no host may connect until it is mended";
    if (stand_in) out += "; hosts see it as not ready";
    return out;
}

bool set_aside(core::target_spec& spec, const json_node& root, const std::vector<problem>& problems,
               const std::string& folder, std::vector<broken_object>& out) {
    std::map<place, problem> broken;
    for (const problem& one : problems) {
        const auto where = place_of(one.pointer);
        if (!where || !exists(*where, spec)) return false;
        broken.emplace(*where, one);
    }
    find_orphans(spec, root, broken);
    std::map<kind, std::set<std::size_t>> gone;
    std::map<std::size_t, std::set<std::size_t>> gone_namespaces;
    for (const auto& [where, why] : broken) {
        const bool nested = where.what == kind::ns || where.what == kind::allow_list;
        if (nested && broken.contains({kind::subsystem, where.index})) continue;
        out.push_back(describe_broken(where, spec, folder, why));
        if (where.what == kind::ns)
            gone_namespaces[where.index].insert(where.nested);
        else
            gone[where.what].insert(where.index);
    }
    for (const std::size_t index : gone[kind::allow_list]) {
        spec.subsystems[index].hosts.clear();
        spec.subsystems[index].allow_any_host = false;
    }
    for (const auto& [index, nested] : gone_namespaces)
        keep(spec.subsystems[index].namespaces, nested);
    // One that has the NSID of another has no place of its own.
    for (broken_object& one : out)
        for (const core::subsystem_spec& s : spec.subsystems)
            if (one.stand_in && s.nqn == one.nqn &&
                std::any_of(s.namespaces.begin(), s.namespaces.end(),
                            [&](const auto& ns) { return ns.nsid == one.stand_in->ns.nsid; }))
                one.stand_in.reset();
    keep(spec.listeners, gone[kind::listener]);
    keep(spec.devices, gone[kind::device]);
    keep(spec.referrals, gone[kind::referral]);
    keep(spec.subsystems, gone[kind::subsystem]);
    return true;
}

void set_aside_conflicts(core::target_spec& spec, const std::string& folder,
                         std::vector<broken_object>& out) {
    core::claim_book book;
    const auto fits = [&](const std::vector<core::spec_claim>& claims, const std::string& name,
                          kind what, const std::string& nqn) {
        const result<void> checked = book.check(claims);
        if (checked) {
            for (const core::spec_claim& claim : claims) book.take(claim, name);
            return true;
        }
        broken_object one;
        one.what = what;
        one.name = name;
        one.nqn = nqn;
        one.why = {{}, 0, checked.error().message, checked.error().remedy};
        out.push_back(std::move(one));
        return false;
    };
    std::erase_if(spec.listeners, [&](const auto& one) {
        return !fits(core::claims_of(one), "listener " + one.name(), kind::listener, {});
    });
    std::erase_if(spec.referrals, [&](const auto& one) {
        return !fits(core::claims_of(one), "a referral", kind::referral, {});
    });
    std::set<std::string> devices;
    std::erase_if(spec.devices, [&](const auto& one) {
        if (!fits(core::claims_of(one, folder), fmt::format("device \"{}\"", one.name),
                  kind::device, {}))
            return true;
        devices.insert(one.name);
        return false;
    });
    std::erase_if(spec.subsystems, [&](const auto& one) {
        return !fits(core::claims_of(one), "subsystem " + one.nqn, kind::subsystem, {});
    });
    for (core::subsystem_spec& s : spec.subsystems)
        std::erase_if(s.namespaces, [&](const core::namespace_spec& ns) {
            const std::string name = fmt::format("namespace {} of {}", ns.nsid, s.nqn);
            if (!devices.contains(ns.device)) {
                out.push_back(broken_namespace(
                    ns, s, spec,
                    {{}, 0, fmt::format("there is no device \"{}\"", ns.device), "create it"}));
                return true;
            }
            if (const auto room = core::check_nsid(ns.nsid, s); !room) {
                out.push_back(broken_namespace(ns, s, spec,
                                               {{}, 0, room.error().message, room.error().remedy}));
                return true;
            }
            if (const auto group = core::check_ana_group(ns, s); !group) {
                out.push_back(broken_namespace(
                    ns, s, spec, {{}, 0, group.error().message, group.error().remedy}));
                return true;
            }
            if (fits(core::claims_of(ns, s.nqn), name, kind::ns, s.nqn)) return false;
            out.back() = broken_namespace(ns, s, spec, std::move(out.back().why));
            return true;
        });
}

core::target_spec with_stand_ins(core::target_spec spec, const std::vector<broken_object>& broken) {
    for (const broken_object& one : broken) {
        for (core::subsystem_spec& s : spec.subsystems) {
            if (s.nqn != one.nqn) continue;
            s.closed = s.closed || one.what == kind::allow_list;
            if (!one.stand_in) continue;
            spec.devices.push_back(one.stand_in->device);
            s.namespaces.push_back(one.stand_in->ns);
        }
    }
    return spec;
}

}  // namespace fulmar::admin
