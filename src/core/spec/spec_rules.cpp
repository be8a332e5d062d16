// The rules between the objects of a configuration. See the header. Pure. Must never: ask anything
// but its arguments.
#include "file_room.hpp"
#include "wildcard_address.hpp"

#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/spec_rules.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <type_traits>
#include <unordered_set>
#include <variant>

namespace fulmar::core {

namespace {

constexpr std::string_view no_twins = "remove one of the two";

spec_claim named(std::string_view what, const std::string& name, std::string_view kind,
                 std::string_view member, std::string_view remedy, const std::string& group,
                 std::uint32_t most) {
    return {what, name, fmt::format("{} {}", kind, name), member, remedy, true, group, most, {}};
}

spec_claim shared_by_none(std::string_view what, const std::string& name, std::string_view kind,
                          std::string_view member, std::string_view remedy) {
    return {what, name, fmt::format("{} {}", kind, name), member, remedy, false, {}, 0, {}};
}

void append(std::vector<spec_claim>& to, std::vector<spec_claim> more) {
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

// One identity has many spellings: either case, and dashes in an NGUID.
template <typename Parsed>
std::string one_spelling(const std::string& text, const Parsed& parsed) {
    return parsed ? std::string(nvme::to_text(*parsed).view()) : text;
}

bool is_v6(const listener_spec& spec) { return spec.address.find(':') != std::string::npos; }

}  // namespace

// "Any port" is never taken.
std::vector<spec_claim> claims_of(const listener_spec& spec) {
    spec_claim claim = named("the address of listener", spec.name(), "listener", {}, no_twins,
                             "listeners", limits::max_listeners);
    if (spec.port == 0) claim.key.clear();
    claim.room = room_of(spec);
    return {claim};
}

std::vector<spec_claim> claims_of(const device_spec& spec, const std::string& folder) {
    std::vector<spec_claim> out;
    if (!spec.name.empty())
        out.push_back(named("the device name", spec.name, "device", "name", "choose another name",
                            "devices", limits::max_devices));
    if (!spec.path.empty()) {
        std::filesystem::path whole(spec.path);
        if (whole.is_relative() && !folder.empty()) whole = std::filesystem::path(folder) / whole;
        out.push_back(
            shared_by_none("the path", spec.path, "path", "path", "one file backs one device"));
        out.back().key = fmt::format("path {}", whole.lexically_normal().string());
    }
    if (!spec.address.empty()) {
        const std::string where =
            spec.drive_nsid == 0 ? spec.address
                                 : fmt::format("{} namespace {}", spec.address, spec.drive_nsid);
        out.push_back(shared_by_none("the address", where, "drive", "address",
                                     "one namespace of a drive backs one device: set drive_nsid"));
    }
    if (!out.empty()) out.front().room = room_of(spec);
    return out;
}

std::string key_of_nsid(const std::string& nqn, std::uint32_t nsid) {
    return fmt::format("nsid {}/{}", nqn, nsid);
}

std::vector<spec_claim> claims_of(const namespace_spec& spec, const std::string& nqn) {
    std::vector<spec_claim> out;
    if (spec.nsid != 0) {
        out.push_back(named("NSID", fmt::format("{}", spec.nsid), "nsid", "nsid",
                            "every namespace of a subsystem needs an NSID of its own",
                            "namespaces of " + nqn, limits::max_namespaces));
        out.back().key = key_of_nsid(nqn, spec.nsid);
    }
    constexpr std::string_view derive = "remove it to have one derived";
    const bool derivable = spec.nsid != 0 && !nqn.empty();
    namespace_spec whole = spec;
    if (derivable) derive_identity(whole, nqn);
    if (!whole.uuid.empty()) {
        out.push_back(shared_by_none("UUID", whole.uuid, "uuid", "uuid", derive));
        out.back().key = "uuid " + one_spelling(whole.uuid, nvme::parse_uuid(whole.uuid));
    }
    if (!whole.nguid.empty()) {
        out.push_back(shared_by_none("NGUID", whole.nguid, "nguid", "nguid", derive));
        out.back().key = "nguid " + one_spelling(whole.nguid, nvme::parse_nguid(whole.nguid));
    }
    if (!spec.device.empty())
        out.push_back(shared_by_none("the device", spec.device, "use of", "device",
                                     "a device backs one namespace; give each its own"));
    if (!out.empty()) out.front().room = room_of(whole);
    return out;
}

std::vector<spec_claim> claims_of(const subsystem_spec& spec) {
    if (spec.nqn.empty()) return {};
    spec_claim claim = named("the NQN", spec.nqn, "subsystem", "nqn", "choose another NQN",
                             "subsystems", limits::max_subsystems);
    claim.room = room_of(spec);
    return {claim};
}

std::vector<spec_claim> claims_of_host(const std::string& host, const std::string& nqn) {
    spec_claim claim =
        named("the host", host, "host", "host", no_twins, "hosts of " + nqn, limits::max_hosts);
    claim.key = fmt::format("host {} {}", nqn, host);
    claim.room = room_of_entry(host);
    return {claim};
}

std::vector<spec_claim> claims_of(const referral_spec& spec) {
    const std::string name = listener_spec{spec.transport, spec.address, spec.port}.name();
    spec_claim claim =
        named("the referral", name, "referral", {}, no_twins, "referrals", limits::max_listeners);
    claim.room = room_of(spec);
    return {claim};
}

std::vector<spec_claim> claims_of(const change& what, const std::string& folder) {
    return std::visit(
        [&folder](const auto& c) -> std::vector<spec_claim> {
            using kind = std::decay_t<decltype(c)>;
            if constexpr (std::is_same_v<kind, create_device>) {
                return claims_of(c.spec, folder);
            } else if constexpr (std::is_same_v<kind, create_subsystem>) {
                std::vector<spec_claim> out = claims_of(c.spec);
                for (const namespace_spec& ns : c.spec.namespaces)
                    append(out, claims_of(ns, c.spec.nqn));
                for (const std::string& host : c.spec.hosts)
                    append(out, claims_of_host(host, c.spec.nqn));
                return out;
            } else if constexpr (std::is_same_v<kind, add_namespace>) {
                return claims_of(c.spec, c.nqn);
            } else if constexpr (std::is_same_v<kind, create_ana_group>) {
                spec_claim claim;
                claim.room = room_of(c.spec);
                return {claim};
            } else if constexpr (std::is_same_v<kind, set_ana_path>) {
                spec_claim claim;
                claim.room = room_of_path(c.listener);
                return {claim};
            } else if constexpr (std::is_same_v<kind, add_host>) {
                return claims_of_host(c.host, c.nqn);
            } else if constexpr (std::is_same_v<kind, set_host_keys>) {
                spec_claim claim;
                claim.room = room_of(c.keys);
                return {claim};
            } else if constexpr (requires { c.set; }) {  // a modification of fields in place
                spec_claim claim;
                claim.room = room_of(c.set);
                return {claim};
            } else if constexpr (std::is_same_v<kind, add_listener> ||
                                 std::is_same_v<kind, add_referral>) {
                return claims_of(c.spec);
            } else {
                return {};
            }
        },
        what);
}

result<void> check_nsid(std::uint32_t nsid, const subsystem_spec& in) {
    if (nsid <= in.max_namespaces) return {};
    return fail(
        errc::invalid_argument,
        fmt::format("nsid {} is above {}, max_namespaces of {}", nsid, in.max_namespaces, in.nqn),
        "/nsid",
        fmt::format("choose a smaller one, or create the subsystem with a larger "
                    "max_namespaces (at most {})",
                    limits::max_namespaces));
}

bool cover_each_other(const listener_spec& a, const listener_spec& b) {
    return a.port == b.port && a.port != 0 && a.transport == b.transport && !a.address.empty() &&
           !b.address.empty() && is_v6(a) == is_v6(b) &&
           is_wildcard(a.address) != is_wildcard(b.address);
}

bool chooses(const host_choice& hosts, std::string_view host) {
    return hosts.all ||
           std::find(hosts.named.begin(), hosts.named.end(), host) != hosts.named.end();
}

bool takes_hosts_away(const host_choice& before, const host_choice& after) {
    if (before.all || after.all) return !after.all;
    const std::unordered_set<std::string_view> stay(after.named.begin(), after.named.end());
    return std::any_of(before.named.begin(), before.named.end(),
                       [&](const std::string& host) { return !stay.contains(host); });
}

bool closes_paths(const ana_group_spec& before, const ana_group_spec& after) {
    const auto closes = [](ana_state was, ana_state is) {
        return is_served(was) && !is_served(is);
    };
    bool out = closes(before.state, after.state);
    for (const auto* both : {&before.listeners, &after.listeners})
        for (const auto& [listener, state] : *both)
            out = out || closes(before.at(listener), after.at(listener));
    return out;
}

result<void> check_size(std::uint64_t bytes, const device_spec& device) {
    if (bytes > limits::max_device_bytes)
        return fail(errc::invalid_argument,
                    fmt::format("must be at most {} bytes", limits::max_device_bytes), "/size",
                    "a device has at most 1 EiB");
    // A device that follows its storage says its block size when it has seen that.
    const std::uint32_t block = device.block_bytes != 0 ? device.block_bytes : 512;
    if (bytes % block != 0)
        return fail(errc::invalid_argument,
                    fmt::format("must be a multiple of the block size ({})", block), "/size",
                    fmt::format("{} is the next one below", bytes - bytes % block));
    return {};
}

const std::string* claim_book::holder(const std::string& key) const {
    const auto found = holders_.find(key);
    return found == holders_.end() ? nullptr : &found->second.front();
}

void claim_book::take(const spec_claim& claim, const std::string& holder) {
    if (!claim.key.empty()) holders_[claim.key].push_back(holder);
    if (!claim.group.empty()) ++counts_[claim.group];
    add(room_, claim.room);
}

void claim_book::give_back(const spec_claim& claim, const std::string& holder) {
    room_.bytes -= std::min(room_.bytes, claim.room.bytes);
    room_.values -= std::min(room_.values, claim.room.values);
    if (!claim.group.empty())
        if (const auto counted = counts_.find(claim.group);
            counted != counts_.end() && --counted->second == 0)
            counts_.erase(counted);
    const auto found = holders_.find(claim.key);
    if (found == holders_.end()) return;
    std::vector<std::string>& all = found->second;
    if (const auto at = std::find(all.begin(), all.end(), holder); at != all.end()) all.erase(at);
    if (all.empty()) holders_.erase(found);
}

std::uint32_t claim_book::count(const std::string& group) const {
    const auto found = counts_.find(group);
    return found == counts_.end() ? 0 : found->second;
}

result<void> claim_book::check(const std::vector<spec_claim>& claims,
                               const std::vector<std::string>& own) const {
    const std::string twin = "another part of this change";
    std::unordered_map<std::string_view, std::uint32_t> more;
    std::unordered_set<std::string_view> asked;
    for (const spec_claim& claim : claims) {
        const std::string* taken = nullptr;
        bool replaces = false;
        const auto found = holders_.find(claim.key);
        if (!claim.key.empty() && found != holders_.end())
            for (const std::string& one : found->second) {
                if (std::find(own.begin(), own.end(), one) == own.end()) {
                    taken = &one;
                    break;
                }
                replaces = true;
            }
        const bool fresh = claim.key.empty() || asked.insert(claim.key).second;
        if (!fresh && taken == nullptr) taken = &twin;
        if (taken != nullptr)
            return fail(claim.names_object ? errc::already_exists : errc::conflict,
                        fmt::format("{} \"{}\" is taken by {}", claim.what, claim.name, *taken),
                        claim.member.empty() ? "" : fmt::format("/{}", claim.member),
                        std::string(claim.remedy));
        if (claim.group.empty() || replaces) continue;
        if (count(claim.group) + ++more[claim.group] > claim.most)
            return fail(errc::limit_reached,
                        fmt::format("there are {} {} already", claim.most, claim.group), {},
                        "remove one first");
    }
    return {};
}

result<void> check_file_room(const file_room& taken, const std::vector<spec_claim>& claims) {
    file_room all = taken;
    for (const spec_claim& claim : claims) add(all, claim.room);
    if (all.bytes <= limits::max_objects_bytes && all.values <= limits::max_objects_values)
        return {};
    return fail(errc::limit_reached,
                fmt::format("the configuration file has no room for it: with {} MiB or {} values "
                            "it could not be read at the next start",
                            limits::max_config_bytes >> 20, limits::max_config_values),
                {}, "remove something first; lists of hosts are what takes most");
}

}  // namespace fulmar::core
