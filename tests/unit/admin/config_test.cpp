// The strict configuration: a table of documents that must and must not pass, here and by the
// published schema; and the shape of the findings.
#include "support/schema_check.hpp"
#include "support/temp_dir.hpp"

#include <fulmar/admin/config.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace fulmar::admin {
namespace {

using nlohmann::json;
using test::source_path;

std::string read_text(const std::string& path) {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

json table() {
    return json::parse(read_text(source_path("tests/unit/admin/data/config_cases.json")));
}

/// A JSON pointer, and to something: a value that is there, or one that is missing in an object or
/// list that is there.
void expect_place(const problem& found, const json& document) {
    SCOPED_TRACE(found.text("case"));
    if (found.pointer.empty()) return;  // the whole document
    ASSERT_EQ(found.pointer.front(), '/');
    const json::json_pointer place(found.pointer);
    EXPECT_TRUE(document.contains(place) || document.contains(place.parent_pointer()));
    EXPECT_GT(found.line, 0u);
}

TEST(config, judges_every_case_of_the_table) {
    const json cases = table();
    for (const json& one : cases["cases"]) {
        SCOPED_TRACE(one["name"].get<std::string>());
        const json document = cases["base"].patch(one["patch"]);
        const config_outcome outcome = parse_config(document.dump(2));
        ASSERT_EQ(outcome.has_value(), one["ours"].get<bool>())
            << (outcome ? "accepted" : outcome.error().first("case").text());
        if (outcome) continue;
        const problem& first = outcome.error().all().front();
        EXPECT_EQ(first.pointer, one["pointer"].get<std::string>());
        EXPECT_THAT(first.message + " (" + first.remedy + ")",
                    testing::HasSubstr(one["says"].get<std::string>()));
        EXPECT_EQ(outcome.error().all().size(), one.value("problems", 1u))
            << outcome.error().all().back().message;
        EXPECT_GT(first.line, 0u);
        for (const problem& found : outcome.error().all()) expect_place(found, document);
        for (const problem& found : outcome.error().all())
            EXPECT_FALSE(found.remedy.empty()) << "no remedy: " << found.text("case");
    }
}

TEST(config, one_file_under_two_paths_is_found_with_its_place) {
    const test::temp_dir dir;
    const std::string folder = dir.path();
    std::ofstream(folder + "/a.img") << "x";
    std::filesystem::create_symlink("a.img", folder + "/link.img");
    std::filesystem::create_hard_link(folder + "/a.img", folder + "/hard.img");
    std::filesystem::create_directory(folder + "/sub");
    std::filesystem::create_directory_symlink("sub", folder + "/way");
    const auto judge = [&](const std::string& one, const std::string& other) {
        std::ofstream(folder + "/c.json") << fmt::format(
            "{{\"devices\": [\n"
            "{{\"name\": \"r\", \"type\": \"ram\", \"size\": 4096}},\n"
            "{{\"name\": \"a\", \"type\": \"file\",\n\"path\": \"{}\"}},\n"
            "{{\"name\": \"b\", \"type\": \"file\",\n\"path\": \"{}\"}}]}}",
            one, other);
        const auto loaded = load_config(folder + "/c.json");
        return loaded ? check_files(*loaded) : loaded.error();
    };
    // What the names alone tell is told without looking at the files.
    for (const char* same : {"./a.img", "sub/../a.img"}) {
        const problem_list found = judge("a.img", same);
        ASSERT_EQ(found.all().size(), 1u) << same;
        EXPECT_EQ(found.all()[0].pointer, "/devices/2/path");
        EXPECT_EQ(found.all()[0].line, 6u);
        EXPECT_THAT(found.all()[0].message, testing::HasSubstr("is taken in line 4"));
    }
    for (const char* same : {"link.img", "hard.img"}) {
        const problem_list found = judge("a.img", same);
        ASSERT_EQ(found.all().size(), 1u) << same;
        EXPECT_EQ(found.all()[0].pointer, "/devices/2/path");
        EXPECT_EQ(found.all()[0].line, 6u);
        EXPECT_EQ(found.all()[0].message, "is the file of device \"a\" in line 4");
    }
    EXPECT_EQ(judge("sub/new.img", "way/new.img").all().size(), 1u) << "not there yet";
    EXPECT_TRUE(judge("a.img", "sub/a.img").empty());
    EXPECT_TRUE(judge("new.img", "other.img").empty());
}

/// `schema` itself, or what its $ref says, with its own keys on top.
json resolved(const json& schema, const json& root) {
    if (!schema.contains("$ref")) return schema;
    json out = root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1)));
    for (const auto& [key, value] : schema.items())
        if (key != "$ref") out[key] = value;
    return out;
}

