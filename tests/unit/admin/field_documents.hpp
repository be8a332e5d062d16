// Documents that are made from the tables of fields: schemas and the reference.
#pragma once

#include <fulmar/core/fields/field_compare.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace fulmar::admin::testing_support {

using nlohmann::ordered_json;

/// Which document a schema is for: of the file, of a body that REST takes, of what REST shows.
enum class schema_use : std::uint8_t { file, body, shown };

/// A field without its object.
struct described_field {
    core::field_facts facts;
    ordered_json usual;  ///< its default, as in a file
};

/// A JSON schema of the field. `folder` is where other schemas are: "#/$defs/".
ordered_json field_schema(const described_field& field, schema_use use, const std::string& folder);
/// The members that depend on the type: an "allOf", or nothing where there are no types.
ordered_json type_rules(const std::vector<described_field>& fields, schema_use use);
ordered_json object_schema(const std::vector<described_field>& fields, schema_use use,
                           const std::string& folder);
/// The members of `before` that are no fields stay; the rest is what the fields say.
ordered_json shown_schema(const std::vector<described_field>& fields, const ordered_json& before);
ordered_json patch_schema(const std::vector<described_field>& fields, const ordered_json& before);
/// A table in Markdown.
std::string reference(const std::vector<described_field>& fields);

/// The fields of all objects, by the names of their schemas.
std::map<std::string, std::vector<described_field>> all_fields();

/// A part of the configuration file that is fixed while the daemon runs.
struct described_section {
    std::string name;  ///< of its schema; empty: its fields are members of the document itself
    std::string help;
    std::vector<described_field> fields;
    bool nested = false;  ///< an object in a section: a member, or one of a list
};

/// In the order of the document; what is nested follows its section.
std::vector<described_section> all_sections();
/// Without the rules between fields that nobody can tell from the fields.
ordered_json section_schema(const described_section& section, const std::string& folder);

/// JSON for reading: what fits on a line is on one.
std::string pretty(const ordered_json& document);

}  // namespace fulmar::admin::testing_support
