// A change as JSON: {"op": "add_namespace", "nqn": …, "namespace": {…}}. The journal's lines and
// the answer of a dry run have this form. Pure.
#pragma once

#include "object_reader.hpp"

#include <fulmar/admin/problem.hpp>
#include <fulmar/core/control.hpp>

#include <nlohmann/json.hpp>

#include <optional>

namespace fulmar::admin {

nlohmann::ordered_json to_json(const core::change& change);

/// Nothing, and at least one problem, when it is no change. `where` must be an object.

std::optional<core::change> read_change(json_place where, problem_list& problems);

/// One line for people, with all that the change says: "add namespace {"nqn": …}".
std::string describe(const core::change& change);

/// What is done to which object, and no more: "add namespace 2 of nqn.… on device file0".
std::string title(const core::change& change);

}  // namespace fulmar::admin
