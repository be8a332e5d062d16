// Judges documents by a JSON schema; a script does the work.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::test {

/// A path inside the source tree.
std::string source_path(const std::string& name);

/// One verdict per (pointer, document): null, or what is wrong. Nothing when python3-jsonschema is
/// missing. `schema` is a file.
std::optional<nlohmann::json> check_schema(
    const std::string& schema,
    const std::vector<std::pair<std::string, nlohmann::json>>& documents);

}  // namespace fulmar::test