/// The defaults that `schema` tells of an object, spelled out. Objects that need something are left
/// out, and so are lists, and REST over TCP, which is served only when it is asked for.
json defaults_of(const json& schema, const json& root) {
    json out = json::object();
    for (const auto& [key, property] : schema["properties"].items()) {
        if (!property.is_object()) continue;
        const json one = resolved(property, root);
        if (one.contains("default"))
            out[key] = one["default"];
        else if (one.value("type", "") == "object" && !one.contains("required") && key != "tcp")
            out[key] = defaults_of(one, root);
    }
    return out;
}

TEST(config, the_schemas_defaults_are_the_daemons) {
    const json schema = json::parse(read_text(source_path("config/fulmard.schema.json")));
    const json written = defaults_of(schema, schema);
    EXPECT_EQ(written["limits"].size(), 5u) << written.dump(2);
    EXPECT_EQ(written["timeouts"].size(), 8u) << written.dump(2);
    const config_outcome options = parse_config(written.dump());
    ASSERT_TRUE(options.has_value()) << options.error().first("defaults").text();
    EXPECT_THAT(changed_options(daemon_options{}, options->options), testing::IsEmpty())
        << written.dump(2);
    EXPECT_EQ(options->options, daemon_options{});

    // Objects: what must be said, with and without all defaults.
    const auto with = [&](const char* name, json least, bool full) {
        const json defaults = full ? defaults_of(schema["$defs"][name], schema) : json::object();
        for (const auto& [key, value] : defaults.items())
            if (!least.contains(key)) least[key] = value;
        return least;
    };
    const auto target = [&](bool full) {
        const json ns = with("namespace", {{"nsid", 1}, {"device", "r"}}, full);
        json document{
            {"listeners", {with("listener", {{"address", "127.0.0.1"}}, full)}},
            {"referrals", {with("referral", {{"address", "127.0.0.1"}}, full)}},
            {"devices", {with("device", {{"name", "r"}, {"type", "file"}, {"path", "/x"}}, full)}},
            {"subsystems",
             {with("subsystem", {{"nqn", "nqn.2026-11.io.fulmar:a"}, {"namespaces", {ns}}},
                   full)}}};
        // What only a drive or an export may have.
        for (const char* key :
             {"bind", "detached", "drive_nsid", "serial", "address", "uri", "connections",
              "tls_certificates", "tls_psk_file", "tls_username", "pool", "namespace", "image",
              "snapshot", "user", "conf", "keyring", "cpus", "timeout_s"})
            document["devices"][0].erase(key);
        return document;
    };
    EXPECT_NE(target(true), target(false));
    const config_outcome least = parse_config(target(false).dump());
    const config_outcome full = parse_config(target(true).dump());
    ASSERT_TRUE(least.has_value()) << least.error().first("least").text();
    ASSERT_TRUE(full.has_value()) << full.error().first("full").text();
    EXPECT_EQ(full->spec, least->spec) << target(true).dump(2);
}

TEST(config, open_api_and_the_schema_tell_the_same_defaults) {
    const json schema = json::parse(read_text(source_path("config/fulmard.schema.json")))["$defs"];
    const json api = json::parse(
        read_text(source_path("src/admin/assets/openapi.json")))["components"]["schemas"];
    std::size_t compared = 0;
    for (const auto& [name, one] : schema.items()) {
        if (!api.contains(name) || !one.contains("properties")) continue;
        for (const auto& [key, property] : one["properties"].items()) {
            if (!property.is_object() || !property.contains("default")) continue;
            ++compared;
            EXPECT_EQ(property["default"], api[name]["properties"][key].value("default", json()))
                << name << "/" << key;
        }
    }
    EXPECT_GT(compared, 20u);
}

TEST(config, agrees_with_the_published_schema) {
    const json cases = table();
    std::vector<std::pair<std::string, json>> documents;
    for (const json& one : cases["cases"])
        documents.emplace_back("", cases["base"].patch(one["patch"]));
    for (const char* name : {"config/quickstart.json", "config/example.json"})
        documents.emplace_back("", json::parse(read_text(source_path(name))));
    const auto verdicts = test::check_schema(source_path("config/fulmard.schema.json"), documents);
    if (!verdicts) GTEST_SKIP() << "python3-jsonschema is not installed";
    ASSERT_EQ(verdicts->size(), documents.size());
    for (std::size_t i = 0; i < cases["cases"].size(); ++i)
        EXPECT_EQ((*verdicts)[i].is_null(), cases["cases"][i]["schema"].get<bool>())
            << cases["cases"][i]["name"] << (*verdicts)[i];
    EXPECT_TRUE((*verdicts)[verdicts->size() - 2].is_null());
    EXPECT_TRUE((*verdicts)[verdicts->size() - 1].is_null());
}

