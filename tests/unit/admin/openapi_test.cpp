// The OpenAPI document says what the server does: the same routes, the same bodies, the same
// answers.
#include "rest.hpp"
#include "rest_fixture.hpp"
#include "support/schema_check.hpp"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>

namespace fulmar::admin {
namespace {

using nlohmann::json;
using testing_support::rest_nqn;

json api_document() {
    std::ifstream in(test::source_path("src/admin/assets/openapi.json"));
    return json::parse(in);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

TEST(open_api, has_every_route_and_no_other) {
    std::set<std::string> served;
    for (const route& one : all_routes())
        served.insert(lower(one.method) + " " + std::string(one.pattern));
    std::set<std::string> described;
    const json api = api_document();
    for (const auto& [path, operations] : api["paths"].items())
        for (const auto& [method, ignored] : operations.items())
            described.insert(method + " " + path);
    EXPECT_EQ(served, described);
}

TEST(open_api, says_of_every_route_what_it_takes) {
    const json paths = api_document()["paths"];
    for (const route& one : all_routes()) {
        SCOPED_TRACE(one.pattern);
        const json& operation = paths[std::string(one.pattern)][lower(one.method)];
        EXPECT_EQ(operation.contains("requestBody"), one.takes != route::body::none);
        const role least = one.needs.least;
        EXPECT_EQ(operation.value("x-role", ""),
                  least == role::anyone ? "anyone" : core::word_of(least));
        const std::string parameters = operation.value("parameters", json::array()).dump();
        EXPECT_EQ(parameters.find("parameters/durable") != std::string::npos, one.changes);
        EXPECT_EQ(parameters.find("parameters/if_match") != std::string::npos, one.changes);
        std::istringstream words{std::string(one.query)};
        for (std::string word; words >> word;)
            EXPECT_NE(parameters.find(word), std::string::npos) << word;
        std::set<std::string> variables;
        for (std::size_t at = 0; (at = one.pattern.find('{', at)) != one.pattern.npos; ++at)
            variables.insert(
                std::string(one.pattern.substr(at + 1, one.pattern.find('}', at) - at - 1)));
        for (const std::string& name : variables)
            EXPECT_NE(parameters.find("parameters/" + name), std::string::npos) << name;
    }
}

struct open_api_test : testing_support::rest_fixture {
    /// Asks, and notes the answer to be judged by what the document says of this operation and
    /// status.
    test::http_answer ask(const std::string& method, const std::string& pattern,
                          const std::string& target, const std::string& body = {}) {
        const auto answer = client->send(method, target, body);
        const json responses = api["paths"][pattern][lower(method)]["responses"];
        const std::string status = std::to_string(answer.status);
        EXPECT_TRUE(responses.contains(status) || answer.status >= 400)
            << method << " " << target << " " << status << answer.body;
        const std::string type =
            answer.status >= 400 ? "application/problem+json" : "application/json";
        if (answer.body.empty()) return answer;
        std::string pointer =
            "/components/responses/problem/content/application~1problem+json/schema";
        if (answer.status < 400)
            pointer = fmt::format(
                "/components/schemas/{}",
                responses[status]["content"][type]["schema"]["$ref"].get<std::string>().substr(
                    std::string("#/components/schemas/").size()));
        documents.emplace_back(pointer, json::parse(answer.body));
        names.push_back(method + " " + target + " " + status);
        if (!body.empty() && answer.status < 300) {
            // The request was taken, so the document must allow it.
            documents.emplace_back(api["paths"][pattern][lower(method)]["requestBody"]["content"]
                                      ["application/json"]["schema"]["$ref"]
                                          .get<std::string>()
                                          .substr(1),
                                   json::parse(body));
            names.push_back("body of " + names.back());
        }
        return answer;
    }

    void ask_about_keys(const std::string& one, const std::string& at) {
        ask("POST", "/v1/keys", "/v1/keys",
            R"({"name":"k","key":"DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:"})");
        ask("GET", "/v1/keys", "/v1/keys");
        ask("GET", "/v1/keys/{name}", "/v1/keys/k");
        ask("GET", "/v1/keys/{name}", "/v1/keys/other");
        ask("PUT", one + "/hosts/{host}", at + "/hosts/nqn.2014-08.org.x:h",
            R"({"dhchap_key":"k"})");
        ask("PUT", one + "/hosts/{host}", at + "/hosts/nqn.2014-08.org.x:i");
        ask("GET", one + "/hosts/{host}", at + "/hosts/nqn.2014-08.org.x:h");
        ask("GET", one + "/hosts", at + "/hosts");
        ask("DELETE", "/v1/keys/{name}", "/v1/keys/k");
    }

    json api = api_document();
    std::unique_ptr<test::http_client> client;
    std::vector<std::pair<std::string, json>> documents;
    std::vector<std::string> names;
};

TEST_F(open_api_test, answers_are_as_described) {
    start();
    client = std::make_unique<test::http_client>(connect());
    const std::string one = "/v1/subsystems/{nqn}";
    const std::string at = "/v1/subsystems/" + rest_nqn;
    ask("GET", "/v1/health", "/v1/health");
    ask("GET", "/v1/version", "/v1/version");
    ask("POST", "/v1/devices", "/v1/devices", R"({"name":"a","type":"ram","size":"1MiB"})");
    ask("POST", "/v1/devices", "/v1/devices",
        R"({"name":"f","type":"file","path":"/f","size":4096})");
    ask("POST", "/v1/devices", "/v1/devices", R"({"name":"a"})");
    ask("PATCH", "/v1/devices/{name}", "/v1/devices/a", R"({"size":"2MiB"})");
    ask("POST", "/v1/devices/{name}/reopen", "/v1/devices/a/reopen");
    ask("GET", "/v1/devices/{name}", "/v1/devices/f");
    ask("GET", "/v1/devices", "/v1/devices");
    ask("POST", "/v1/listeners", "/v1/listeners", R"({"address":"::1"})");
    ask("GET", "/v1/listeners", "/v1/listeners");
    ask("GET", "/v1/listeners/{name}", "/v1/listeners/tcp%3A%5B%3A%3A1%5D%3A4420");
    ask("POST", "/v1/referrals", "/v1/referrals", R"({"address":"192.0.2.7"})");
    ask("GET", "/v1/referrals", "/v1/referrals");
    ask("GET", "/v1/referrals/{name}", "/v1/referrals/tcp:192.0.2.7:8009");
    ask("GET", "/v1/connections/{id}", "/v1/connections/1");
    ask("DELETE", "/v1/connections/{id}", "/v1/connections/1");
    ask("DELETE", "/v1/connections/{id}", "/v1/connections/2");
    ask("POST", "/v1/subsystems", "/v1/subsystems", json{{"nqn", rest_nqn}}.dump());
    ask("POST", one + "/namespaces", at + "/namespaces", R"({"device":"a","on_loss":"hold"})");
    ask("PATCH", one + "/namespaces/{nsid}", at + "/namespaces/1", R"({"ana_state":"change"})");
    ask("GET", one + "/namespaces/{nsid}", at + "/namespaces/1");
    ask("GET", one + "/namespaces", at + "/namespaces");
    ask("POST", one + "/hosts", at + "/hosts", R"({"host":"nqn.2014-08.org.x:h"})");
    ask("GET", one + "/hosts", at + "/hosts");
    ask("GET", one + "/hosts/{host}", at + "/hosts/nqn.2014-08.org.x:h");
    ask_about_keys(one, at);
    ask("PATCH", one, at, R"({"allow_any_host":true})");
    ask("POST", one + "/pause", at + "/pause");
    ask("POST", one + "/resume", at + "/resume");
    ask("PUT", one, at, R"({"namespaces":[{"nsid":1,"device":"a","on_loss":"hold"}]})");
    ask("PUT", one, at + "2", R"({})");
    // What a GET shows can be sent back.
    ask("PUT", one, at, ask("GET", one, at).body);
    ask("GET", "/v1/subsystems", "/v1/subsystems");
    ask("GET", "/v1/connections", "/v1/connections");
    ask("GET", "/v1/recorder", "/v1/recorder");
    ask("GET", "/v1/config", "/v1/config");
    ask("GET", "/v1/drives", "/v1/drives");
    ask("GET", "/v1/drives/{drive}", "/v1/drives/0000:0b:00.0");
    ask("POST", "/v1/drives/{drive}/bind", "/v1/drives/0000:0b:00.0/bind");
    ask("POST", "/v1/drives/{drive}/locate", "/v1/drives/0000:0b:00.0/locate",
        R"({"indicator":"on"})");
    ask("GET", "/v1/drives/{drive}", "/v1/drives/0000:ff:00.0");
    server_->publish(test::fake_drives::event(1, "ready"));
    ask("GET", "/v1/events", "/v1/events?after=0");
    ask("GET", one, at + "3");
    ask("DELETE", one, at + "3");
    ask("DELETE", one, at);  // it has a namespace: refused, and who is concerned is told
    const auto verdicts =
        test::check_schema(test::source_path("src/admin/assets/openapi.json"), documents);
    if (!verdicts) GTEST_SKIP() << "python3-jsonschema is not installed";
    for (std::size_t i = 0; i < documents.size(); ++i)
        EXPECT_TRUE((*verdicts)[i].is_null()) << names[i] << ": " << (*verdicts)[i] << "\n"
                                              << documents[i].second.dump();
}

TEST_F(open_api_test, the_configuration_shown_is_a_configuration_file) {
    start();
    client = std::make_unique<test::http_client>(connect());
    client->send("POST", "/v1/devices", R"({"name":"a","type":"ram","size":"1MiB"})");
    client->send("PUT", "/v1/subsystems/" + rest_nqn,
                 R"({"namespaces":[{"nsid":1,"device":"a"}]})");
    const auto answer = client->send("GET", "/v1/config");
    const auto parsed = parse_config(answer.body);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().first("").text();
    EXPECT_EQ(parsed->spec, fake.spec());
    EXPECT_EQ(parsed->options, setup.options);
    const auto verdicts = test::check_schema(test::source_path("config/fulmard.schema.json"),
                                             {{"", json::parse(answer.body)}});
    if (verdicts) {
        EXPECT_TRUE((*verdicts)[0].is_null()) << (*verdicts)[0];
    }
}

}  // namespace
}  // namespace fulmar::admin
