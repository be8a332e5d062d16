// See the header. Pure. Must never: ask anything but its arguments.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/nvme/nqn.hpp>
#include <fulmar/security/key_source.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace fulmar::core {

result<void> check_new_device(std::string_view name, std::size_t present, bool name_is_taken) {
    if (present >= limits::max_devices)
        return fail(errc::limit_reached,
                    fmt::format("there are {} devices already", limits::max_devices), {},
                    "remove one first");
    if (name_is_taken)
        return fail(errc::already_exists, fmt::format("device \"{}\" exists", name), "/name",
                    "choose another name, or delete the other device first");
    return {};
}

result<void> check_controller_ids(const subsystem_spec& spec) {
    if (spec.min_cntlid < limits::min_cntlid || spec.max_cntlid > limits::max_cntlid)
        return fail(
            errc::invalid_argument, "the range of controller IDs has reserved ones", "/min_cntlid",
            fmt::format("choose {} ≤ min ≤ max ≤ {}", limits::min_cntlid, limits::max_cntlid));
    if (spec.min_cntlid > spec.max_cntlid)
        return fail(errc::invalid_argument, "is larger than max_cntlid", "/min_cntlid",
                    "swap the two, or leave both out");
    return {};
}

result<void> check_ana_group(const ana_group_spec& spec) {
    if (spec.id == 0 || spec.id > limits::max_ana_groups)
        return fail(errc::invalid_argument,
                    fmt::format("must be from 1 to {}", limits::max_ana_groups), "/id",
                    "namespaces without a group have the IDs above");
    if (spec.then == ana_state::change)
        return fail(errc::invalid_argument, "a change ends in another state", "/then",
                    "choose any state but \"change\"");
    return {};
}

result<void> check_host_keys(const subsystem_spec& spec) {
    std::unordered_set<std::string_view> known;
    for (std::size_t i = 0; i < spec.host_keys.size(); ++i) {
        const host_keys_spec& one = spec.host_keys[i];
        const std::string where = fmt::format("/host_keys/{}", i);
        if (!known.insert(one.nqn).second)
            return fail(errc::invalid_argument, "this host is there twice", where + "/nqn",
                        "remove one of the two");
        if (one.dhchap_key.empty() && !one.dhchap_ctrl_key.empty())
            return fail(errc::invalid_argument,
                        "a host that need not authenticate cannot ask the subsystem to",
                        where + "/dhchap_ctrl_key", "give it a dhchap_key, too");
        if (one.tls_psk.empty() && (one.tls_optional || one.tls_compat))
            return fail(errc::invalid_argument, "a host without a key of TLS has no use for that",
                        where + (one.tls_optional ? "/tls_optional" : "/tls_compat"),
                        "give it a tls_psk, too");
        for (const std::string& name : {one.dhchap_key, one.dhchap_ctrl_key, one.tls_psk})
            if (!name.empty() && !security::is_key_name(name))
                return fail(errc::invalid_argument, "is no name of a key", where,
                            "a name has letters, digits, '.', '_' and '-'; never a key itself");
    }
    return {};
}

result<void> check_ana_groups(const subsystem_spec& spec) {
    std::array<bool, limits::max_ana_groups + 1> taken{};
    for (std::size_t i = 0; i < spec.ana_groups.size(); ++i) {
        const ana_group_spec& one = spec.ana_groups[i];
        if (auto good = check_ana_group(one); !good) {
            error why = std::move(good).error();
            why.where = fmt::format("/ana_groups/{}{}", i, why.where);
            return tl::unexpected(std::move(why));
        }
        if (std::exchange(taken[one.id], true))
            return fail(errc::invalid_argument, fmt::format("there are two groups {}", one.id),
                        fmt::format("/ana_groups/{}/id", i), "remove one of the two");
    }
    return {};
}

result<void> check_ana_group(const namespace_spec& ns, const subsystem_spec& in) {
    if (ns.ana_group == 0) return {};
    const auto is_meant = [&](const ana_group_spec& one) { return one.id == ns.ana_group; };
    if (std::none_of(in.ana_groups.begin(), in.ana_groups.end(), is_meant))
        return fail(errc::not_found, fmt::format("{} has no ANA group {}", in.nqn, ns.ana_group),
                    "/ana_group", "make it first, or leave ana_group out");
    if (ns.ana != ana_state::optimized)
        return fail(errc::conflict, fmt::format("the state of ANA group {} counts", ns.ana_group),
                    "/ana_state", "leave it out; or leave ana_group out");
    return {};
}

