// The strict configuration: a table of documents that must and must not pass, here and by the
// published schema; and the shape of the findings.
#include "support/schema_check.hpp"

#include <fulmar/admin/config.hpp>

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

TEST(Config, JudgesEveryCaseOfTheTable) {
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
    }
}

TEST(Config, AgreesWithThePublishedSchema) {
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

TEST(Config, AcceptsTheShippedExamples) {
    for (const char* name : {"config/quickstart.json", "config/example.json"}) {
        const auto loaded = load_config(source_path(name));
        ASSERT_TRUE(loaded.has_value()) << loaded.error().first(name).text();
    }
    const auto quick = load_config(source_path("config/quickstart.json"));
    const std::string folder = std::filesystem::absolute(source_path("config")).lexically_normal();
    EXPECT_EQ(quick->config.options.admin.unix_socket, folder + "/admin.sock");
    EXPECT_EQ(quick->config.spec.devices[1].path, folder + "/file0.img");
    EXPECT_EQ(quick->config.spec.devices[0].size_bytes, std::uint64_t{1} << 30);
}

TEST(Config, ReportsAllProblemsWithTheirLines) {
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

TEST(Config, SeesDuplicateKeysWhereOthersTakeTheLast) {
    const config_outcome outcome =
        parse_config("{\"log\": {\n\"level\": \"info\",\n\"level\": \"debug\"}}");
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().first("f").text(),
              "f:3 /log/level: \"level\" is there twice, first in line 2 (keep one of them)");
}

TEST(Config, NamesTheLineOfASyntaxError) {
    const config_outcome outcome = parse_config("{\n  \"cores\": {\n    \"data\": 1,\n  }\n}\n");
    ASSERT_FALSE(outcome.has_value());
    const problem& first = outcome.error().all().front();
    EXPECT_EQ(first.line, 4u);
    EXPECT_EQ(first.pointer, "/cores");
    EXPECT_EQ(first.what, problem::kind::syntax);
    EXPECT_THAT(first.message, testing::HasSubstr("unexpected '}'"));
}

TEST(Config, RefusesCommentsAndTrailingText) {
    for (const char* text : {"{} // c", "/* c */ {}", "{} {}", "", "nul", "{\"a\":1,}", "[1,2",
                             "{\"a\" 1}", "\xef\xbb", "{\"a\":\"\xff\"}"}) {
        const config_outcome outcome = parse_config(text);
        ASSERT_FALSE(outcome.has_value()) << text;
        EXPECT_EQ(outcome.error().all().front().what, problem::kind::syntax) << text;
    }
}

TEST(Config, BoundsWhatADocumentMayCost) {
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

TEST(Config, KeepsTheNumberOfFindingsBounded) {
    std::string text = "{\"devices\":[";
    for (int i = 0; i < 1000; ++i) text += "{},";
    text += "{}]}";
    const config_outcome outcome = parse_config(text);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().all().size(), problem_list::max_kept);
    EXPECT_THAT(outcome.error().lines("f").back(), testing::HasSubstr("1982 more problems"));
}

TEST(Config, WarnsOfParkingLongerThanAHostWaits) {
    const config_outcome outcome =
        parse_config(R"({"devices":[{"name":"a","type":"ram","size":512}],
      "subsystems":[{"nqn":"nqn.2026-11.io.fulmar:a",
        "namespaces":[{"nsid":1,"device":"a","park_ms":26000}]}]})");
    ASSERT_TRUE(outcome.has_value());
    ASSERT_EQ(outcome->warnings.size(), 1u);
    EXPECT_EQ(outcome->warnings[0].pointer, "/subsystems/0/namespaces/0/park_ms");
}

TEST(Config, SaysWhyAFileCannotBeRead) {
    const auto none = load_config("/nonexistent/fulmard.json");
    ASSERT_FALSE(none.has_value());
    EXPECT_THAT(none.error().first("x").text(), testing::HasSubstr("No such file"));
    const auto folder = load_config("/tmp");
    ASSERT_FALSE(folder.has_value());
    EXPECT_THAT(folder.error().first("x").text(), testing::HasSubstr("not a regular file"));
}

TEST(Config, RewritingKeepsWhatItDoesNotOwn) {
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

TEST(Config, NamesTheSectionsThatNeedARestart) {
    daemon_options a;
    daemon_options b = a;
    EXPECT_TRUE(changed_options(a, b).empty());
    b.cores.data = 2;
    b.target.send_stall_s = 1;
    EXPECT_THAT(changed_options(a, b), testing::ElementsAre("/cores", "/timeouts"));
}

}  // namespace
}  // namespace fulmar::admin
