#include "missing.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace fulmar::admin {

std::vector<missing_part> missing_parts(const core::target_spec& configured,
                                        const core::target_spec& running) {
    std::vector<missing_part> out;
    std::unordered_set<std::string> listeners;
    std::unordered_set<std::string> devices;
    std::unordered_map<std::string, const core::subsystem_spec*> subsystems;
    for (const auto& one : running.listeners) listeners.insert(one.name());
    for (const auto& one : running.devices) devices.insert(one.name);
    for (const auto& one : running.subsystems) subsystems.emplace(one.nqn, &one);

    for (const auto& one : configured.listeners)
        // Any port: whichever it got, it has one of its own.
        if (one.port != 0 && !listeners.contains(one.name()))
            out.push_back({"listener", one.name()});
    for (const auto& one : configured.devices)
        if (!devices.contains(one.name)) out.push_back({"device", one.name});
    for (const auto& one : configured.subsystems) {
        const auto found = subsystems.find(one.nqn);
        if (found == subsystems.end()) {
            out.push_back({"subsystem", one.nqn});
            continue;
        }
        const auto& there = found->second->namespaces;
        for (const auto& ns : one.namespaces)
            if (std::none_of(there.begin(), there.end(),
                             [&](const auto& other) { return other.nsid == ns.nsid; }))
                out.push_back({"namespace", one.nqn, ns.nsid});
    }
    return out;
}

}  // namespace fulmar::admin
