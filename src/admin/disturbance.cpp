#include "disturbance.hpp"

#include "problem_document.hpp"

#include <fulmar/core/spec_rules.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace fulmar::admin {

namespace {

constexpr std::size_t max_named = 8;  // in a sentence; the arrays have them all

std::string some_of(const std::vector<std::string>& all) {
    const std::size_t shown = std::min(all.size(), max_named);
    std::string out = fmt::format(
        "{}", fmt::join(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    if (shown < all.size()) out += fmt::format(" and {} more", all.size() - shown);
    return out;
}

std::vector<std::string> list_of(const std::map<std::string, std::set<std::string>>& book,
                                 const std::string& key) {
    const auto found = book.find(key);
    if (found == book.end()) return {};
    return {found->second.begin(), found->second.end()};
}

const core::subsystem_spec* find(const core::target_spec& spec, const std::string& nqn) {
    const auto found = std::find_if(spec.subsystems.begin(), spec.subsystems.end(),
                                    [&](const auto& one) { return one.nqn == nqn; });
    return found == spec.subsystems.end() ? nullptr : &*found;
}

std::string name_of(const std::string& nqn, std::uint32_t nsid) {
    return fmt::format("{}/{}", nqn, nsid);
}

/// The door closes: whoever is on no list has to go.
disturbance closed_out(const std::string& nqn, const connected_hosts& connected,
                       const core::target_spec& wanted) {
    disturbance out{connected.of(nqn), {}};
    if (const core::subsystem_spec* spec = find(wanted, nqn))
        std::erase_if(out.hosts, [&](const std::string& host) {
            return std::find(spec->hosts.begin(), spec->hosts.end(), host) != spec->hosts.end();
        });
    return out;
}

const core::namespace_spec* find(const core::target_spec& spec, const std::string& nqn,
                                 std::uint32_t nsid) {
    const core::subsystem_spec* subsystem = find(spec, nqn);
    if (subsystem == nullptr) return nullptr;
    for (const core::namespace_spec& ns : subsystem->namespaces)
        if (ns.nsid == nsid) return &ns;
    return nullptr;
}

/// Connected hosts that see the namespace now, and will not.
disturbance hidden_from(const core::modify_namespace& c, const connected_hosts& connected,
                        const core::target_spec& running, const core::target_spec& wanted) {
    const core::namespace_spec* before = find(running, c.nqn, c.nsid);
    const core::namespace_spec* after = find(wanted, c.nqn, c.nsid);
    if (before == nullptr || after == nullptr) return {};
    disturbance out{connected.of(c.nqn), {}};
    std::erase_if(out.hosts, [&](const std::string& host) {
        return !core::chooses(before->visible_to, host) || core::chooses(after->visible_to, host);
    });
    if (!out.hosts.empty()) out.namespaces.push_back(name_of(c.nqn, c.nsid));
    return out;
}

/// Of a namespace; one that is in none has its own state.
core::ana_group_spec ana_group_of(const core::target_spec& spec, const std::string& nqn,
                                  const core::namespace_spec& ns) {
    const core::subsystem_spec* in = find(spec, nqn);
    for (const core::ana_group_spec& one : in->ana_groups)
        if (one.id == ns.ana_group) return one;
    return {.state = ns.ana};
}

/// It comes into an ANA group whose paths are closed where those of the former one are not.
disturbance moved_away(const core::modify_namespace& c, const connected_hosts& connected,
                       const core::target_spec& running, const core::target_spec& wanted) {
    const core::namespace_spec* before = find(running, c.nqn, c.nsid);
    const core::namespace_spec* after = find(wanted, c.nqn, c.nsid);
    if (before == nullptr || after == nullptr || before->ana_group == after->ana_group) return {};
    if (!core::closes_paths(ana_group_of(running, c.nqn, *before),
                            ana_group_of(wanted, c.nqn, *after)))
        return {};
    return {connected.of(c.nqn), {name_of(c.nqn, c.nsid)}};
}

/// Some path of the group closes. Which hosts have another one, nobody knows here.
disturbance closed_by(const std::string& nqn, std::uint32_t group, const connected_hosts& connected,
                      const core::target_spec& running, const core::target_spec& wanted) {
    const core::subsystem_spec* in = find(running, nqn);
    if (in == nullptr || find(wanted, nqn) == nullptr) return {};
    const core::namespace_spec any{.ana_group = group};
    if (!core::closes_paths(ana_group_of(running, nqn, any), ana_group_of(wanted, nqn, any)))
        return {};
    disturbance out;
    for (const core::namespace_spec& ns : in->namespaces)
        if (ns.ana_group == group) out.namespaces.push_back(name_of(nqn, ns.nsid));
    if (!out.namespaces.empty()) out.hosts = connected.of(nqn);
    return out;
}

disturbance without(const std::string& device, const connected_hosts& connected,
                    const core::target_spec& running) {
    disturbance out;
    for (const core::subsystem_spec& subsystem : running.subsystems)
        for (const core::namespace_spec& ns : subsystem.namespaces)
            if (ns.device == device)
                out = {connected.of(subsystem.nqn), {name_of(subsystem.nqn, ns.nsid)}};
    return out;
}

}  // namespace

connected_hosts::connected_hosts(const std::vector<core::connection_status>& connections) {
    for (const core::connection_status& one : connections) {
        if (one.host_nqn.empty()) continue;
        if (!one.subsystem_nqn.empty()) by_subsystem_[one.subsystem_nqn].insert(one.host_nqn);
        by_listener_[one.transport + ":" + one.local].insert(one.host_nqn);
    }
}

std::vector<std::string> connected_hosts::of(const std::string& subsystem) const {
    return list_of(by_subsystem_, subsystem);
}

// A wildcard has all that came to its port: their local ends say which address they asked for.
std::vector<std::string> connected_hosts::through(const std::string& listener) const {
    const bool wild = listener.find(":0.0.0.0:") != std::string::npos ||
                      listener.find(":[::]:") != std::string::npos;
    if (!wild) return list_of(by_listener_, listener);
    const std::string transport = listener.substr(0, listener.find(':') + 1);
    const std::string port = listener.substr(listener.rfind(':'));
    std::set<std::string> out;
    for (const auto& [local, hosts] : by_listener_)
        if (local.starts_with(transport) && local.ends_with(port))
            out.insert(hosts.begin(), hosts.end());
    return {out.begin(), out.end()};
}

void disturbance::add(const disturbance& other) {
    for (const auto& [into, from] :
         {std::pair{&hosts, &other.hosts}, std::pair{&namespaces, &other.namespaces}}) {
        into->insert(into->end(), from->begin(), from->end());
        std::sort(into->begin(), into->end());
        into->erase(std::unique(into->begin(), into->end()), into->end());
    }
}

std::string disturbance::text() const {
    std::string out;
    if (!namespaces.empty())
        out = fmt::format("{} {}", namespaces.size() == 1 ? "namespace" : "namespaces",
                          some_of(namespaces));
    if (hosts.empty()) return out.empty() ? "no host" : out + ", used by no host now";
    const std::string who = fmt::format("{} {} ({})", hosts.size(),
                                        hosts.size() == 1 ? "host" : "hosts", some_of(hosts));
    return out.empty() ? who : out + ", used by " + who;
}

disturbance disturbed_by(const core::change& what, const connected_hosts& connected,
                         const core::target_spec& running, const core::target_spec& wanted) {
    if (const auto* c = std::get_if<core::delete_subsystem>(&what)) {
        disturbance out{connected.of(c->nqn), {}};
        if (const core::subsystem_spec* spec = find(running, c->nqn))
            for (const core::namespace_spec& ns : spec->namespaces)
                out.namespaces.push_back(name_of(c->nqn, ns.nsid));
        return out;
    }
    if (const auto* c = std::get_if<core::remove_namespace>(&what))
        return {connected.of(c->nqn), {name_of(c->nqn, c->nsid)}};
    if (const auto* c = std::get_if<core::remove_host>(&what)) {
        const std::vector<std::string> all = connected.of(c->nqn);
        if (std::find(all.begin(), all.end(), c->host) == all.end()) return {};
        return {{c->host}, {}};
    }
    if (const auto* c = std::get_if<core::set_allow_any_host>(&what))
        return c->allow ? disturbance{} : closed_out(c->nqn, connected, wanted);
    if (const auto* c = std::get_if<core::pause_subsystem>(&what))
        return {connected.of(c->nqn), {}};
    if (const auto* c = std::get_if<core::set_ana_state>(&what)) {
        if (core::is_served(c->state)) return {};
        return {connected.of(c->nqn), {name_of(c->nqn, c->nsid)}};
    }
    if (const auto* c = std::get_if<core::modify_namespace>(&what)) {
        disturbance out = hidden_from(*c, connected, running, wanted);
        out.add(moved_away(*c, connected, running, wanted));
        return out;
    }
    if (const auto* c = std::get_if<core::modify_ana_group>(&what))
        return closed_by(c->nqn, c->id, connected, running, wanted);
    if (const auto* c = std::get_if<core::set_ana_path>(&what))
        return closed_by(c->nqn, c->id, connected, running, wanted);
    if (const auto* c = std::get_if<core::remove_listener>(&what))
        return {connected.through(c->name), {}};
    if (const auto* c = std::get_if<core::detach_device>(&what))
        return without(c->name, connected, running);
    return {};
}

void with_hosts(const call_ptr& call, std::function<void(const connected_hosts&)> next) {
    call->ask(core::list_connections{},
              [then = std::move(next)](const core::control_answer& answer, std::uint64_t) {
                  then(connected_hosts(std::get<std::vector<core::connection_status>>(answer)));
              });
}

http_response disturbance_response(std::string_view code, const error& why, const disturbance& who,
                                   std::string_view instance) {
    error told = why;
    told.message += "; concerned: " + who.text();
    http_response out = problem_response(409, code, told, instance);
    auto document = nlohmann::ordered_json::parse(out.body);
    document["host_count"] = who.hosts.size();
    document["hosts"] = who.hosts;
    document["namespaces"] = who.namespaces;
    out.body = dump(document);
    return out;
}

}  // namespace fulmar::admin
