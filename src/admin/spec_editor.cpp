#include "spec_editor.hpp"

#include <fulmar/core/spec_changes.hpp>

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

const std::string under_way = "a change that is under way";

std::string holder_of(const core::device_spec& spec) {
    return fmt::format("device \"{}\"", spec.name);
}
std::string holder_of(const core::namespace_spec& spec, const std::string& nqn) {
    return "namespace " + user_name(nqn, spec.nsid);
}
std::string holder_of(const core::subsystem_spec& spec) {
    return fmt::format("subsystem \"{}\"", spec.nqn);
}
std::string list_of(const std::string& nqn) { return "the list of " + nqn; }
const std::string a_listener = "a listener";
const std::string a_referral = "another one";

auto find_namespace(core::subsystem_spec& spec, std::uint32_t nsid) {
    return std::find_if(spec.namespaces.begin(), spec.namespaces.end(),
                        [nsid](const core::namespace_spec& ns) { return ns.nsid == nsid; });
}

}  // namespace

spec_editor::spec_editor(core::target_spec spec, std::string folder)
    : folder_(std::move(folder)),
      listeners_(std::move(spec.listeners)),
      referrals_(std::move(spec.referrals)) {
    for (const core::listener_spec& one : listeners_) take(core::claims_of(one), a_listener);
    for (const core::referral_spec& one : referrals_) take(core::claims_of(one), a_referral);
    for (const core::device_spec& device : spec.devices) {
        devices_.add(device.name, device);
        take(core::claims_of(device, folder_), holder_of(device));
    }
    for (const core::subsystem_spec& subsystem : spec.subsystems) {
        subsystems_.add(subsystem.nqn, subsystem);
        take_all(subsystem);
        for (const core::namespace_spec& ns : subsystem.namespaces)
            users_[ns.device] = {subsystem.nqn, ns.nsid};
    }
}

void spec_editor::take(const std::vector<core::spec_claim>& claims, const std::string& holder) {
    for (const core::spec_claim& claim : claims) claims_.take(claim, holder);
}

void spec_editor::give_back(const std::vector<core::spec_claim>& claims,
                            const std::string& holder) {
    for (const core::spec_claim& claim : claims) claims_.give_back(claim, holder);
}

void spec_editor::reserve(const std::vector<core::spec_claim>& claims, const std::string& holder,
                          const std::string& nqn) {
    take(claims, holder);
    reserved_.push_back({claims, holder, nqn});
}

void spec_editor::close_list(const std::string& nqn) { closed_.insert(nqn); }

namespace {

/// The name of what `change` takes away; empty when it takes nothing away.
std::string key_of_removal(const core::change& change) {
    if (const auto* c = std::get_if<core::delete_device>(&change)) return "device " + c->name;
    if (const auto* c = std::get_if<core::delete_subsystem>(&change)) return "subsystem " + c->nqn;
    if (const auto* c = std::get_if<core::remove_listener>(&change)) return "listener " + c->name;
    if (const auto* c = std::get_if<core::remove_namespace>(&change))
        return core::key_of_nsid(c->nqn, c->nsid);
    return {};
}

/// The subsystem whose allow-list `change` concerns; null when it concerns none.
const std::string* list_changed_by(const core::change& change) {
    if (const auto* c = std::get_if<core::add_host>(&change)) return &c->nqn;
    if (const auto* c = std::get_if<core::remove_host>(&change)) return &c->nqn;
    if (const auto* c = std::get_if<core::set_host_keys>(&change)) return &c->nqn;
    if (const auto* c = std::get_if<core::set_allow_any_host>(&change)) return &c->nqn;
    return nullptr;
}

constexpr const char* mend = "mend it in the configuration file, then reload it";

}  // namespace

result<void> spec_editor::check_broken(const core::change& change) const {
    if (const std::string* nqn = list_changed_by(change); nqn != nullptr && closed_.contains(*nqn))
        return fail(errc::bad_state,
                    fmt::format("the allow-list of {} is broken: no host may connect", *nqn), {},
                    mend);
    const std::string key = key_of_removal(change);
    if (key.empty() || reserved_.empty() || has(change)) return {};
    for (const reservation& one : reserved_)
        for (const core::spec_claim& claim : one.claims)
            if (claim.key == key) return fail(errc::bad_state, one.holder, {}, mend);
    return {};
}

