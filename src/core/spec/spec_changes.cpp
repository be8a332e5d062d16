// See the header. Pure. Must never: ask anything but its arguments.
#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/spec_changes.hpp>

#include <fmt/format.h>

#include <algorithm>

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
    apply_edits(what.set, to);
    return {};
}

result<void> apply_change(const set_ana_state& what, namespace_spec& to) {
    to.ana = what.state;
    return {};
}

result<void> apply_change(const modify_namespace& what, namespace_spec& to) {
    apply_edits(what.set, to);
    return {};
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
