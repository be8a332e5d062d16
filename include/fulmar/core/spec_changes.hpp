// What a change makes of the object that it concerns, or why it does not: the rules that need
// nothing but the object. The target asks when it applies a change; REST, the journal and a dry run
// ask beforehand, of a configuration held as data. Rules between objects are in spec_rules.hpp.
// Pure: nothing is changed where the outcome is an error. Called on: any thread.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <cstdint>
#include <vector>

namespace fulmar::core {

/// Errors: already_exists, limit_reached.
result<void> apply_change(const add_host& what, subsystem_spec& to);
/// Errors: not_found.
result<void> apply_change(const remove_host& what, subsystem_spec& to);
result<void> apply_change(const set_allow_any_host& what, subsystem_spec& to);
result<void> apply_change(const pause_subsystem& what, subsystem_spec& to);
result<void> apply_change(const resume_subsystem& what, subsystem_spec& to);
result<void> apply_change(const set_host_keys& what, subsystem_spec& to);
result<void> apply_change(const modify_subsystem& what, subsystem_spec& to);

/// Errors: conflict (it is in an ANA group, whose state counts).
result<void> apply_change(const set_ana_state& what, namespace_spec& to);
/// That its ANA group exists is for check_ana_group() to say.
result<void> apply_change(const modify_namespace& what, namespace_spec& to);

/// Errors: already_exists, invalid_argument.
result<void> apply_change(const create_ana_group& what, subsystem_spec& to);
/// `members`: the NSIDs of the namespaces in it. Errors: not_found, conflict (there are some).
result<void> apply_change(const delete_ana_group& what, subsystem_spec& to,
                          const std::vector<std::uint32_t>& members);
/// Errors: not_found, invalid_argument.
result<void> apply_change(const modify_ana_group& what, subsystem_spec& to);
/// Errors: not_found, limit_reached.
result<void> apply_change(const set_ana_path& what, subsystem_spec& to);
/// What `group` becomes when its paths have been in state `change` for long enough.
field_edits<ana_group_spec> end_of_transition(const ana_group_spec& group);

/// Errors: not_supported (it is no drive).
result<void> apply_change(const detach_device& what, device_spec& to);
/// Errors: not_supported (it is no drive).
result<void> apply_change(const attach_device& what, device_spec& to);
result<void> apply_change(const file_created& what, device_spec& to);
result<void> apply_change(const modify_device& what, device_spec& to);

/// Errors: already_exists.
result<void> apply_change(const add_referral& what, std::vector<referral_spec>& to);
/// Errors: not_found.
result<void> apply_change(const remove_referral& what, std::vector<referral_spec>& to);

}  // namespace fulmar::core