TEST(config, accepts_the_shipped_examples) {
    for (const char* name : {"config/quickstart.json", "config/example.json", "config/service.json",
                             "config/container.json"}) {
        const auto loaded = load_config(source_path(name));
        ASSERT_TRUE(loaded.has_value()) << loaded.error().first(name).text();
    }
    // Where the unit's folders are, and where the tool looks.
    const auto service = load_config(source_path("config/service.json"));
    EXPECT_EQ(service->config.options.admin.unix_socket, admin_options{}.unix_socket);
    EXPECT_TRUE(service->config.spec.devices[0].path.starts_with("/var/lib/fulmar/"));
    const auto quick = load_config(source_path("config/quickstart.json"));
    const std::string folder = std::filesystem::absolute(source_path("config")).lexically_normal();
    EXPECT_EQ(quick->config.options.admin.unix_socket, folder + "/admin.sock");
    EXPECT_EQ(quick->config.spec.devices[1].path, folder + "/file0.img");
    EXPECT_EQ(quick->config.spec.devices[0].size_bytes, std::uint64_t{1} << 30);
}

TEST(config, reports_all_problems_with_their_lines) {
    const config_outcome outcome = parse_config(R"({
  "cores": {"data": 99},
  "devices": [
    {"name": "a", "type": "ram",
     "size": 1000},
    {"name": "a", "type": "ram", "size": "1MiB",
     "color": "red"}
  ]
})");
    ASSERT_FALSE(outcome.has_value());
    EXPECT_THAT(outcome.error().lines("f.json"),
                testing::ElementsAre(
                    testing::StartsWith("f.json:2: /cores/data: must be from 1 to 64"),
                    testing::StartsWith("f.json:5: /devices/0/size: must be a multiple"),
                    testing::StartsWith("f.json:7: /devices/1/color: unknown key"),
                    testing::StartsWith("f.json:6: /devices/1/name: the device name \"a\" is "
                                        "taken in line 4")));
}

TEST(config, devices_share_a_drive_by_its_namespaces) {
    const auto two = [](const char* first, const char* second) {
        const auto device = [](const char* name, const char* nsid) {
            return fmt::format(
                R"({{"name": "{}", "type": "pcie", "address": "0000:0b:00.0", "drive_nsid": {}}})",
                name, nsid);
        };
        return parse_config(
            fmt::format(R"({{"devices": [{}, {}]}})", device("a", first), device("b", second)));
    };
    EXPECT_TRUE(two("1", "2").has_value());
    for (const char* same : {"0", "2"}) {
        const config_outcome outcome = two(same, same);
        ASSERT_FALSE(outcome.has_value());
        EXPECT_THAT(outcome.error().lines("f.json"),
                    testing::ElementsAre(testing::HasSubstr("one namespace of a drive backs")));
    }
}

TEST(config, write_caches_are_of_files_and_drives) {
    const auto with = [](const char* device, const char* word) {
        return parse_config(fmt::format(
            R"({{"devices": [{{"name": "a", {}, "write_cache": "{}"}}]}})", device, word));
    };
    for (const char* device :
         {R"("type": "file", "path": "/x")", R"("type": "pcie", "address": "0000:0b:00.0")"}) {
        const config_outcome through = with(device, "through");
        ASSERT_TRUE(through.has_value()) << through.error().first("f").text();
        EXPECT_EQ(through->spec.devices[0].write_cache, core::write_cache_mode::through);
        const auto again = parse_config(render_config("{}", through->spec));
        ASSERT_TRUE(again.has_value());
        EXPECT_EQ(again->spec, through->spec);
        const config_outcome usual = with(device, "device");
        ASSERT_TRUE(usual.has_value());
        EXPECT_EQ(usual->spec.devices[0].write_cache, core::write_cache_mode::device);
        EXPECT_FALSE(with(device, "never").has_value());
    }
    const config_outcome ram = with(R"("type": "ram", "size": "1MiB")", "through");
    ASSERT_FALSE(ram.has_value());
    EXPECT_THAT(ram.error().first("f").text(), testing::HasSubstr("no write cache to go through"));
    EXPECT_TRUE(with(R"("type": "ram", "size": "1MiB")", "device").has_value());
}

TEST(config, sees_duplicate_keys_where_others_take_the_last) {
    const config_outcome outcome =
        parse_config("{\"log\": {\n\"level\": \"info\",\n\"level\": \"debug\"}}");
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().first("f").text(),
              "f:3 /log/level: \"level\" is there twice, first in line 2 (keep one of them)");
}

