#include "read_target.hpp"

#include "model_json.hpp"

#include <fulmar/core/spec_rules.hpp>

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

namespace fulmar::admin {

namespace {

/// The member `key` of `object`, for a problem that concerns it alone; or the object itself.
json_place inside(const json_place& object, std::string_view key) {
    const json_node* node =
        object.node->kind == json_kind::object ? object.node->find(key) : nullptr;
    return node == nullptr ? object : json_place{node, fmt::format("{}/{}", object.pointer, key)};
}

/// What has been claimed so far and in which line, to point at the first bearer when there is a
/// second.
class claim_lines {
  public:
    claim_lines(problem_list& problems, const std::string& folder)
        : folder_(folder), problems_(problems) {}

    /// Enters what the object at `where` claims; what is taken already is a problem of it.
    void enter(const std::vector<core::spec_claim>& claims, const json_place& where) {
        bool name_is_taken = false;
        for (const core::spec_claim& claim : claims) {
            if (claim.key.empty()) continue;
            // What is derived from a name that is taken says nothing new.
            if (name_is_taken && !claim.member.empty() &&
                inside(where, claim.member).node == where.node)
                continue;
            const json_place member = claim.member.empty() ? where : inside(where, claim.member);
            const auto [entry, fresh] = lines_.emplace(claim.key, member.node->line);
            if (!fresh && claim.names_object) name_is_taken = true;
            if (!fresh)
                problems_.add({member.pointer, member.node->line,
                               fmt::format("{} \"{}\" is taken in line {}", claim.what, claim.name,
                                           entry->second),
                               std::string(claim.remedy)});
        }
    }
    void enter(const core::device_spec& spec, const json_place& where) {
        enter(core::claims_of(spec, folder_), where);
        names_.insert(spec.name);
    }
    [[nodiscard]] bool has_device(const std::string& name) const { return names_.contains(name); }

  private:
    const std::string& folder_;
    problem_list& problems_;
    std::unordered_map<std::string, std::uint32_t> lines_;
    std::unordered_set<std::string> names_;  // of devices
};

void read_namespaces_rules(const json_place& where, const core::subsystem_spec& spec,
                           claim_lines& seen, problem_list& problems) {
    const json_node* array = where.node->find("namespaces");
    for (std::size_t i = 0; i < spec.namespaces.size(); ++i) {
        const core::namespace_spec& ns = spec.namespaces[i];
        const json_place item =
            json_place{array, fmt::format("{}/namespaces", where.pointer)}.item(i);
        if (!ns.device.empty() && !seen.has_device(ns.device)) {
            const json_place device = inside(item, "device");
            problems.add({device.pointer, device.node->line,
                          fmt::format("there is no device \"{}\"", ns.device),
                          "add it to \"devices\", or name one of those"});
        }
        seen.enter(core::claims_of(ns, spec.nqn), item);
    }
}

void read_listener_names(const json_place& where, const core::subsystem_spec& spec,
                         const std::unordered_set<std::string>& names, problem_list& problems) {
    const json_node* array = where.node->find("listeners");
    for (std::size_t i = 0; i < spec.listeners.size(); ++i) {
        if (names.contains(spec.listeners[i])) continue;
        problems.warn(
            {fmt::format("{}/listeners/{}", where.pointer, i), array->items[i].line,
             fmt::format("there is no listener \"{}\"", spec.listeners[i]),
             "a listener's name is such as \"tcp:127.0.0.1:4420\" or \"tcp:[::1]:4420\""});
    }
}

/// Names that no listener of the file has, as those above.
void read_ana_paths(const json_place& where, const core::subsystem_spec& spec,
                    const std::unordered_set<std::string>& names, problem_list& problems) {
    for (std::size_t i = 0; i < spec.ana_groups.size(); ++i)
        for (const auto& [listener, state] : spec.ana_groups[i].listeners)
            if (!names.contains(listener))
                problems.warn({fmt::format("{}/ana_groups/{}/listeners", where.pointer, i),
                               where.node->find("ana_groups")->line,
                               fmt::format("there is no listener \"{}\"", listener),
                               "a listener's name is such as \"tcp:127.0.0.1:4420\""});
}

/// The kernel gives one port of one family to a wildcard or to addresses of their own, not to both.
void find_covered_listeners(const std::vector<json_place>& items,
                            const std::vector<core::listener_spec>& all, problem_list& problems) {
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const core::listener_spec& one = all[j];
            const core::listener_spec& other = all[i];
            if (!core::cover_each_other(one, other)) continue;
            const bool first_is_wide = one.address == "0.0.0.0" || one.address == "::";
            const std::string& wide = first_is_wide ? one.address : other.address;
            problems.add({items[i].pointer, items[i].node->line,
                          fmt::format("{} and the listener in line {} cannot both have port {}: {} "
                                      "is every address",
                                      other.address, items[j].node->line, other.port, wide),
                          "remove one of the two"});
            break;
        }
    }
}

}  // namespace

core::target_spec read_target(object_reader& root, const std::string& discovery_nqn,
                              const std::string& folder) {
    problem_list& problems = root.problems();
    claim_lines seen(problems, folder);
    core::target_spec spec;
    std::unordered_set<std::string> listener_names;
    const std::vector<json_place> listeners = root.items("listeners", limits::max_listeners);
    for (const json_place& item : listeners) {
        const auto& added =
            spec.listeners.emplace_back(read_listener(item, problems, document::file));
        seen.enter(core::claims_of(added), item);
        listener_names.insert(added.name());
    }
    find_covered_listeners(listeners, spec.listeners, problems);
    for (const json_place& item : root.items("devices", limits::max_devices))
        seen.enter(spec.devices.emplace_back(read_device(item, problems, document::file)), item);
    for (const json_place& item : root.items("subsystems", limits::max_subsystems)) {
        const auto& added =
            spec.subsystems.emplace_back(read_subsystem(item, problems, document::file));
        seen.enter(core::claims_of(added), item);
        if (!added.nqn.empty() && added.nqn == discovery_nqn)
            problems.add({inside(item, "nqn").pointer, inside(item, "nqn").node->line,
                          "is the NQN of the discovery service", "choose another NQN"});
        read_namespaces_rules(item, added, seen, problems);
        read_listener_names(item, added, listener_names, problems);
        read_ana_paths(item, added, listener_names, problems);
    }
    for (const json_place& item : root.items("referrals", limits::max_listeners)) {
        const auto& added =
            spec.referrals.emplace_back(read_referral(item, problems, document::file));
        seen.enter(core::claims_of(added), item);
    }
    return spec;
}

}  // namespace fulmar::admin
