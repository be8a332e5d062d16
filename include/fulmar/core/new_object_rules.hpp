// What a new device, subsystem or namespace must satisfy, what is chosen for it where nothing is
// said, and who may have a device. The target asks when it makes them; REST, the journal and a dry
// run ask beforehand, of a configuration held as data. Pure. Called on: any thread.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/device_claim.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/spec_rules.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::core {

/// Beside `present` devices, one of which has its name when `name_is_taken`.
/// Errors: limit_reached, already_exists.
result<void> check_new_device(std::string_view name, std::size_t present, bool name_is_taken);

/// The range of its controller IDs. Errors: invalid_argument.
result<void> check_controller_ids(const subsystem_spec& spec);
/// An ANA group by itself: its ID, and what follows on a change. Errors: invalid_argument.
result<void> check_ana_group(const ana_group_spec& spec);
/// Of each host once; no key of ours without one of its own; names that can be names of keys.
result<void> check_host_keys(const subsystem_spec& spec);
/// Their IDs differ, so that there are not too many. Errors: invalid_argument.
result<void> check_ana_groups(const subsystem_spec& spec);
/// `ns` is in a group that `in` has, whose state counts, or in none. Errors: not_found, conflict.
result<void> check_ana_group(const namespace_spec& ns, const subsystem_spec& in);
/// Without its namespaces. Errors: invalid_argument, already_exists.
result<void> check_new_subsystem(const subsystem_spec& spec, bool nqn_is_taken);

/// What hosts know a namespace by.
struct namespace_identity {
    nvme::uuid uuid;
    nvme::nguid nguid;
};
/// Derives the UUID and the NGUID that `spec` leaves open from `nqn` and its NSID, so that they are
/// the same after each start.
void derive_identity(namespace_spec& spec, const std::string& nqn);
/// Of a `spec` that leaves nothing open. Errors: invalid_argument.
result<namespace_identity> read_identity(const namespace_spec& spec);

/// What a new namespace would share with another one of its subsystem.
struct namespace_twin {
    bool has_nsid = false;
    std::optional<std::uint32_t> with_uuid = std::nullopt;  ///< the NSID of the one with its UUID
};
/// Errors: already_exists, conflict.
result<void> check_twin(const namespace_spec& spec, const std::string& nqn,
                        const namespace_twin& twin);

/// What claims of an NSID are equal by.
std::string key_of_nsid(const std::string& nqn, std::uint32_t nsid);
error no_nsid_left(const subsystem_spec& in);
/// The NSID of a new namespace of `in`: the one that `asked` says, or the lowest (when it is 0) of
/// which `is_taken` is false. Errors: limit_reached, invalid_argument.
template <typename IsTaken>
result<std::uint32_t> choose_nsid(std::uint32_t asked, const subsystem_spec& in,
                                  const IsTaken& is_taken) {
    std::uint32_t nsid = asked != 0 ? asked : 1;
    while (asked == 0 && nsid <= in.max_namespaces && is_taken(nsid)) ++nsid;
    if (asked == 0 && nsid > in.max_namespaces) return tl::unexpected(no_nsid_left(in));
    if (auto fits = check_nsid(nsid, in); !fits) return tl::unexpected(fits.error());
    return nsid;
}

/// Who stands in the way of whoever wants a device.
struct device_use {
    claim_verdict verdict = claim_verdict::free;
    std::string_view nqn = {};  ///< used: of the subsystem whose namespace it backs
    std::uint32_t nsid = 0;     ///< likewise
};
/// Errors: conflict, with `where` (a JSON pointer) and, when it backs a namespace, `remedy`.
result<void> check_device_use(std::string_view name, const device_use& use, std::string_view where,
                              std::string_view remedy);
/// What a namespace that is to be on device `name` finds; `use` is null when there is none of that
/// name. Errors: not_found, conflict.
result<void> check_device_for_namespace(std::string_view name, const device_use* use);
/// Likewise, of a device that is to be deleted.
result<void> check_device_removal(std::string_view name, const device_use* use);

}  // namespace fulmar::core
