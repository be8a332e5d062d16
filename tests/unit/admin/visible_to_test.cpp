// Which hosts see a namespace, wherever a configuration is read, written, compared or changed.
#include "change_json.hpp"
#include "disturbance.hpp"
#include "journal_run.hpp"
#include "rest_fixture.hpp"
#include "spec_diff.hpp"
#include "support/viewers.hpp"

#include <fulmar/admin/broken.hpp>
#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

namespace fulmar::admin {
namespace {

using fulmar::test::everybody;
using fulmar::test::only;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::json;
using testing_support::rest_nqn;

const std::string a = "nqn.2014-08.org.nvmexpress:uuid:aaaaaaaa-0000-4000-8000-000000000001";
const std::string b = "nqn.2014-08.org.nvmexpress:uuid:bbbbbbbb-0000-4000-8000-000000000002";

json file_for(const json& visible_to) {
    json ns{{"nsid", 1}, {"device", "d"}};
    if (!visible_to.is_null()) ns["visible_to"] = visible_to;
    return {{"devices", {{{"name", "d"}, {"type", "ram"}, {"size", 4096}}}},
            {"subsystems",
             {{{"nqn", rest_nqn}, {"hosts", {a, b}}, {"namespaces", json::array({ns})}}}}};
}

core::target_spec spec_for(const json& visible_to) {
    return parse_config(file_for(visible_to).dump()).value().spec;
}

core::host_choice read_as(const json& visible_to) {
    return spec_for(visible_to).subsystems.at(0).namespaces.at(0).visible_to;
}

TEST(visible_to, is_read_from_a_file_and_written_into_it) {
    EXPECT_EQ(read_as(nullptr), everybody);
    EXPECT_EQ(read_as("all"), everybody);
    EXPECT_EQ(read_as(json::array({a, b})), only({a, b}));
    EXPECT_EQ(read_as(json::array()), only({}));
    for (const json& said : {json("all"), json::array({a}), json::array()}) {
        const core::target_spec spec = spec_for(said);
        EXPECT_EQ(parse_config(render_config("{}", spec)).value().spec, spec);
    }
    EXPECT_THAT(render_config("{}", spec_for("all")), testing::Not(HasSubstr("visible_to")));
    EXPECT_THAT(render_config("{}", spec_for(json::array())), HasSubstr("\"visible_to\": []"));
}

TEST(visible_to, what_is_no_list_of_hosts_is_refused) {
    const auto judge = [](const json& said) -> std::string {
        const auto read = parse_config(file_for(said).dump());
        return read ? "" : read.error().first("").text();
    };
    const std::string where = "/subsystems/0/namespaces/0/visible_to";
    for (const json& wrong : {json("none"), json(5), json(true), json::object()})
        EXPECT_THAT(judge(wrong), HasSubstr(where + ": must be \"all\", or a list"));
    EXPECT_THAT(judge(json::array({a, ""})), HasSubstr(where + "/1: is no name of a host"));
    EXPECT_THAT(judge(json::array({a, 5})), HasSubstr(where + "/1: must be a string"));
    EXPECT_THAT(judge(json::array({a, b, a})), HasSubstr(where + "/2: this host is there twice"));
    json many = json::array();
    for (std::uint32_t i = 0; i < limits::max_visible_hosts; ++i)
        many.push_back(fmt::format("nqn.2026-11.io.fulmar:h{}", i));
    EXPECT_EQ(judge(many), "");
    many.push_back(a);
    EXPECT_THAT(judge(many), HasSubstr("1024"));
}

// Whom the operator meant to keep out must not come in because of a slip of the pen.
TEST(visible_to, a_broken_one_is_shown_to_nobody_else) {
    for (const auto& [said, who] :
         {std::pair{json(5), only({})}, std::pair{json::array({a, ""}), only({a})}}) {
        json file = file_for(said);
        file["subsystems"][0]["max_namespaces"] = 4;
        const auto read = parse_config_leniently(file.dump());
        ASSERT_TRUE(read) << read.error().first("").text();
        ASSERT_EQ(read->broken.size(), 1u);
        ASSERT_TRUE(read->broken[0].stand_in.has_value());
        EXPECT_EQ(read->broken[0].stand_in->ns.visible_to, who);
    }
}

std::vector<std::string> told(const std::vector<core::change>& changes) {
    std::vector<std::string> out;
    for (const core::change& one : changes) out.push_back(to_json(one).dump());
    return out;
}

TEST(visible_to, a_reload_changes_it_in_place) {
    EXPECT_THAT(
        told(diff(spec_for("all"), spec_for(json::array({a})))),
        ElementsAre(fmt::format(
            R"({{"op":"modify_namespace","nqn":"{}","nsid":1,"set":{{"visible_to":["{}"]}}}})",
            rest_nqn, a)));
    EXPECT_TRUE(diff(spec_for(json::array({a})), spec_for(json::array({a}))).empty());
}

TEST(visible_to, a_reload_hides_before_it_lets_anybody_in) {
    core::target_spec running = spec_for("all"), wanted = spec_for(json::array({a}));
    running.subsystems[0].hosts = {a};
    const auto changes = diff(running, wanted);
    ASSERT_EQ(changes.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<core::modify_namespace>(changes[0]));
    EXPECT_TRUE(std::holds_alternative<core::add_host>(changes[1]));
    EXPECT_TRUE(core::takes_hosts_away(everybody, only({a})));
    EXPECT_TRUE(core::takes_hosts_away(only({a, b}), only({b})));
    EXPECT_FALSE(core::takes_hosts_away(only({b}), only({a, b})));
    EXPECT_FALSE(core::takes_hosts_away(only({b}), everybody));
}

TEST(visible_to, a_dry_run_names_the_hosts_that_lose_it) {
    const core::target_spec running = spec_for(json::array({a, b})),
                            wanted = spec_for(json::array({b}));
    core::connection_status one, other;
    one.subsystem_nqn = other.subsystem_nqn = rest_nqn;
    one.host_nqn = a;
    other.host_nqn = b;
    const auto who =
        disturbed_by(diff(running, wanted).at(0), connected_hosts({one, other}), running, wanted);
    EXPECT_THAT(who.hosts, ElementsAre(a));
    EXPECT_THAT(who.namespaces, ElementsAre(std::string(rest_nqn) + "/1"));
    EXPECT_TRUE(
        disturbed_by(diff(wanted, running).at(0), connected_hosts({one, other}), wanted, running)
            .none());
}

TEST(visible_to, a_journal_has_it_after_a_crash) {
    fulmar::test::forgetful_disk disk{1};
    disk.put(testing_support::config_path, file_for("all").dump());
    for (const json& said : {json::array({a}), json::array(), json("all"), json::array({b, a})}) {
        {
            testing_support::run before(disk);
            ASSERT_FALSE(before.trouble.has_value()) << before.trouble->text();
            before.append(fulmar::test::visible_to(std::string(rest_nqn), 1, read_as(said)));
            ASSERT_TRUE(before.until([&] { return before.acks.back()->answer.has_value(); }));
        }
        const testing_support::run after(disk);
        ASSERT_FALSE(after.trouble.has_value()) << after.trouble->text();
        EXPECT_EQ(after.found, spec_for(said));
    }
}

struct visible_to_over_rest : testing_support::rest_fixture {
    json ask(const std::string& method, const std::string& target, const json& body, int status) {
        auto client = connect();
        const auto answer = client.send(method, target, body.is_null() ? "" : body.dump());
        EXPECT_EQ(answer.status, status) << method << " " << target << ": " << answer.body;
        return json::parse(answer.body);
    }
};

TEST_F(visible_to_over_rest, is_made_shown_changed_and_replaced) {
    start();
    const std::string at = "/v1/subsystems/" + std::string(rest_nqn);
    const std::string ns = at + "/namespaces/1";
    ask("POST", "/v1/devices", {{"name", "d"}, {"type", "ram"}, {"size", 4096}}, 201);
    ask("POST", "/v1/subsystems", {{"nqn", rest_nqn}}, 201);
    const json made =
        ask("POST", at + "/namespaces", {{"device", "d"}, {"visible_to", json::array({a})}}, 201);
    EXPECT_EQ(made["visible_to"], json::array({a}));
    EXPECT_EQ(ask("PATCH", ns, {{"visible_to", json::array({b, a})}}, 200)["visible_to"],
              json::array({b, a}));
    EXPECT_EQ(ask("GET", ns, {}, 200)["visible_to"], json::array({b, a}));
    EXPECT_EQ(ask("PATCH", ns, {{"visible_to", json::array()}}, 200)["visible_to"], json::array());
    json whole = ask("GET", at, {}, 200);
    whole["namespaces"][0]["visible_to"] = "all";
    ask("PUT", at, whole, 200);
    EXPECT_EQ(fake.spec().subsystems.at(0).namespaces.at(0).visible_to, everybody);
    EXPECT_EQ(ask("PATCH", ns, {{"visible_to", json::array({a, a})}}, 422)["where"],
              "/visible_to/1");
    EXPECT_EQ(ask("PATCH", ns, {{"visible_to", "nobody"}}, 422)["where"], "/visible_to");
    EXPECT_EQ(fake.spec().subsystems.at(0).namespaces.at(0).visible_to, everybody);
}

}  // namespace
}  // namespace fulmar::admin