void spec_editor::take_all(const core::subsystem_spec& spec) {
    take(core::claims_of(spec), holder_of(spec));
    for (const core::namespace_spec& ns : spec.namespaces)
        take(core::claims_of(ns, spec.nqn), holder_of(ns, spec.nqn));
    for (const std::string& host : spec.hosts)
        take(core::claims_of_host(host, spec.nqn), list_of(spec.nqn));
}

void spec_editor::give_back_all(const core::subsystem_spec& spec) {
    give_back(core::claims_of(spec), holder_of(spec));
    for (const core::namespace_spec& ns : spec.namespaces)
        give_back(core::claims_of(ns, spec.nqn), holder_of(ns, spec.nqn));
    for (const std::string& host : spec.hosts)
        give_back(core::claims_of_host(host, spec.nqn), list_of(spec.nqn));
}

result<void> spec_editor::check(const core::change& change) const {
    return check(change, core::claims_of(change, folder_), {});
}

result<void> spec_editor::check(const core::change& change,
                                const std::vector<core::spec_claim>& claims,
                                const std::vector<std::string>& own) const {
    FULMAR_CHECK(check_broken(change));
    FULMAR_CHECK(check_room(change));
    FULMAR_CHECK(claims_.check(claims, own));
    if (const auto* c = std::get_if<core::create_subsystem>(&change))
        return core::check_new_subsystem(c->spec, false);  // its name is one of the claims
    if (const auto* c = std::get_if<core::resize_device>(&change))
        if (const core::device_spec* device = devices_.find(c->name))
            return core::check_size(c->size_bytes, *device);
    if (const auto* c = std::get_if<core::add_listener>(&change)) {
        for (const auto* all : {&listeners_, &held_listeners_})
            for (const core::listener_spec& one : *all)
                if (core::cover_each_other(one, c->spec))
                    return fail(errc::conflict,
                                fmt::format("{} and {} cannot both have port {}: one of them is "
                                            "every address",
                                            c->spec.name(), one.name(), one.port),
                                "/address", "remove the other one first");
    }
    return {};
}

/// Who holds what follow() gives up for `change`, where it makes the same object anew: on the same
/// storage, or on the same device. Another one under its name is another object.
std::vector<std::string> spec_editor::holders_in_place_of(const core::change& change) const {
    if (const auto* c = std::get_if<core::create_device>(&change)) {
        const core::device_spec* old = devices_.find(c->spec.name);
        const bool same =
            old != nullptr && old->type == c->spec.type &&
            std::ranges::equal(core::claims_of(*old, folder_), core::claims_of(c->spec, folder_),
                               {}, &core::spec_claim::key, &core::spec_claim::key);
        return same ? std::vector{holder_of(*old)} : std::vector<std::string>{};
    }
    if (const auto* c = std::get_if<core::add_namespace>(&change)) {
        const bool same = user_of(c->spec.device) == user_name(c->nqn, c->spec.nsid);
        return same ? std::vector{holder_of(c->spec, c->nqn)} : std::vector<std::string>{};
    }
    if (std::holds_alternative<core::add_listener>(change)) return {a_listener};
    const auto* c = std::get_if<core::create_subsystem>(&change);
    const core::subsystem_spec* old = c != nullptr ? subsystems_.find(c->spec.nqn) : nullptr;
    if (old == nullptr) return {};
    std::vector<std::string> out{holder_of(*old), list_of(old->nqn)};
    for (const core::namespace_spec& ns : old->namespaces) out.push_back(holder_of(ns, old->nqn));
    return out;
}

namespace {

result<void> has_room(const core::namespace_spec& ns, const core::subsystem_spec& in) {
    if (ns.nsid == 0) return tl::unexpected(core::no_nsid_left(in));
    FULMAR_CHECK(core::check_ana_group(ns, in));
    return core::check_nsid(ns.nsid, in);
}

}  // namespace

