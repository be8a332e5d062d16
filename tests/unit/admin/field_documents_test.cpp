// The schema of the configuration file, the schemas of OpenAPI and the reference say what the
// tables of fields say. FULMAR_UPDATE_DOCS=1 writes them.
#include "field_documents.hpp"

#include "support/render_states.hpp"
#include "support/schema_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace fulmar::admin {
namespace {

using namespace testing_support;

std::string text_of(const std::string& path) {
    std::ifstream in(test::source_path(path));
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

constexpr const char* schema_path = "config/fulmard.schema.json";
constexpr const char* api_path = "src/admin/assets/openapi.json";
constexpr const char* reference_path = "docs/configuration.md";

/// The rules between the fields of a pattern, and so of a rule: it names something.
void name_drives(ordered_json& schemas) {
    for (const char* name : {"drive_pattern", "attach_rule"})
        for (const char* field : {"address", "serial", "model"})
            schemas[name]["anyOf"].push_back({{"required", {field}}});
}

/// The sections as members of a document, and their schemas.
void put_sections(ordered_json& document, ordered_json& schemas, const std::string& folder) {
    for (const described_section& one : all_sections()) {
        if (one.name.empty()) {
            for (const described_field& field : one.fields)
                document["properties"][std::string(field.facts.name)] =
                    field_schema(field, schema_use::file, folder);
            continue;
        }
        schemas[one.name] = section_schema(one, folder);
        if (!one.nested) document["properties"][one.name] = {{"$ref", folder + one.name}};
    }
    name_drives(schemas);
}

TEST(field_documents, the_schema_of_the_file_says_what_the_tables_say) {
    ordered_json schema = ordered_json::parse(text_of(schema_path));
    for (const auto& [name, fields] : all_fields())
        schema["$defs"][name] = object_schema(fields, schema_use::file, "#/$defs/");
    put_sections(schema, schema["$defs"], "#/$defs/");
    test::expect_document(schema_path, pretty(schema));
}

TEST(field_documents, open_api_says_what_the_tables_say) {
    ordered_json api = ordered_json::parse(text_of(api_path));
    ordered_json& schemas = api["components"]["schemas"];
    const ordered_json status{{"type", "object"},
                              {"description", "What a GET shows; ignored when it is sent."}};
    for (const auto& [name, fields] : all_fields()) {
        ordered_json body = object_schema(fields, schema_use::body, "#/components/schemas/");
        if (name == "listener")
            body["properties"]["name"] = {{"type", "string"},
                                          {"description", "As a GET shows it; ignored."}};
        if (name != "host_keys") body["properties"]["status"] = status;  // a part of a subsystem
        schemas[name] = body;
        schemas[name + "_shown"] = shown_schema(fields, schemas[name + "_shown"]);
        if (schemas.contains(name + "_patch"))
            schemas[name + "_patch"] = patch_schema(fields, schemas[name + "_patch"]);
    }
    ordered_json config = schemas["config"];  // new schemas move those that are there
    put_sections(config, schemas, "#/components/schemas/");
    schemas["config"] = std::move(config);
    // A PUT has the NQN in its address, and says all of what shall be there.
    ordered_json put = schemas["subsystem"];
    put["required"] = ordered_json::array();
    put["properties"]["namespaces"]["items"] = {{"allOf",
                                                 {put["properties"]["namespaces"]["items"],
                                                  {{"required", ordered_json::array({"nsid"})},
                                                   {"properties", {{"nsid", {{"minimum", 1}}}}}}}}};
    schemas["subsystem_put"] = put;
    // Nor need the body of one of an ANA group say what the address does.
    put = schemas["ana_group"];
    put.erase("required");
    schemas["ana_group_put"] = put;
    test::expect_document(api_path, pretty(api));
}

std::string heading_of(const described_section& one) {
    if (one.name.empty()) return "Beside the sections";
    return fmt::format("{} {}", one.nested ? "In a section:" : "The section", one.name);
}

TEST(field_documents, the_reference_says_what_the_tables_say) {
    constexpr std::string_view mark = "\n## Reference\n";
    std::string text = text_of(reference_path);
    const std::size_t at = text.find(mark);
    if (at != std::string::npos) text.resize(at);
    text += fmt::format(
        "{}\nThe fields of each object (`FieldDocuments` in the unit tests writes this chapter). "
        "\"May change\" is about an\nobject that is there: what may not makes a reload or a `PUT` "
        "with force make the object anew.\n",
        mark);
    const auto fields = all_fields();
    for (const auto& [name, heading] : {std::pair{"listener", "A listener"},
                                        {"device", "A device"},
                                        {"subsystem", "A subsystem"},
                                        {"host_keys", "An entry of host_keys"},
                                        {"ana_group", "An ana_group"},
                                        {"namespace", "A namespace"},
                                        {"referral", "A referral"}})
        text += fmt::format("\n### {}\n\n{}", heading, reference(fields.at(name)));
    for (const described_section& one : all_sections()) {
        const std::string restart = one.nested ? "" : "A change needs a restart.";
        text +=
            fmt::format("\n### {}\n\n{}{}{}\n\n{}", heading_of(one), one.help,
                        one.help.empty() || one.nested ? "" : " ", restart, reference(one.fields));
    }
    test::expect_document(reference_path, text);
}

TEST(field_documents, every_field_is_described) {
    for (const auto& [name, fields] : all_fields())
        for (const described_field& one : fields)
            EXPECT_FALSE(one.facts.help.empty()) << name << "/" << one.facts.name;
    for (const described_section& section : all_sections())
        for (const described_field& one : section.fields)
            EXPECT_FALSE(one.facts.help.empty()) << section.name << "/" << one.facts.name;
}

/// The part of the reference under `heading`.
std::string chapter(const std::string& text, const std::string& heading) {
    const std::string line = "\n### " + heading + "\n";
    const std::size_t at = text.find(line);
    if (at == std::string::npos) return {};
    return text.substr(at, text.find("\n### ", at + line.size()) - at);
}

TEST(field_documents, every_field_of_a_section_is_in_schema_open_api_and_reference) {
    const auto schema = ordered_json::parse(text_of(schema_path));
    const auto api = ordered_json::parse(text_of(api_path));
    const ordered_json& schemas = api["components"]["schemas"];
    const std::string text = text_of(reference_path);
    std::set<std::string> seen;
    for (const described_section& section : all_sections()) {
        SCOPED_TRACE(section.name);
        seen.insert(section.name);
        const bool root = section.name.empty();
        const ordered_json& in_file = root ? schema : schema["$defs"][section.name];
        const ordered_json& in_api = schemas[root ? "config" : section.name];
        EXPECT_FALSE(section.fields.empty());
        for (const described_field& one : section.fields) {
            const std::string name(one.facts.name);
            EXPECT_TRUE(in_file["properties"].contains(name)) << name;
            EXPECT_TRUE(in_api["properties"].contains(name)) << name;
            EXPECT_THAT(chapter(text, heading_of(section)),
                        testing::HasSubstr(fmt::format("| `{}` |", name)));
        }
        if (root || section.nested) continue;
        EXPECT_TRUE(schema["properties"].contains(section.name));
        EXPECT_TRUE(schemas["config"]["properties"].contains(section.name));
    }
    // Whatever the document has beside its objects is a section, with a table.
    const std::set<std::string> others{"$schema",    "listeners", "devices",
                                       "subsystems", "referrals", "state_dir"};
    for (const auto& [name, value] : schema["properties"].items())
        EXPECT_TRUE(seen.contains(name) || others.contains(name)) << name;
}

}  // namespace
}  // namespace fulmar::admin
