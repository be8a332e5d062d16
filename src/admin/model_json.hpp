// The model of core/model.hpp as JSON, both ways, for the config file, REST bodies and the journal.
// Readers are strict and report every problem; writers cannot fail. Pure.
// Must never: judge one object by another; that is config.cpp's and the core's part.
#pragma once

#include "object_reader.hpp"

#include <fulmar/core/model.hpp>

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace fulmar::admin {

/// Whose document it is. A file says the NSID of every namespace, since identities hang on it. A
/// REST body may leave it to the target, and may carry the "status" that a GET has shown; it is
/// ignored.
enum class document : std::uint8_t { file, body };

core::listener_spec read_listener(json_place where, problem_list& problems, document kind);
core::device_spec read_device(json_place where, problem_list& problems, document kind);
/// Warns where requests wait about as long as a host does.
void warn_of_long_park(object_reader& reader, const core::namespace_spec& spec);
core::namespace_spec read_namespace(json_place where, problem_list& problems, document kind);
core::ana_group_spec read_ana_group(json_place where, problem_list& problems, document kind);
core::subsystem_spec read_subsystem(json_place where, problem_list& problems, document kind);
core::referral_spec read_referral(json_place where, problem_list& problems, document kind);

/// Why `nqn` cannot be a subsystem's (or a host's) name; nothing when it can. Host names are judged
/// mildly, since hosts in the field use names that follow no rule.
std::optional<std::string> check_subsystem_nqn(std::string_view nqn);
std::optional<std::string> check_host_nqn(std::string_view nqn);

/// In a file, values that are their default are left out and sizes are text; elsewhere all is said.
nlohmann::ordered_json to_json(const core::listener_spec& spec);
nlohmann::ordered_json to_json(const core::device_spec& spec, document kind);
nlohmann::ordered_json to_json(const core::namespace_spec& spec, document kind);
nlohmann::ordered_json to_json(const core::ana_group_spec& spec, document kind);
nlohmann::ordered_json to_json(const core::subsystem_spec& spec, document kind);
nlohmann::ordered_json to_json(const core::referral_spec& spec);

/// Reads member "ana_state".
bool read_ana_state(object_reader& reader, core::ana_state& into);

}  // namespace fulmar::admin