/// NSIDs that have been chosen or given fit their subsystem, and so do ANA groups.
result<void> spec_editor::check_room(const core::change& change) const {
    if (const auto* add = std::get_if<core::add_namespace>(&change)) {
        const core::subsystem_spec* in = subsystems_.find(add->nqn);
        return in == nullptr ? result<void>{} : has_room(add->spec, *in);
    }
    if (const auto* made = std::get_if<core::create_subsystem>(&change))
        for (const core::namespace_spec& ns : made->spec.namespaces)
            FULMAR_CHECK(has_room(ns, made->spec));
    return {};
}

result<void> spec_editor::hold(core::change& change) {
    choose_nsids(change);
    const std::vector<std::string> replaced = holders_in_place_of(change);
    const std::vector<core::spec_claim> claims = core::claims_of(change, folder_);
    FULMAR_CHECK(check(change, claims, replaced));
    if (replaced.empty()) FULMAR_CHECK(core::check_file_room(claims_.room(), claims));
    take(claims, under_way);
    if (const auto* c = std::get_if<core::add_listener>(&change))
        held_listeners_.push_back(c->spec);
    return {};
}

void spec_editor::release(const core::change& change) {
    give_back(core::claims_of(change, folder_), under_way);
    const auto* c = std::get_if<core::add_listener>(&change);
    if (c == nullptr) return;
    const auto at = std::find(held_listeners_.begin(), held_listeners_.end(), c->spec);
    if (at != held_listeners_.end()) held_listeners_.erase(at);
}

std::uint32_t spec_editor::free_nsid(const core::subsystem_spec& in,
                                     const std::vector<core::namespace_spec>& beside) const {
    const auto is_taken = [&](std::uint32_t nsid) {
        return claims_.holder(core::key_of_nsid(in.nqn, nsid)) != nullptr ||
               std::any_of(beside.begin(), beside.end(),
                           [&](const auto& other) { return other.nsid == nsid; });
    };
    return core::choose_nsid(0, in, is_taken).value_or(0);
}

void spec_editor::choose_nsids(core::change& change) const {
    if (auto* c = std::get_if<core::add_namespace>(&change); c != nullptr && c->spec.nsid == 0)
        if (const core::subsystem_spec* in = subsystems_.find(c->nqn))
            c->spec.nsid = free_nsid(*in, {});
    auto* c = std::get_if<core::create_subsystem>(&change);
    if (c == nullptr) return;
    for (core::namespace_spec& ns : c->spec.namespaces)
        if (ns.nsid == 0) ns.nsid = free_nsid(c->spec, c->spec.namespaces);
}

result<void> spec_editor::check_references(const core::change& change) const {
    if (const auto* c = std::get_if<core::add_namespace>(&change)) {
        if (subsystems_.find(c->nqn) == nullptr)
            return fail(errc::not_found, fmt::format("there is no subsystem \"{}\"", c->nqn));
        return check_device(c->spec.device);
    }
    if (const auto* c = std::get_if<core::create_subsystem>(&change))
        for (const core::namespace_spec& ns : c->spec.namespaces)
            FULMAR_CHECK(check_device(ns.device));
    return {};
}

result<void> spec_editor::apply(const core::change& change) {
    FULMAR_CHECK(check_references(change));
    FULMAR_CHECK(check(change));
    return std::visit([this](const auto& c) { return run(c); }, change);
}

