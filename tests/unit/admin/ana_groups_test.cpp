// ANA groups wherever a configuration is read, written, compared, merged or changed.
#include "support/ana_groups.hpp"

#include "change_json.hpp"
#include "config_merge.hpp"
#include "disturbance.hpp"
#include "journal_run.hpp"
#include "rest_fixture.hpp"
#include "spec_diff.hpp"
#include "spec_editor.hpp"

#include <fulmar/admin/broken.hpp>
#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

namespace fulmar::admin {
namespace {

using core::ana_state;
using fulmar::test::ana_change_to;
using fulmar::test::ana_state_of;
using fulmar::test::move_to_ana_group;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::json;
using testing_support::rest_nqn;

const std::string one_listener = "tcp:192.0.2.1:4420";

/// Namespaces 1 and 2 in the groups of these numbers; 0: in none.
json ana_file(const json& groups, unsigned first = 0, unsigned second = 0) {
    json all = json::array();
    for (const unsigned group : {first, second}) {
        const auto nsid = all.size() + 1;
        json ns{{"nsid", nsid}, {"device", fmt::format("d{}", nsid)}};
        if (group != 0) ns["ana_group"] = group;
        all.push_back(std::move(ns));
    }
    json s{{"nqn", rest_nqn}, {"serial", "S"}, {"namespaces", std::move(all)}};
    if (!groups.is_null()) s["ana_groups"] = groups;
    return {{"devices",
             {{{"name", "d1"}, {"type", "ram"}, {"size", 4096}},
              {{"name", "d2"}, {"type", "ram"}, {"size", 4096}}}},
            {"listeners", {{{"address", "192.0.2.1"}}}},
            {"subsystems", json::array({std::move(s)})}};
}

json two_groups() {
    return {{{"id", 1}, {"listeners", {{one_listener, "inaccessible"}}}},
            {{"id", 2}, {"state", "non-optimized"}, {"then", "optimized"}, {"description", "b"}}};
}

core::target_spec ana_spec(const json& groups, unsigned first = 0, unsigned second = 0) {
    return parse_config(ana_file(groups, first, second).dump()).value().spec;
}

TEST(ana_groups_test, are_read_from_a_file_and_written_into_it) {
    const core::target_spec spec = ana_spec(two_groups(), 2, 1);
    const core::subsystem_spec& s = spec.subsystems.at(0);
    ASSERT_EQ(s.ana_groups.size(), 2u);
    EXPECT_EQ(s.ana_groups[0].state, ana_state::optimized);
    EXPECT_EQ(s.ana_groups[0].then, ana_state::inaccessible);
    EXPECT_EQ(s.ana_groups[0].at(one_listener), ana_state::inaccessible);
    EXPECT_EQ(s.ana_groups[0].at("tcp:192.0.2.2:4420"), ana_state::optimized);
    EXPECT_EQ(s.ana_groups[1].then, ana_state::optimized);
    EXPECT_EQ(s.namespaces[0].ana_group, 2u);
    const std::string written = render_config("{}", spec);
    EXPECT_EQ(parse_config(written).value().spec, spec);
    EXPECT_THAT(written, HasSubstr("\"ana_groups\": ["));
    EXPECT_THAT(render_config("{}", ana_spec(nullptr)), testing::Not(HasSubstr("ana_group")));
}

TEST(ana_groups_test, that_cannot_be_are_refused_where_they_stand) {
    const auto judge = [](const json& groups, unsigned first = 0) -> std::string {
        const auto read = parse_config(ana_file(groups, first).dump());
        return read ? "" : read.error().first("").text();
    };
    const std::string where = "/subsystems/0/ana_groups";
    EXPECT_EQ(judge(two_groups(), 1), "");
    EXPECT_THAT(judge({{{"id", 0}}}), HasSubstr(where + "/0/id: must be"));
    EXPECT_THAT(judge({{{"id", limits::max_ana_groups + 1}}}), HasSubstr(where + "/0/id"));
    EXPECT_THAT(judge({{{"state", "optimized"}}}), HasSubstr("lacks \"id\""));
    EXPECT_THAT(judge({{{"id", 1}}, {{"id", 1}}}), HasSubstr("two groups 1"));
    EXPECT_THAT(judge({{{"id", 1}, {"state", "best"}}}), HasSubstr(where + "/0/state"));
    EXPECT_THAT(judge({{{"id", 1}, {"then", "change"}}}), HasSubstr(where + "/0/then"));
    EXPECT_THAT(judge({{{"id", 1}, {"listeners", {{"x", "best"}}}}}),
                HasSubstr(where + "/0/listeners/x"));
    EXPECT_THAT(judge({{{"id", 1}, {"listeners", json::array()}}}),
                HasSubstr(where + "/0/listeners: must be an object"));
    EXPECT_THAT(judge({{{"id", 1}, {"listener", {}}}}), HasSubstr(where + "/0/listener"));
    EXPECT_THAT(judge({{{"id", 1}}}, 2), HasSubstr("/subsystems/0/namespaces/0/ana_group: "));
    json both = ana_file(two_groups(), 1);
    both["subsystems"][0]["namespaces"][0]["ana_state"] = "inaccessible";
    EXPECT_THAT(parse_config(both.dump()).error().first("").text(),
                HasSubstr("/subsystems/0/namespaces/0/ana_state: the state of ANA group 1 counts"));
}

TEST(ana_groups_test, of_a_listener_that_is_not_there_are_warned_about) {
    const auto read = parse_config(
        ana_file({{{"id", 1}, {"listeners", {{"tcp:192.0.2.9:1", "change"}}}}}).dump());
    ASSERT_TRUE(read);
    ASSERT_EQ(read->warnings.size(), 1u);
    EXPECT_THAT(read->warnings[0].message, HasSubstr("there is no listener \"tcp:192.0.2.9:1\""));
}

// The others are served.
TEST(ana_groups_test, are_not_hurt_by_a_namespace_that_names_another) {
    json file = ana_file(two_groups(), 9, 1);
    const auto read = parse_config_leniently(file.dump());
    ASSERT_TRUE(read) << read.error().first("").text();
    ASSERT_EQ(read->broken.size(), 1u);
    EXPECT_EQ(read->broken[0].what, broken_object::kind::ns);
    ASSERT_TRUE(read->broken[0].stand_in.has_value());
    EXPECT_EQ(read->broken[0].stand_in->ns.ana_group, 0u);
    EXPECT_EQ(read->spec.subsystems.at(0).namespaces.size(), 1u);
}

std::vector<std::string> ana_told(const std::vector<core::change>& changes) {
    std::vector<std::string> out;
    for (const core::change& one : changes) {
        json whole = to_json(one);
        whole.erase("nqn");
        out.push_back(whole.dump());
    }
    return out;
}

TEST(ana_groups_test, a_reload_makes_them_first_and_takes_them_away_last) {
    EXPECT_THAT(
        ana_told(diff(ana_spec({{{"id", 1}}, {{"id", 2}}}, 1, 1),
                      ana_spec({{{"id", 2}, {"state", "inaccessible"}}, {{"id", 3}}}, 3, 2))),
        ElementsAre(HasSubstr("create_ana_group"),
                    R"({"id":2,"op":"modify_ana_group","set":{"state":"inaccessible"}})",
                    R"({"nsid":1,"op":"modify_namespace","set":{"ana_group":3}})",
                    R"({"nsid":2,"op":"modify_namespace","set":{"ana_group":2}})",
                    R"({"id":1,"op":"delete_ana_group"})"));
    EXPECT_THAT(diff(ana_spec(two_groups(), 1), ana_spec(two_groups(), 1)), IsEmpty());
}

TEST(ana_groups_test, a_reload_closes_paths_before_it_opens_others) {
    const auto crossed = [](const char* first, const char* second) {
        return ana_spec({{{"id", 1}, {"state", first}}, {{"id", 2}, {"state", second}}});
    };
    EXPECT_THAT(
        ana_told(diff(crossed("optimized", "inaccessible"), crossed("inaccessible", "optimized"))),
        ElementsAre(HasSubstr("\"id\":1"), HasSubstr("\"id\":2")));
    EXPECT_THAT(
        ana_told(diff(crossed("inaccessible", "optimized"), crossed("optimized", "inaccessible"))),
        ElementsAre(HasSubstr("\"id\":2"), HasSubstr("\"id\":1")));
}

// It is closed before and after, and would be served by the former group while that is open
// already.
TEST(ana_groups_test, a_reload_opens_a_group_when_a_namespace_has_left_it) {
    const auto groups = [](const char* second) {
        return json{{{"id", 1}, {"state", "inaccessible"}}, {{"id", 2}, {"state", second}}};
    };
    EXPECT_THAT(
        ana_told(diff(ana_spec(groups("inaccessible"), 2), ana_spec(groups("optimized"), 1))),
        ElementsAre(R"({"nsid":1,"op":"modify_namespace","set":{"ana_group":1}})",
                    HasSubstr("modify_ana_group")));
}

TEST(ana_groups_test, a_namespace_leaves_its_state_outside) {
    json alone = ana_file(two_groups());
    alone["subsystems"][0]["namespaces"][0]["ana_state"] = "inaccessible";
    const core::target_spec outside = parse_config(alone.dump()).value().spec;
    const core::target_spec inside = ana_spec(two_groups(), 1);
    EXPECT_THAT(ana_told(diff(outside, inside)),
                ElementsAre(R"({"nsid":1,"op":"modify_namespace","set":{"ana_group":1}})"));
    EXPECT_THAT(ana_told(diff(inside, outside)),
                ElementsAre(R"({"nsid":1,"op":"modify_namespace","set":{"ana_group":0}})",
                            R"({"ana_state":"inaccessible","nsid":1,"op":"set_ana_state"})"));
    for (const auto& [from, to] : {std::pair{outside, inside}, std::pair{inside, outside}}) {
        spec_editor editor(from);
        for (const core::change& one : diff(from, to)) EXPECT_TRUE(editor.apply(one));
        EXPECT_EQ(editor.spec(), to);
    }
}

TEST(ana_groups_test, a_dry_run_names_who_loses_a_path) {
    const core::target_spec running = ana_spec(two_groups(), 1, 2);
    core::connection_status host;
    host.subsystem_nqn = rest_nqn;
    host.host_nqn = "h";
    const connected_hosts hosts({host});
    const std::string first = rest_nqn + "/1", second = rest_nqn + "/2";
    const auto disturbs = [&](const core::change& what) {
        spec_editor editor(running);
        EXPECT_TRUE(editor.apply(what));
        return disturbed_by(what, hosts, running, editor.spec());
    };
    EXPECT_THAT(disturbs(ana_state_of(rest_nqn, 1, ana_state::change)).namespaces,
                ElementsAre(first));
    EXPECT_THAT(disturbs(ana_state_of(rest_nqn, 1, ana_state::change)).hosts, ElementsAre("h"));
    EXPECT_TRUE(disturbs(ana_state_of(rest_nqn, 1, ana_state::non_optimized)).none());
    EXPECT_THAT(disturbs(core::set_ana_path{rest_nqn, 2, one_listener, ana_state::persistent_loss})
                    .namespaces,
                ElementsAre(second));
    EXPECT_TRUE(disturbs(core::set_ana_path{rest_nqn, 1, one_listener, std::nullopt}).none());
    EXPECT_THAT(disturbs(move_to_ana_group(rest_nqn, 2, 1)).namespaces, ElementsAre(second))
        << "by one listener it was served";
    EXPECT_TRUE(disturbs(move_to_ana_group(rest_nqn, 1, 2)).none());
}

TEST(ana_groups_test, the_rules_hold_for_a_configuration_that_is_data) {
    const core::target_spec running = ana_spec(two_groups(), 1);
    const auto code = [&](const core::change& what) {
        spec_editor editor(running);
        const auto outcome = editor.apply(what);
        if (outcome) return errc::internal;
        EXPECT_EQ(editor.spec(), running);
        return outcome.error().code;
    };
    EXPECT_EQ(code(core::delete_ana_group{rest_nqn, 1}), errc::conflict);
    EXPECT_EQ(code(core::delete_ana_group{rest_nqn, 2}), errc::internal);
    EXPECT_EQ(code(core::create_ana_group{rest_nqn, {.id = 2}}), errc::already_exists);
    EXPECT_EQ(code(move_to_ana_group(rest_nqn, 2, 3)), errc::not_found);
    EXPECT_EQ(code(core::set_ana_state{rest_nqn, 1, ana_state::change}), errc::conflict);
    EXPECT_EQ(code(core::set_ana_path{rest_nqn, 3, "x", ana_state::change}), errc::not_found);
    spec_editor editor(running);
    EXPECT_TRUE(editor.apply(core::remove_namespace{rest_nqn, 2}));
    const auto added =
        editor.apply(core::add_namespace{rest_nqn, {.nsid = 3, .device = "d2", .ana_group = 5}});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().where, "/ana_group");
}

TEST(ana_groups_test, a_journal_has_them_after_a_crash) {
    fulmar::test::forgetful_disk disk{1};
    disk.put(testing_support::config_path, ana_file(two_groups(), 1).dump());
    core::target_spec expected = ana_spec(two_groups(), 1);
    for (const core::change& what : std::vector<core::change>{
             core::create_ana_group{rest_nqn,
                                    {.id = 5,
                                    .then = ana_state::persistent_loss,
                                    .listeners = {{"tcp:[::1]:1", ana_state::change}}}},
             move_to_ana_group(rest_nqn, 2, 5),
             core::set_ana_path{rest_nqn, 5, one_listener, ana_state::inaccessible},
             core::set_ana_path{rest_nqn, 1, one_listener, std::nullopt},
             ana_change_to(rest_nqn, 1, ana_state::optimized),
             core::delete_ana_group{rest_nqn, 2}}) {
        {
            testing_support::run before(disk);
            ASSERT_FALSE(before.trouble.has_value()) << before.trouble->text();
            before.append(what);
            ASSERT_TRUE(before.until([&] { return before.acks.back()->answer.has_value(); }));
        }
        spec_editor editor(expected);
        ASSERT_TRUE(editor.apply(what));
        expected = editor.spec();
        const testing_support::run after(disk);
        ASSERT_FALSE(after.trouble.has_value()) << after.trouble->text();
        EXPECT_EQ(after.found, expected);
    }
    EXPECT_EQ(expected.subsystems[0].namespaces[1].ana_group, 5u);
}

TEST(ana_groups_test, a_group_that_the_file_drops_and_rest_uses_is_a_conflict) {
    const core::target_spec base = ana_spec({{{"id", 1}}}), file = ana_spec(nullptr);
    const core::target_spec configured = ana_spec({{{"id", 1}}}, 1);
    const auto merged = merge(
        {.base = base, .file = file, .configured = configured, .file_made = all_objects(base)}, {});
    ASSERT_EQ(merged.conflicts.size(), 1u);
    EXPECT_EQ(merged.conflicts[0].field, "ana_group");
    EXPECT_FALSE(merged.conflicts[0].can_force);
}

struct ana_groups_over_rest : testing_support::rest_fixture {
    json ask(const std::string& method, const std::string& target, const json& body, int status) {
        auto client = connect();
        const auto answer = client.send(method, target, body.is_null() ? "" : body.dump());
        EXPECT_EQ(answer.status, status) << method << " " << target << ": " << answer.body;
        return answer.body.empty() ? json() : json::parse(answer.body);
    }
    const std::string at = "/v1/subsystems/" + rest_nqn;
    const std::string groups = at + "/ana_groups";
    void make() {
        start();
        ask("POST", "/v1/devices", {{"name", "d"}, {"type", "ram"}, {"size", 4096}}, 201);
        ask("POST", "/v1/subsystems", {{"nqn", rest_nqn}}, 201);
        ask("POST", at + "/namespaces", {{"device", "d"}}, 201);
    }
};

TEST_F(ana_groups_over_rest, are_made_shown_changed_and_deleted) {
    make();
    EXPECT_EQ(ask("GET", groups, {}, 200)["ana_groups"], json::array());
    json one = ask("PUT", groups + "/1", {{"state", "non-optimized"}}, 201);
    EXPECT_EQ(one["id"], 1);
    EXPECT_EQ(one["then"], "inaccessible");
    EXPECT_EQ(one["status"]["namespaces"], json::array());
    EXPECT_EQ(ask("PATCH", at + "/namespaces/1", {{"ana_group", 1}}, 200)["ana_group"], 1);
    EXPECT_EQ(ask("GET", groups + "/1", {}, 200)["status"]["namespaces"], json::array({1}));
    const std::string path = groups + "/1/listeners/tcp:192.0.2.1:4420";
    one = ask("PUT", path, {{"state", "inaccessible"}}, 200);
    EXPECT_EQ(one["listeners"], (json{{one_listener, "inaccessible"}}));
    EXPECT_EQ(
        ask("PATCH", groups + "/1", {{"state", "change"}, {"then", "optimized"}}, 200)["then"],
        "optimized");
    one = ask("GET", groups + "/1", {}, 200);
    EXPECT_EQ(ask("PUT", groups + "/1", one, 200), one) << "what was shown may come back";
    one["listeners"] = json::object();
    EXPECT_EQ(ask("PUT", groups + "/1", one, 200)["listeners"], json::object());
    ask("PUT", path, {{"state", "change"}}, 200);
    EXPECT_EQ(ask("DELETE", path, {}, 200)["listeners"], json::object());
    EXPECT_EQ(ask("GET", at, {}, 200)["ana_groups"].size(), 1u);
    ask("DELETE", groups + "/1", {}, 409);
    ask("PATCH", at + "/namespaces/1", {{"ana_group", 0}}, 200);
    ask("DELETE", groups + "/1", {}, 204);
    ask("GET", groups + "/1", {}, 404);
}

TEST_F(ana_groups_over_rest, say_what_is_wrong) {
    make();
    ask("PUT", groups + "/1", {}, 411);
    ask("PUT", groups + "/one", {{"state", "optimized"}}, 404);
    EXPECT_EQ(ask("PUT", groups + "/200", json::object(), 422)["where"], "/id");
    EXPECT_EQ(ask("PUT", groups + "/1", {{"id", 2}}, 422)["where"], "/id");
    EXPECT_EQ(ask("PUT", groups + "/1", {{"state", "good"}}, 422)["where"], "/state");
    ask("PATCH", groups + "/1", {{"state", "change"}}, 404);
    ask("PUT", groups + "/1", json::object(), 201);
    EXPECT_THAT(ask("PATCH", groups + "/1", json::object(), 422)["detail"].get<std::string>(),
                HasSubstr("changes nothing"));
    ask("PUT", groups + "/1/listeners/x", {{"state", "good"}}, 422);
    ask("PUT", groups + "/1/listeners/x", json::object(), 422);
    ask("PATCH", at + "/namespaces/1", {{"ana_group", 2}}, 422);
    ask("PATCH", at + "/namespaces/1", {{"ana_group", 1}}, 200);
    ask("PATCH", at + "/namespaces/1", {{"ana_state", "inaccessible"}}, 409);
    EXPECT_EQ(fake.spec().subsystems.at(0).namespaces.at(0).ana, ana_state::optimized);
}

}  // namespace
}  // namespace fulmar::admin
