// See the header. Pure. Must never: ask anything but its arguments.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/spec_changes.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::core {

namespace {

template <typename Value>
bool has(const std::vector<Value>& all, const Value& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

result<void> set_detached(device_spec& to, bool detached) {
    if (!has_field(to, "detached"))
        return fail(errc::not_supported, "only a drive can be detached and attached");
    to.detached = detached;
    return {};
}

}  // namespace

result<void> apply_change(const add_host& what, subsystem_spec& to) {
    if (has(to.hosts, what.host))
        return fail(errc::already_exists, fmt::format("host \"{}\" is allowed already", what.host),
                    "/host");
    if (to.hosts.size() >= limits::max_hosts)
        return fail(errc::limit_reached,
                    fmt::format("a subsystem names at most {} hosts", limits::max_hosts));
    to.hosts.push_back(what.host);
    return {};
}

result<void> apply_change(const remove_host& what, subsystem_spec& to) {
    if (std::erase(to.hosts, what.host) == 0)
        return fail(errc::not_found,
                    fmt::format("host \"{}\" is not in the list of {}", what.host, to.nqn));
    return {};
}

result<void> apply_change(const set_host_keys& what, subsystem_spec& to) {
    FULMAR_CHECK(check_host_keys({.host_keys = {what.keys}}));
    std::vector<host_keys_spec> all = to.host_keys;
    std::erase_if(all, [&](const host_keys_spec& one) { return one.nqn == what.keys.nqn; });
    if (!what.keys.empty()) all.push_back(what.keys);
    if (all.size() > limits::max_hosts)
        return fail(errc::limit_reached,
                    fmt::format("a subsystem has keys of at most {} hosts", limits::max_hosts));
    to.host_keys = std::move(all);
    return {};
}

result<void> apply_change(const set_allow_any_host& what, subsystem_spec& to) {
    to.allow_any_host = what.allow;
    to.closed = false;
    return {};
}

result<void> apply_change(const pause_subsystem&, subsystem_spec& to) {
    to.paused = true;
    return {};
}

result<void> apply_change(const resume_subsystem&, subsystem_spec& to) {
    to.paused = false;
    return {};
}

result<void> apply_change(const modify_subsystem& what, subsystem_spec& to) {
    FULMAR_CHECK(check_host_keys(what.set.values));
    apply_edits(what.set, to);
    return {};
}

result<void> apply_change(const set_ana_state& what, namespace_spec& to) {
    if (to.ana_group != 0)
        return fail(errc::conflict,
                    fmt::format("namespace {} is in ANA group {}", to.nsid, to.ana_group),
                    "/ana_state", "change the group, or take the namespace out of it");
    to.ana = what.state;
    return {};
}

// The state of a group takes the place of its own.
result<void> apply_change(const modify_namespace& what, namespace_spec& to) {
    apply_edits(what.set, to);
    if (to.ana_group != 0) to.ana = ana_state::optimized;
    return {};
}

namespace {
error no_such_ana_group(const subsystem_spec& in, std::uint32_t id) {
    return {errc::not_found, fmt::format("{} has no ANA group {}", in.nqn, id)};
}

auto ana_group_place(subsystem_spec& in, std::uint32_t id) {
    return std::find_if(in.ana_groups.begin(), in.ana_groups.end(),
                        [id](const ana_group_spec& one) { return one.id == id; });
}
}  // namespace

result<void> apply_change(const create_ana_group& what, subsystem_spec& to) {
    if (auto good = check_ana_group(what.spec); !good) return good;
    if (ana_group_place(to, what.spec.id) != to.ana_groups.end())
        return fail(errc::already_exists,
                    fmt::format("{} has an ANA group {}", to.nqn, what.spec.id), "/id",
                    "choose another id");
    to.ana_groups.push_back(what.spec);
    return {};
}

result<void> apply_change(const delete_ana_group& what, subsystem_spec& to,
                          const std::vector<std::uint32_t>& members) {
    const auto at = ana_group_place(to, what.id);
    if (at == to.ana_groups.end()) return tl::unexpected(no_such_ana_group(to, what.id));
    if (!members.empty())
        return fail(errc::conflict,
                    fmt::format("namespace {} is in ANA group {}{}", members.front(), what.id,
                                members.size() == 1
                                    ? std::string()
                                    : fmt::format(", and {} others are", members.size() - 1)),
                    {}, "move them to another group first");
    to.ana_groups.erase(at);
    return {};
}

result<void> apply_change(const modify_ana_group& what, subsystem_spec& to) {
    const auto at = ana_group_place(to, what.id);
    if (at == to.ana_groups.end()) return tl::unexpected(no_such_ana_group(to, what.id));
    ana_group_spec edited = *at;
    apply_edits(what.set, edited);
    if (auto good = check_ana_group(edited); !good) return good;
    *at = std::move(edited);
    return {};
}

result<void> apply_change(const set_ana_path& what, subsystem_spec& to) {
    const auto at = ana_group_place(to, what.id);
    if (at == to.ana_groups.end()) return tl::unexpected(no_such_ana_group(to, what.id));
    if (!what.state) {
        at->listeners.erase(what.listener);
        return {};
    }
    if (what.listener.empty() || what.listener.size() > limits::max_listener_name_bytes ||
        !nvme::is_utf8(what.listener))
        return fail(errc::invalid_argument, "no listener can have that name", "/listener",
                    "such as \"tcp:192.0.2.1:4420\"");
    if (at->listeners.size() >= limits::max_listeners && !at->listeners.contains(what.listener))
        return fail(
            errc::limit_reached,
            fmt::format("ANA group {} names {} listeners already", what.id, limits::max_listeners),
            {}, "take out one that is not there any more");
    at->listeners[what.listener] = *what.state;
    return {};
}

field_edits<ana_group_spec> end_of_transition(const ana_group_spec& group) {
    ana_group_spec ended = group;
    const auto end = [&](ana_state& one) {
        if (one == ana_state::change) one = group.then;
    };
    end(ended.state);
    for (auto& [listener, state] : ended.listeners) end(state);
    return edits_between(group, ended);
}

result<void> apply_change(const detach_device&, device_spec& to) { return set_detached(to, true); }
result<void> apply_change(const attach_device&, device_spec& to) { return set_detached(to, false); }

result<void> apply_change(const file_created&, device_spec& to) {
    to.create = false;
    return {};
}

result<void> apply_change(const modify_device& what, device_spec& to) {
    apply_edits(what.set, to);
    return {};
}

result<void> apply_change(const add_referral& what, std::vector<referral_spec>& to) {
    if (has(to, what.spec)) return fail(errc::already_exists, "the referral exists");
    to.push_back(what.spec);
    return {};
}

result<void> apply_change(const remove_referral& what, std::vector<referral_spec>& to) {
    if (std::erase(to, what.spec) == 0) return fail(errc::not_found, "there is no such referral");
    return {};
}

}  // namespace fulmar::core
