#include "spec_editor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::admin {

template <typename Spec>
Spec* spec_editor::book<Spec>::find(const std::string& name) {
    const auto found = index.find(name);
    return found == index.end() ? nullptr : &*places[found->second];
}

template <typename Spec>
const Spec* spec_editor::book<Spec>::find(const std::string& name) const {
    const auto found = index.find(name);
    return found == index.end() ? nullptr : &*places[found->second];
}

template <typename Spec>
void spec_editor::book<Spec>::add(const std::string& name, const Spec& spec) {
    if (places.size() > 2 * index.size() + 64) {  // mostly empty places: close the ranks
        std::vector<std::optional<Spec>> packed;
        std::vector<std::size_t> moved(places.size());
        for (std::size_t i = 0; i < places.size(); ++i) {
            moved[i] = packed.size();
            if (places[i]) packed.push_back(std::move(places[i]));
        }
        places = std::move(packed);
        for (auto& [key, place] : index) place = moved[place];
    }
    index.emplace(name, places.size());
    places.emplace_back(spec);
}

template <typename Spec>
void spec_editor::book<Spec>::remove(const std::string& name) {
    const auto found = index.find(name);
    if (found == index.end()) return;
    places[found->second].reset();
    index.erase(found);
}

template <typename Spec>
std::vector<Spec> spec_editor::book<Spec>::all() const {
    std::vector<Spec> out;
    for (const std::optional<Spec>& place : places)
        if (place) out.push_back(*place);
    return out;
}

namespace {

std::string user_name(const std::string& nqn, std::uint32_t nsid) {
    return fmt::format("{}/{}", nqn, nsid);
}

auto find_namespace(core::subsystem_spec& spec, std::uint32_t nsid) {
    return std::find_if(spec.namespaces.begin(), spec.namespaces.end(),
                        [nsid](const core::namespace_spec& ns) { return ns.nsid == nsid; });
}

}  // namespace

spec_editor::spec_editor(core::target_spec spec)
    : listeners_(std::move(spec.listeners)), referrals_(std::move(spec.referrals)) {
    for (const core::device_spec& device : spec.devices) devices_.add(device.name, device);
    for (const core::subsystem_spec& subsystem : spec.subsystems) {
        subsystems_.add(subsystem.nqn, subsystem);
        for (const core::namespace_spec& ns : subsystem.namespaces)
            users_[ns.device] = user_name(subsystem.nqn, ns.nsid);
    }
}

result<void> spec_editor::apply(const core::change& change) {
    return std::visit([this](const auto& c) { return run(c); }, change);
}

result<void> spec_editor::follow(const core::change& change) {
    if (const auto* c = std::get_if<core::create_device>(&change)) {
        if (core::device_spec* old = devices_.find(c->spec.name)) {
            *old = c->spec;  // its namespace, which is not served either, keeps it
            return {};
        }
    } else if (const auto* deleted = std::get_if<core::delete_device>(&change)) {
        free_device(deleted->name);
    } else if (const auto* made = std::get_if<core::create_subsystem>(&change)) {
        if (subsystems_.find(made->spec.nqn) != nullptr)
            FULMAR_CHECK(run(core::delete_subsystem{made->spec.nqn}));
        for (const core::namespace_spec& ns : made->spec.namespaces) free_device(ns.device);
    } else if (const auto* added = std::get_if<core::add_namespace>(&change)) {
        if (want_namespace(added->nqn, added->spec.nsid))
            FULMAR_CHECK(run(core::remove_namespace{added->nqn, added->spec.nsid}));
        free_device(added->spec.device);
    } else if (const auto* listener = std::get_if<core::add_listener>(&change)) {
        if (std::find(listeners_.begin(), listeners_.end(), listener->spec) != listeners_.end())
            return {};
    }
    return apply(change);
}

void spec_editor::free_device(const std::string& device) {
    const auto user = users_.find(device);
    if (user == users_.end()) return;
    const std::string name = user->second;
    users_.erase(user);
    if (core::subsystem_spec* s = subsystems_.find(name.substr(0, name.rfind('/'))))
        std::erase_if(s->namespaces,
                      [&](const core::namespace_spec& ns) { return ns.device == device; });
}

const core::subsystem_spec* spec_editor::subsystem(const std::string& nqn) const {
    return subsystems_.find(nqn);
}

