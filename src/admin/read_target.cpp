#include "read_target.hpp"

#include "model_json.hpp"

#include <fmt/format.h>

#include <unordered_map>

namespace fulmar::admin {

namespace {

/// Names seen so far and where, to point at the first bearer when there is a second.
class name_book {
  public:
    explicit name_book(problem_list& problems) : problems_(problems) {}

    /// Enters `name`; a name that is there already is a problem of `where`.
    void enter(const std::string& name, const json_place& where, std::string_view what,
               std::string remedy) {
        if (name.empty()) return;
        const auto [entry, fresh] = lines_.emplace(name, where.node->line);
        if (!fresh)
            problems_.add({where.pointer, where.node->line,
                           fmt::format("{} \"{}\" is taken in line {}", what, name, entry->second),
                           std::move(remedy)});
    }
    [[nodiscard]] bool has(const std::string& name) const { return lines_.contains(name); }

  private:
    problem_list& problems_;
    std::unordered_map<std::string, std::uint32_t> lines_;
};

/// The member `key` of `object`, for a problem that concerns it alone; or the object itself.
json_place inside(const json_place& object, std::string_view key) {
    const json_node* node =
        object.node->kind == json_kind::object ? object.node->find(key) : nullptr;
    return node == nullptr ? object : json_place{node, fmt::format("{}/{}", object.pointer, key)};
}

struct books {
    explicit books(problem_list& problems)
        : listeners(problems),
          devices(problems),
          paths(problems),
          subsystems(problems),
          used_devices(problems),
          uuids(problems),
          nguids(problems),
          referrals(problems) {}
    name_book listeners, devices, paths, subsystems, used_devices, uuids, nguids, referrals;
};

template <typename Endpoint>
std::string endpoint_name(const Endpoint& spec) {
    return fmt::format("{}:{}:{}", spec.transport, spec.address, spec.port);
}

void read_namespaces_rules(const json_place& where, const core::subsystem_spec& spec, books& seen,
                           problem_list& problems) {
    const json_node* array = where.node->find("namespaces");
    name_book nsids(problems);
    for (std::size_t i = 0; i < spec.namespaces.size(); ++i) {
        const core::namespace_spec& ns = spec.namespaces[i];
        const json_place item =
            json_place{array, fmt::format("{}/namespaces", where.pointer)}.item(i);
        if (ns.nsid != 0)
            nsids.enter(fmt::format("{}", ns.nsid), inside(item, "nsid"), "NSID",
                        "every namespace of a subsystem needs an NSID of its own");
        seen.uuids.enter(ns.uuid, inside(item, "uuid"), "UUID", "remove it to have one derived");
        seen.nguids.enter(ns.nguid, inside(item, "nguid"), "NGUID",
                          "remove it to have one derived");
        if (ns.device.empty()) continue;
        const json_place device = inside(item, "device");
        if (!seen.devices.has(ns.device))
            problems.add({device.pointer, device.node->line,
                          fmt::format("there is no device \"{}\"", ns.device),
                          "add it to \"devices\", or name one of those"});
        seen.used_devices.enter(ns.device, device, "the device",
                                "a device backs one namespace; give each its own");
    }
}

void read_listener_names(const json_place& where, const core::subsystem_spec& spec,
                         const books& seen, problem_list& problems) {
    const json_node* array = where.node->find("listeners");
    for (std::size_t i = 0; i < spec.listeners.size(); ++i) {
        if (seen.listeners.has(spec.listeners[i])) continue;
        problems.warn(
            {fmt::format("{}/listeners/{}", where.pointer, i), array->items[i].line,
             fmt::format("there is no listener \"{}\"", spec.listeners[i]),
             "a listener's name is such as \"tcp:127.0.0.1:4420\" or \"tcp:[::1]:4420\""});
    }
}

bool is_wildcard(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

/// The kernel gives one port of one family to a wildcard or to addresses of their own, not to both.
void find_covered_listeners(const std::vector<json_place>& items,
                            const std::vector<core::listener_spec>& all, problem_list& problems) {
    const auto family = [](const core::listener_spec& l) {
        return l.address.find(':') != std::string::npos;
    };
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const core::listener_spec& one = all[j];
            const core::listener_spec& other = all[i];
            const bool meet = one.port == other.port && one.port != 0 &&
                              one.transport == other.transport && family(one) == family(other) &&
                              is_wildcard(one.address) != is_wildcard(other.address);
            if (!meet || one.address.empty() || other.address.empty()) continue;
            const std::string& wide = is_wildcard(one.address) ? one.address : other.address;
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

core::target_spec read_target(object_reader& root, const std::string& discovery_nqn) {
    problem_list& problems = root.problems();
    books seen(problems);
    core::target_spec spec;
    const std::vector<json_place> listeners = root.items("listeners", limits::max_listeners);
    for (const json_place& item : listeners) {
        const auto& added =
            spec.listeners.emplace_back(read_listener(item, problems, document::file));
        if (added.port != 0)
            seen.listeners.enter(added.name(), item, "the address of listener",
                                 "remove one of the two");
    }
    find_covered_listeners(listeners, spec.listeners, problems);
    for (const json_place& item : root.items("devices", limits::max_devices)) {
        const auto& added = spec.devices.emplace_back(read_device(item, problems, document::file));
        seen.devices.enter(added.name, inside(item, "name"), "the device name",
                           "choose another name");
        seen.paths.enter(added.path, inside(item, "path"), "the path", "one file backs one device");
        seen.paths.enter(added.drive_nsid == 0 || added.address.empty()
                             ? added.address
                             : fmt::format("{} namespace {}", added.address, added.drive_nsid),
                         inside(item, "address"), "the address",
                         "one namespace of a drive backs one device: set drive_nsid");
    }
    for (const json_place& item : root.items("subsystems", limits::max_subsystems)) {
        const auto& added =
            spec.subsystems.emplace_back(read_subsystem(item, problems, document::file));
        seen.subsystems.enter(added.nqn, inside(item, "nqn"), "the NQN", "choose another NQN");
        if (!added.nqn.empty() && added.nqn == discovery_nqn)
            problems.add({inside(item, "nqn").pointer, inside(item, "nqn").node->line,
                          "is the NQN of the discovery service", "choose another NQN"});
        read_namespaces_rules(item, added, seen, problems);
        read_listener_names(item, added, seen, problems);
    }
    for (const json_place& item : root.items("referrals", limits::max_listeners)) {
        const auto& added =
            spec.referrals.emplace_back(read_referral(item, problems, document::file));
        seen.referrals.enter(endpoint_name(added), item, "the referral", "remove one of the two");
    }
    return spec;
}

}  // namespace fulmar::admin
