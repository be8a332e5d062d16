// The schema of the configuration file, the schemas of OpenAPI and the reference say what the
// tables of fields say. FULMAR_UPDATE_DOCS=1 writes them.
#include "field_documents.hpp"

#include "support/render_states.hpp"
#include "support/schema_check.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

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

/// An options section: nothing but its fields.
ordered_json section(const std::vector<described_field>& fields, const std::string& folder) {
    ordered_json out = object_schema(fields, schema_use::file, folder);
    out.erase("required");
    out["description"] = "A change needs a restart.";
    return out;
}

TEST(FieldDocuments, TheSchemaOfTheFileSaysWhatTheTablesSay) {
    ordered_json schema = ordered_json::parse(text_of(schema_path));
    for (const auto& [name, fields] : all_fields())
        schema["$defs"][name] = object_schema(fields, schema_use::file, "#/$defs/");
    for (const auto& [name, fields] : option_fields())
        schema["$defs"][name] = section(fields, "#/$defs/");
    test::expect_document(schema_path, pretty(schema));
}

TEST(FieldDocuments, OpenApiSaysWhatTheTablesSay) {
    ordered_json api = ordered_json::parse(text_of(api_path));
    ordered_json& schemas = api["components"]["schemas"];
    const ordered_json status{{"type", "object"},
                              {"description", "What a GET shows; ignored when it is sent."}};
    for (const auto& [name, fields] : all_fields()) {
        ordered_json body = object_schema(fields, schema_use::body, "#/components/schemas/");
        if (name == "listener")
            body["properties"]["name"] = {{"type", "string"},
                                          {"description", "As a GET shows it; ignored."}};
        body["properties"]["status"] = status;
        schemas[name] = body;
        schemas[name + "_shown"] = shown_schema(fields, schemas[name + "_shown"]);
        if (schemas.contains(name + "_patch"))
            schemas[name + "_patch"] = patch_schema(fields, schemas[name + "_patch"]);
    }
    for (const auto& [name, fields] : option_fields())
        schemas[name] = section(fields, "#/components/schemas/");
    // A PUT has the NQN in its address, and says all of what shall be there.
    ordered_json put = schemas["subsystem"];
    put["required"] = ordered_json::array();
    put["properties"]["namespaces"]["items"] = {{"allOf",
                                                 {put["properties"]["namespaces"]["items"],
                                                  {{"required", ordered_json::array({"nsid"})},
                                                   {"properties", {{"nsid", {{"minimum", 1}}}}}}}}};
    schemas["subsystem_put"] = put;
    test::expect_document(api_path, pretty(api));
}

TEST(FieldDocuments, TheReferenceSaysWhatTheTablesSay) {
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
    for (const char* name : {"listener", "device", "subsystem", "namespace", "referral"})
        text += fmt::format("\n### A {}\n\n{}", name, reference(fields.at(name)));
    const auto options = option_fields();
    for (const char* name : {"limits", "timeouts"})
        text += fmt::format("\n### The section {}\n\nA change needs a restart.\n\n{}", name,
                            reference(options.at(name)));
    test::expect_document(reference_path, text);
}

TEST(FieldDocuments, EveryFieldIsDescribed) {
    for (const auto& [name, fields] : all_fields())
        for (const described_field& one : fields)
            EXPECT_FALSE(one.facts.help.empty()) << name << "/" << one.facts.name;
}

}  // namespace
}  // namespace fulmar::admin