result<void> spec_editor::follow(const core::change& change) {
    if (const auto* c = std::get_if<core::create_device>(&change)) {
        if (core::device_spec* old = devices_.find(c->spec.name)) {
            give_back(core::claims_of(*old, folder_), holder_of(*old));
            *old = c->spec;  // its namespace, which is not served either, keeps it
            take(core::claims_of(*old, folder_), holder_of(*old));
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
    return std::visit([this](const auto& c) { return run(c); }, change);
}

void spec_editor::free_device(const std::string& device) {
    const auto user = users_.find(device);
    if (user == users_.end()) return;
    const std::string nqn = std::move(user->second.nqn);
    users_.erase(user);
    if (core::subsystem_spec* s = subsystems_.find(nqn))
        std::erase_if(s->namespaces, [&](const core::namespace_spec& ns) {
            const bool goes = ns.device == device;
            if (goes) give_back(core::claims_of(ns, s->nqn), holder_of(ns, s->nqn));
            return goes;
        });
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
    return found == users_.end() ? std::string() : user_name(found->second.nqn, found->second.nsid);
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
    const core::device_use use = use_of(name);
    return core::check_device_for_namespace(name, devices_.find(name) == nullptr ? nullptr : &use);
}

core::device_use spec_editor::use_of(const std::string& device) const {
    const auto found = users_.find(device);
    if (found == users_.end()) return {};
    return {core::claim_verdict::used, found->second.nqn, found->second.nsid};
}

result<void> spec_editor::run(const core::create_device& c) {
    FULMAR_CHECK(core::check_new_device(c.spec.name, 0, devices_.find(c.spec.name) != nullptr));
    devices_.add(c.spec.name, c.spec);
    take(core::claims_of(c.spec, folder_), holder_of(c.spec));
    return {};
}

result<void> spec_editor::run(const core::delete_device& c) {
    const core::device_spec* device = devices_.find(c.name);
    const core::device_use use = use_of(c.name);
    FULMAR_CHECK(core::check_device_removal(c.name, device == nullptr ? nullptr : &use));
    give_back(core::claims_of(*device, folder_), holder_of(*device));
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

template <typename Change>
result<void> spec_editor::change_device(const Change& c) {
    core::device_spec* device = devices_.find(c.name);
    if (device == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", c.name));
    return core::apply_change(c, *device);
}

template <typename Change>
result<void> spec_editor::change_subsystem(const Change& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    return core::apply_change(c, *subsystem);
}

template <typename Change>
result<void> spec_editor::change_namespace(const Change& c) {
    FULMAR_TRY(core::namespace_spec * ns, want_namespace(c.nqn, c.nsid));
    return core::apply_change(c, *ns);
}

result<void> spec_editor::run(const core::detach_device& c) { return change_device(c); }
result<void> spec_editor::run(const core::attach_device& c) { return change_device(c); }

result<void> spec_editor::run(const core::file_created& c) { return change_device(c); }

// What it takes of the file changes with its texts.
result<void> spec_editor::run(const core::modify_device& c) {
    const core::device_spec* device = devices_.find(c.name);
    if (device != nullptr) give_back(core::claims_of(*device, folder_), holder_of(*device));
    result<void> outcome = change_device(c);
    if (device != nullptr) take(core::claims_of(*device, folder_), holder_of(*device));
    return outcome;
}

template <typename Change>
result<void> spec_editor::resize_subsystem(const Change& c) {
    FULMAR_TRY(const core::subsystem_spec* subsystem, want_subsystem(c.nqn));
    give_back(core::claims_of(*subsystem), holder_of(*subsystem));
    result<void> outcome = change_subsystem(c);
    take(core::claims_of(*subsystem), holder_of(*subsystem));
    return outcome;
}

result<void> spec_editor::run(const core::modify_subsystem& c) { return resize_subsystem(c); }
result<void> spec_editor::run(const core::set_host_keys& c) { return resize_subsystem(c); }
result<void> spec_editor::run(const core::create_ana_group& c) { return resize_subsystem(c); }
result<void> spec_editor::run(const core::modify_ana_group& c) { return resize_subsystem(c); }
result<void> spec_editor::run(const core::set_ana_path& c) { return resize_subsystem(c); }

result<void> spec_editor::run(const core::delete_ana_group& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    std::vector<std::uint32_t> members;
    for (const core::namespace_spec& ns : subsystem->namespaces)
        if (ns.ana_group == c.id) members.push_back(ns.nsid);
    give_back(core::claims_of(*subsystem), holder_of(*subsystem));
    result<void> outcome = core::apply_change(c, *subsystem, members);
    take(core::claims_of(*subsystem), holder_of(*subsystem));
    return outcome;
}

result<void> spec_editor::run(const core::modify_namespace& c) {
    FULMAR_TRY(const core::namespace_spec* ns, want_namespace(c.nqn, c.nsid));
    core::namespace_spec edited = *ns;
    FULMAR_CHECK(core::apply_change(c, edited));
    FULMAR_CHECK(core::check_ana_group(edited, *subsystems_.find(c.nqn)));
    give_back(core::claims_of(*ns, c.nqn), holder_of(*ns, c.nqn));
    result<void> outcome = change_namespace(c);
    take(core::claims_of(*ns, c.nqn), holder_of(*ns, c.nqn));
    return outcome;
}

result<void> spec_editor::run(const core::create_subsystem& c) {
    FULMAR_CHECK(core::check_new_subsystem(c.spec, subsystems_.find(c.spec.nqn) != nullptr));
    subsystems_.add(c.spec.nqn, c.spec);
    take_all(c.spec);
    for (const core::namespace_spec& ns : c.spec.namespaces)
        users_[ns.device] = {c.spec.nqn, ns.nsid};
    return {};
}

result<void> spec_editor::run(const core::delete_subsystem& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    for (const core::namespace_spec& ns : subsystem->namespaces) users_.erase(ns.device);
    give_back_all(*subsystem);
    closed_.erase(c.nqn);
    std::erase_if(reserved_, [&](const reservation& one) {
        if (one.nqn != c.nqn) return false;
        give_back(one.claims, one.holder);
        return true;
    });
    subsystems_.remove(c.nqn);
    return {};
}

result<void> spec_editor::run(const core::pause_subsystem& c) { return change_subsystem(c); }

result<void> spec_editor::run(const core::resume_subsystem& c) { return change_subsystem(c); }

result<void> spec_editor::run(const core::add_namespace& c) {
    FULMAR_TRY(core::subsystem_spec * subsystem, want_subsystem(c.nqn));
    const bool has_nsid = find_namespace(*subsystem, c.spec.nsid) != subsystem->namespaces.end();
    FULMAR_CHECK(core::check_twin(c.spec, c.nqn, {.has_nsid = has_nsid}));
    subsystem->namespaces.push_back(c.spec);
    take(core::claims_of(c.spec, c.nqn), holder_of(c.spec, c.nqn));
    users_[c.spec.device] = {c.nqn, c.spec.nsid};
    return {};
}

result<void> spec_editor::run(const core::remove_namespace& c) {
    FULMAR_TRY(core::namespace_spec * ns, want_namespace(c.nqn, c.nsid));
    users_.erase(ns->device);
    give_back(core::claims_of(*ns, c.nqn), holder_of(*ns, c.nqn));
    core::subsystem_spec& subsystem = *subsystems_.find(c.nqn);
    subsystem.namespaces.erase(find_namespace(subsystem, c.nsid));
    return {};
}

result<void> spec_editor::run(const core::set_ana_state& c) { return change_namespace(c); }

result<void> spec_editor::run(const core::add_host& c) {
    FULMAR_CHECK(change_subsystem(c));
    take(core::claims_of_host(c.host, c.nqn), list_of(c.nqn));
    return {};
}

result<void> spec_editor::run(const core::remove_host& c) {
    FULMAR_CHECK(change_subsystem(c));
    give_back(core::claims_of_host(c.host, c.nqn), list_of(c.nqn));
    return {};
}

result<void> spec_editor::run(const core::set_allow_any_host& c) { return change_subsystem(c); }

result<void> spec_editor::run(const core::add_listener& c) {
    const auto same = [&](const core::listener_spec& l) { return l.port != 0 && l == c.spec; };
    if (std::any_of(listeners_.begin(), listeners_.end(), same))
        return fail(errc::already_exists, fmt::format("listener \"{}\" exists", c.spec.name()));
    listeners_.push_back(c.spec);
    take(core::claims_of(c.spec), a_listener);
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
    give_back(core::claims_of(*found), a_listener);
    listeners_.erase(found);
    return {};
}

result<void> spec_editor::run(const core::add_referral& c) {
    FULMAR_CHECK(core::apply_change(c, referrals_));
    take(core::claims_of(c.spec), a_referral);
    return {};
}

result<void> spec_editor::run(const core::remove_referral& c) {
    FULMAR_CHECK(core::apply_change(c, referrals_));
    give_back(core::claims_of(c.spec), a_referral);
    return {};
}

}  // namespace fulmar::admin