result<void> check_new_subsystem(const subsystem_spec& spec, bool nqn_is_taken) {
    if (const nvme::nqn_check name = nvme::validate_nqn(spec.nqn); name != nvme::nqn_check::ok)
        return fail(
            errc::invalid_argument,
            fmt::format("{} is no name of a subsystem: it {}", spec.nqn, nvme::describe(name)),
            "/nqn", "nqn.YYYY-MM.reverse.domain:name, at most 223 bytes");
    if (nqn_is_taken)
        return fail(errc::already_exists, fmt::format("subsystem \"{}\" exists", spec.nqn), "/nqn",
                    "choose another NQN");
    FULMAR_CHECK(check_controller_ids(spec));
    FULMAR_CHECK(check_ana_groups(spec));
    FULMAR_CHECK(check_host_keys(spec));
    if (spec.max_namespaces == 0 || spec.max_namespaces > limits::max_namespaces)
        return fail(errc::invalid_argument,
                    fmt::format("must be from 1 to {}", limits::max_namespaces), "/max_namespaces",
                    "leave it out where in doubt");
    return {};
}

void derive_identity(namespace_spec& spec, const std::string& nqn) {
    if (spec.uuid.empty())
        spec.uuid = std::string(nvme::to_text(nvme::derive_uuid(nqn, spec.nsid)).view());
    if (spec.nguid.empty())
        spec.nguid = std::string(nvme::to_text(nvme::derive_nguid(nqn, spec.nsid)).view());
}

result<namespace_identity> read_identity(const namespace_spec& spec) {
    const auto uuid = nvme::parse_uuid(spec.uuid);
    if (!uuid)
        return fail(errc::invalid_argument, fmt::format("{} is not a UUID", spec.uuid), "/uuid");
    const auto nguid = nvme::parse_nguid(spec.nguid);
    if (!nguid)
        return fail(errc::invalid_argument, fmt::format("{} is not an NGUID", spec.nguid), "/nguid",
                    "32 hexadecimal digits");
    return namespace_identity{.uuid = *uuid, .nguid = *nguid};
}

result<void> check_twin(const namespace_spec& spec, const std::string& nqn,
                        const namespace_twin& twin) {
    if (twin.has_nsid)
        return fail(errc::already_exists, fmt::format("namespace {} exists in {}", spec.nsid, nqn),
                    "/nsid", "choose another one, or leave it out");
    if (twin.with_uuid)
        return fail(errc::conflict,
                    fmt::format("namespace {} of {} has that UUID", *twin.with_uuid, nqn), "/uuid",
                    "leave it out to have one derived");
    return {};
}

error no_nsid_left(const subsystem_spec& in) {
    return {errc::limit_reached,
            fmt::format("{} has {} namespaces already, which is its max_namespaces", in.nqn,
                        in.max_namespaces),
            {},
            "remove one first, or create it anew with a larger max_namespaces"};
}

result<void> check_device_use(std::string_view name, const device_use& use, std::string_view where,
                              std::string_view remedy) {
    switch (use.verdict) {
        case claim_verdict::free: return {};
        case claim_verdict::used:
            return fail(
                errc::conflict,
                fmt::format("device \"{}\" backs namespace {} of {}", name, use.nsid, use.nqn),
                std::string(where), std::string(remedy));
        case claim_verdict::held:
            return fail(errc::conflict,
                        fmt::format("device \"{}\" still has operations of a namespace that is "
                                    "gone",
                                    name),
                        std::string(where), "wait until they end, or reset the device");
    }
    return {};
}

result<void> check_device_for_namespace(std::string_view name, const device_use* use) {
    if (use == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", name), "/device",
                    "create the device first");
    return check_device_use(name, *use, "/device", "a device backs one namespace");
}

result<void> check_device_removal(std::string_view name, const device_use* use) {
    if (use == nullptr)
        return fail(errc::not_found, fmt::format("there is no device \"{}\"", name));
    return check_device_use(name, *use, {}, "remove the namespace first");
}

}  // namespace fulmar::core