TEST(config, names_the_line_of_a_syntax_error) {
    const config_outcome outcome = parse_config("{\n  \"cores\": {\n    \"data\": 1,\n  }\n}\n");
    ASSERT_FALSE(outcome.has_value());
    const problem& first = outcome.error().all().front();
    EXPECT_EQ(first.line, 4u);
    EXPECT_EQ(first.pointer, "/cores");
    EXPECT_EQ(first.what, problem::kind::syntax);
    EXPECT_THAT(first.message, testing::HasSubstr("unexpected '}'"));
}

TEST(config, refuses_comments_and_trailing_text) {
    for (const char* text : {"{} // c", "/* c */ {}", "{} {}", "", "nul", "{\"a\":1,}", "[1,2",
                             "{\"a\" 1}", "\xef\xbb", "{\"a\":\"\xff\"}"}) {
        const config_outcome outcome = parse_config(text);
        ASSERT_FALSE(outcome.has_value()) << text;
        EXPECT_EQ(outcome.error().all().front().what, problem::kind::syntax) << text;
    }
}

TEST(config, bounds_what_a_document_may_cost) {
    EXPECT_FALSE(parse_config(std::string(200'000, '[')).has_value());
    std::string many = "{\"devices\":[";
    for (int i = 0; i < 1'100'000; ++i) many += "0,";
    many += "0]}";
    const config_outcome outcome = parse_config(many);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_THAT(outcome.error().all().front().message, testing::HasSubstr("1000000 values"));
    EXPECT_FALSE(parse_config(std::string(17 * 1024 * 1024, ' ')).has_value());
    std::string wide = "{";
    for (int i = 0; i < 100; ++i) wide += "\"k" + std::to_string(i) + "\":0,";
    wide += "\"z\":0}";
    EXPECT_FALSE(parse_config(wide).has_value());
}

TEST(config, keeps_the_number_of_findings_bounded) {
    std::string text = "{\"devices\":[";
    for (int i = 0; i < 1000; ++i) text += "{},";
    text += "{}]}";
    const config_outcome outcome = parse_config(text);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().all().size(), problem_list::max_kept);
    EXPECT_THAT(outcome.error().lines("f").back(), testing::HasSubstr("1982 more problems"));
}

TEST(config, warns_of_parking_longer_than_a_host_waits) {
    const config_outcome outcome =
        parse_config(R"({"devices":[{"name":"a","type":"ram","size":512}],
      "subsystems":[{"nqn":"nqn.2026-11.io.fulmar:a",
        "namespaces":[{"nsid":1,"device":"a","park_ms":26000}]}]})");
    ASSERT_TRUE(outcome.has_value());
    ASSERT_EQ(outcome->warnings.size(), 1u);
    EXPECT_EQ(outcome->warnings[0].pointer, "/subsystems/0/namespaces/0/park_ms");
}

TEST(config, says_why_a_file_cannot_be_read) {
    const auto none = load_config("/nonexistent/fulmard.json");
    ASSERT_FALSE(none.has_value());
    EXPECT_THAT(none.error().first("x").text(), testing::HasSubstr("No such file"));
    const auto folder = load_config("/tmp");
    ASSERT_FALSE(folder.has_value());
    EXPECT_THAT(folder.error().first("x").text(), testing::HasSubstr("not a regular file"));
}

TEST(config, rewriting_keeps_what_it_does_not_own) {
    const std::string text = read_text(source_path("config/example.json"));
    const auto before = parse_config(text);
    ASSERT_TRUE(before.has_value());
    const std::string again = render_config(text, before->spec);
    const auto after = parse_config(again);
    ASSERT_TRUE(after.has_value()) << after.error().first("again").text();
    EXPECT_EQ(after->spec, before->spec);
    EXPECT_EQ(after->options, before->options);
    EXPECT_EQ(render_config(again, after->spec), again);
    const auto a = nlohmann::ordered_json::parse(text);
    const auto b = nlohmann::ordered_json::parse(again);
    EXPECT_EQ(a["admin"].dump(), b["admin"].dump());
    EXPECT_EQ(a["devices"][1]["size"], b["devices"][1]["size"]);
}

TEST(config, names_the_sections_that_need_a_restart) {
    daemon_options a;
    daemon_options b = a;
    EXPECT_TRUE(changed_options(a, b).empty());
    b.cores.data = 2;
    b.target.send_stall_s = 1;
    b.drives.allow.emplace();
    EXPECT_THAT(changed_options(a, b), testing::ElementsAre("/cores", "/drives", "/timeouts"));
}

}  // namespace
}  // namespace fulmar::admin
