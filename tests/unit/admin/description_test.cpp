// The description of a device, a subsystem and a namespace: a field that is told nowhere but in the
// tables, and works wherever a configuration is read, written, compared or changed.
#include "change_json.hpp"
#include "journal_run.hpp"
#include "rest_fixture.hpp"
#include "spec_diff.hpp"

#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

namespace fulmar::admin {
namespace {

using testing::HasSubstr;
using testing_support::json;
using testing_support::rest_nqn;

json file_with(const std::string& device, const std::string& subsystem, const std::string& ns) {
    json out{
        {"devices", {{{"name", "d"}, {"type", "ram"}, {"size", 4096}}}},
        {"subsystems", {{{"nqn", rest_nqn}, {"namespaces", {{{"nsid", 1}, {"device", "d"}}}}}}}};
    if (!device.empty()) out["devices"][0]["description"] = device;
    if (!subsystem.empty()) out["subsystems"][0]["description"] = subsystem;
    if (!ns.empty()) out["subsystems"][0]["namespaces"][0]["description"] = ns;
    return out;
}

core::target_spec spec_with(const std::string& device, const std::string& subsystem,
                            const std::string& ns) {
    return parse_config(file_with(device, subsystem, ns).dump()).value().spec;
}

TEST(description_test, is_read_from_a_file_and_written_into_it) {
    const core::target_spec spec = spec_with("left disk", "für die Abteilung Süd", "the database");
    EXPECT_EQ(spec.devices[0].description, "left disk");
    EXPECT_EQ(spec.subsystems[0].description, "für die Abteilung Süd");
    EXPECT_EQ(spec.subsystems[0].namespaces[0].description, "the database");
    EXPECT_EQ(parse_config(render_config("{}", spec)).value().spec, spec);
    EXPECT_THAT(render_config("{}", spec_with("", "", "")), testing::Not(HasSubstr("description")));
}

TEST(description_test, has_a_bound_in_bytes_and_no_control_characters) {
    const auto judge = [](const std::string& text) -> std::string {
        const auto read = parse_config(file_with(text, "", "").dump());
        return read ? "" : read.error().first("").text();
    };
    std::string umlauts;
    while (umlauts.size() < limits::max_description_bytes) umlauts += "ü";
    EXPECT_EQ(judge(umlauts), "");
    EXPECT_THAT(judge(umlauts + "x"),
                HasSubstr("/devices/0/description: must be at most 256 bytes"));
    for (const char* bad : {"two\nlines", "\x1b[31m", "\x7f", "\xc2\x85"})
        EXPECT_THAT(judge(bad), HasSubstr("/devices/0/description: contains a control character"));
    EXPECT_EQ(judge("\xc2\xa0\xc3\x85"), "") << "no C1";
}

TEST(description_test, a_reload_changes_it_in_place) {
    const auto changes = diff(spec_with("a", "b", "c"), spec_with("x", "", "z"));
    std::vector<std::string> told;
    for (const core::change& one : changes) told.push_back(to_json(one).dump());
    EXPECT_THAT(
        told,
        testing::UnorderedElementsAre(
            R"({"op":"modify_device","name":"d","set":{"description":"x"}})",
            fmt::format(R"({{"op":"modify_subsystem","nqn":"{}","set":{{"description":""}}}})",
                        rest_nqn),
            fmt::format(
                R"({{"op":"modify_namespace","nqn":"{}","nsid":1,"set":{{"description":"z"}}}})",
                rest_nqn)));
    EXPECT_TRUE(diff(spec_with("a", "b", "c"), spec_with("a", "b", "c")).empty());
}

TEST(description_test, a_journal_has_it_after_a_crash) {
    test::forgetful_disk disk{1};
    disk.put(testing_support::config_path, file_with("a", "b", "c").dump());
    const core::target_spec wanted = spec_with("x", "y", "z");
    {
        testing_support::run one(disk);
        ASSERT_FALSE(one.trouble.has_value()) << one.trouble->text();
        for (const core::change& change : diff(spec_with("a", "b", "c"), wanted))
            one.append(change);
        ASSERT_EQ(one.acks.size(), 3u);
        ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
    }
    const testing_support::run two(disk);
    ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
    EXPECT_EQ(two.found, wanted);
}

struct description_over_rest : testing_support::rest_fixture {
    json ask(const std::string& method, const std::string& target, const json& body, int status) {
        auto client = connect();
        const auto answer = client.send(method, target, body.is_null() ? "" : body.dump());
        EXPECT_EQ(answer.status, status) << method << " " << target << ": " << answer.body;
        return json::parse(answer.body);
    }
};

TEST_F(description_over_rest, is_made_shown_changed_and_replaced) {
    start();
    const std::string at = "/v1/subsystems/" + rest_nqn;
    const std::string ns = at + "/namespaces/1";
    const json set{{"description", "other"}};
    ask("POST", "/v1/devices",
        {{"name", "d"}, {"type", "ram"}, {"size", 4096}, {"description", "disk"}}, 201);
    EXPECT_EQ(ask("GET", "/v1/devices/d", {}, 200)["description"], "disk");
    EXPECT_EQ(ask("PATCH", "/v1/devices/d", set, 200)["description"], "other");
    const json both = ask("PATCH", "/v1/devices/d", {{"size", 8192}, {"description", "more"}}, 200);
    EXPECT_EQ(both["description"], "more");
    EXPECT_EQ(both["size"], 8192);

    EXPECT_EQ(ask("POST", "/v1/subsystems", {{"nqn", rest_nqn}}, 201)["description"], "");
    EXPECT_EQ(ask("PATCH", at, set, 200)["description"], "other");
    ask("POST", at + "/namespaces", {{"device", "d"}, {"description", "first"}}, 201);
    EXPECT_EQ(ask("GET", ns, {}, 200)["description"], "first");
    const json changed =
        ask("PATCH", ns, {{"ana_state", "non-optimized"}, {"description", "second"}}, 200);
    EXPECT_EQ(changed["description"], "second");
    EXPECT_EQ(changed["ana_state"], "non-optimized");

    json whole = ask("GET", at, {}, 200);
    whole["description"] = "put";
    whole["namespaces"][0]["description"] = "put too";
    ask("PUT", at, whole, 200);
    EXPECT_EQ(fake.spec().subsystems.at(0).description, "put");
    EXPECT_EQ(fake.spec().subsystems.at(0).namespaces.at(0).description, "put too");

    const std::string long_text(limits::max_description_bytes + 1, 'x');
    for (const std::string& target : {std::string("/v1/devices/d"), at, ns})
        EXPECT_EQ(ask("PATCH", target, {{"description", long_text}}, 422)["where"], "/description");
    EXPECT_THAT(ask("PATCH", ns, json::object(), 422).dump(),
                testing::AllOf(HasSubstr("ana_state"), HasSubstr("description")));
    ask("PATCH", at + "/namespaces/9", set, 404);
    ask("PATCH", "/v1/devices/e", set, 404);
}

}  // namespace
}  // namespace fulmar::admin