const core::device_spec* spec_editor::device(const std::string& name) const {
    return devices_.find(name);
}

bool spec_editor::has(const core::change& removal) const {
    if (const auto* c = std::get_if<core::delete_device>(&removal))
        return devices_.find(c->name) != nullptr;
    if (const auto* c = std::get_if<core::delete_subsystem>(&removal))
        return subsystems_.find(c->nqn) != nullptr;
    if (const auto* c = std::get_if<core::remove_listener>(&removal))
        return std::any_of(listeners_.begin(), listeners_.end(),
                           [&](const auto& l) { return l.name() == c->name; });
    const auto* c = std::get_if<core::remove_namespace>(&removal);
    const core::subsystem_spec* in = c != nullptr ? subsystems_.find(c->nqn) : nullptr;
    return in != nullptr && std::any_of(in->namespaces.begin(), in->namespaces.end(),
                                        [&](const auto& ns) { return ns.nsid == c->nsid; });
}

std::string spec_editor::user_of(const std::string& device) const {
    const auto found = users_.find(device);
    return found == users_.end() ? std::string() : found->second;
}

core::target_spec spec_editor::spec() const {
    return {listeners_, devices_.all(), subsystems_.all(), referrals_};
}

result<core::subsystem_spec*> spec_editor::want_subsystem(const std::string& nqn) {
    if (core::subsystem_spec* found = subsystems_.find(nqn)) return found;
    return fail(errc::not_found, fmt::format("there is no subsystem \"{}\"", nqn));
}

result<core::namespace_spec*> spec_editor::want_namespace(const std::string& nqn,
                                                          std::uint32_t nsid) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(nqn));
    const auto found = find_namespace(*subsystem, nsid);
    if (found == subsystem->namespaces.end())
        return fail(errc::not_found, fmt::format("there is no namespace {} in {}", nsid, nqn));
    return &*found;
}

result<void> spec_editor::check_device(const std::string& name) const {
    if (devices_.find(name) == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", name));
    if (const auto user = users_.find(name); user != users_.end())
        return fail(errc::conflict,
                    fmt::format("device \"{}\" backs namespace {}", name, user->second), {},
                    "a device backs one namespace");
    return {};
}

result<void> spec_editor::run(const core::create_device& c) {
    if (devices_.find(c.spec.name) != nullptr)
        return fail(errc::already_exists, fmt::format("device \"{}\" exists", c.spec.name));
    devices_.add(c.spec.name, c.spec);
    return {};
}

result<void> spec_editor::run(const core::delete_device& c) {
    if (devices_.find(c.name) == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", c.name));
    if (const auto user = users_.find(c.name); user != users_.end())
        return fail(errc::conflict,
                    fmt::format("device \"{}\" backs namespace {}", c.name, user->second), {},
                    "remove the namespace first");
    devices_.remove(c.name);
    return {};
}

result<void> spec_editor::run(const core::resize_device& c) {
    core::device_spec* device = devices_.find(c.name);
    if (device == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", c.name));
    if (c.size_bytes != 0) device->size_bytes = c.size_bytes;
    return {};
}

result<void> spec_editor::run(const core::reopen_device& c) {
    if (devices_.find(c.name) == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", c.name));
    return {};
}

result<void> spec_editor::keep_away(const std::string& name, bool away) {
    core::device_spec* device = devices_.find(name);
    if (device == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", name));
    if (device->type != "pcie")
        return fail(errc::not_supported, "only a drive can be detached and attached");
    device->detached = away;
    return {};
}

result<void> spec_editor::run(const core::detach_device& c) { return keep_away(c.name, true); }
result<void> spec_editor::run(const core::attach_device& c) { return keep_away(c.name, false); }

result<void> spec_editor::run(const core::create_subsystem& c) {
    if (subsystems_.find(c.spec.nqn) != nullptr)
        return fail(errc::already_exists, fmt::format("subsystem \"{}\" exists", c.spec.nqn));
    for (auto ns = c.spec.namespaces.begin(); ns != c.spec.namespaces.end(); ++ns) {
        FULMAR_CHECK(check_device(ns->device));
        for (auto other = c.spec.namespaces.begin(); other != ns; ++other)
            if (other->nsid == ns->nsid || other->device == ns->device)
                return fail(errc::conflict,
                            fmt::format("namespace {}: NSID or device is taken", ns->nsid));
    }
    subsystems_.add(c.spec.nqn, c.spec);
    for (const core::namespace_spec& ns : c.spec.namespaces)
        users_[ns.device] = user_name(c.spec.nqn, ns.nsid);
    return {};
}

result<void> spec_editor::run(const core::delete_subsystem& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    for (const core::namespace_spec& ns : subsystem->namespaces) users_.erase(ns.device);
    subsystems_.remove(c.nqn);
    return {};
}

result<void> spec_editor::run(const core::pause_subsystem& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    subsystem->paused = true;
    return {};
}

result<void> spec_editor::run(const core::resume_subsystem& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    subsystem->paused = false;
    return {};
}

result<void> spec_editor::run(const core::add_namespace& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    if (find_namespace(*subsystem, c.spec.nsid) != subsystem->namespaces.end())
        return fail(errc::already_exists,
                    fmt::format("namespace {} exists in {}", c.spec.nsid, c.nqn), "/nsid",
                    "choose another one, or leave it out");
    FULMAR_CHECK(check_device(c.spec.device));
    subsystem->namespaces.push_back(c.spec);
    users_[c.spec.device] = user_name(c.nqn, c.spec.nsid);
    return {};
}

result<void> spec_editor::run(const core::remove_namespace& c) {
    FULMAR_TRY(core::namespace_spec * ns, want_namespace(c.nqn, c.nsid));
    users_.erase(ns->device);
    core::subsystem_spec& subsystem = *subsystems_.find(c.nqn);
    subsystem.namespaces.erase(find_namespace(subsystem, c.nsid));
    return {};
}

result<void> spec_editor::run(const core::set_ana_state& c) {
    FULMAR_TRY(core::namespace_spec * ns, want_namespace(c.nqn, c.nsid));
    ns->ana = c.state;
    return {};
}

result<void> spec_editor::run(const core::add_host& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    if (std::find(subsystem->hosts.begin(), subsystem->hosts.end(), c.host) !=
        subsystem->hosts.end())
        return fail(errc::already_exists, fmt::format("host \"{}\" is allowed already", c.host),
                    "/host");
    subsystem->hosts.push_back(c.host);
    return {};
}

result<void> spec_editor::run(const core::remove_host& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    if (std::erase(subsystem->hosts, c.host) == 0)
        return fail(errc::not_found,
                    fmt::format("host \"{}\" is not in the list of {}", c.host, c.nqn));
    return {};
}

result<void> spec_editor::run(const core::set_allow_any_host& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    subsystem->allow_any_host = c.allow;
    return {};
}

result<void> spec_editor::run(const core::add_listener& c) {
    const auto same = [&](const core::listener_spec& l) { return l.port != 0 && l == c.spec; };
    if (std::any_of(listeners_.begin(), listeners_.end(), same))
        return fail(errc::already_exists, fmt::format("listener \"{}\" exists", c.spec.name()));
    listeners_.push_back(c.spec);
    return {};
}

result<void> spec_editor::run(const core::remove_listener& c) {
    auto found = std::find_if(listeners_.begin(), listeners_.end(),
                              [&](const core::listener_spec& l) { return l.name() == c.name; });
    if (found == listeners_.end())
        // A file may say "any port"; the name then has the port that was bound.
        found = std::find_if(listeners_.begin(), listeners_.end(), [&](core::listener_spec l) {
            if (l.port != 0) return false;
            const std::string any = l.name();
            return c.name.starts_with(any.substr(0, any.size() - 1));
        });
    if (found == listeners_.end())
        return fail(errc::not_found, fmt::format("there is no listener \"{}\"", c.name));
    listeners_.erase(found);
    return {};
}

result<void> spec_editor::run(const core::add_referral& c) {
    if (std::find(referrals_.begin(), referrals_.end(), c.spec) != referrals_.end())
        return fail(errc::already_exists, "the referral exists");
    referrals_.push_back(c.spec);
    return {};
}

result<void> spec_editor::run(const core::remove_referral& c) {
    if (std::erase(referrals_, c.spec) == 0)
        return fail(errc::not_found, "there is no such referral");
    return {};
}

}  // namespace fulmar::admin
