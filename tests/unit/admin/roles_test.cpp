// Who may what: every route by every role; tokens that come and go while requests run; guesses.
#include "rest.hpp"
#include "rest_fixture.hpp"
#include "support/certificates.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>

namespace fulmar::admin {
namespace {

using nlohmann::json;
using test::http_answer;
using test::http_client;

struct roles : testing_support::rest_fixture {
    const std::string old_token = "a-token-of-some-length";
    void SetUp() override {
        rest_fixture::SetUp();
        setup.options.admin.tokens = folder + "/tokens";
        setup.options.admin.tcp =
            tcp_options{"127.0.0.1", 0, test::write_private(folder + "/token", old_token + "\n")};
    }
    void begin() {
        start();
        const std::string& address = server_->addresses().back();
        port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    }
    http_client tcp() const { return http_client::tcp("127.0.0.1", port); }
    static http_client::headers bearer(const std::string& token) {
        if (token.empty()) return {};
        return {{"Authorization", "Bearer " + token}};
    }
    /// Makes a token over the UNIX socket.
    std::string make(const std::string& name, const std::string& with_role) {
        const http_answer made =
            connect().send("POST", "/v1/tokens",
                           fmt::format(R"({{"name": "{}", "role": "{}"}})", name, with_role));
        EXPECT_EQ(made.status, 201) << made.body;
        return json::parse(made.body).value("token", "");
    }
    std::uint16_t port = 0;
};

/// The pattern with something in the place of its variables, and a parameter that no route knows:
/// who has the role is told so (400), and nothing is done.
std::string harmless(std::string_view pattern) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '{') {
            out += pattern[i];
            continue;
        }
        out += "1";
        i = pattern.find('}', i);
    }
    return out + "?no_such_parameter=1";
}

TEST_F(roles, every_route_is_open_to_its_role_and_those_above_and_to_nobody_else) {
    begin();
    const std::map<role, std::string> tokens{{role::metrics, make("m", "metrics")},
                                             {role::viewer, make("v", "viewer")},
                                             {role::operator_, make("o", "operator")},
                                             {role::admin, make("a", "admin")}};
    const std::string revoked = make("r", "admin");
    ASSERT_EQ(connect().send("DELETE", "/v1/tokens/r").status, 204);
    http_client client = tcp();
    const auto status = [&](const route& to, const std::string& token) {
        if (!client.connected()) client = tcp();
        http_answer answer = client.send(to.method, harmless(to.pattern), {}, bearer(token));
        if (answer.status == 0) {  // it was ended by an answer before
            client = tcp();
            answer = client.send(to.method, harmless(to.pattern), {}, bearer(token));
        }
        return answer.status;
    };
    std::size_t open_to_all = 0;
    for (const route& to : all_routes()) {
        SCOPED_TRACE(fmt::format("{} {}", to.method, to.pattern));
        const bool open = to.needs.least == role::anyone;
        open_to_all += open ? 1 : 0;
        EXPECT_EQ(status(to, ""), open ? 400 : 401) << "no token";
        const int of_revoked = status(to, revoked);
        EXPECT_TRUE(open ? of_revoked == 400 : of_revoked == 401 || of_revoked == 429)
            << of_revoked;
        for (const auto& [has, token] : tokens)
            EXPECT_EQ(status(to, token), has >= to.needs.least ? 400 : 403) << core::word_of(has);
        EXPECT_EQ(connect().send(to.method, harmless(to.pattern)).status, 400) << "UNIX socket";
    }
    EXPECT_EQ(open_to_all, 4u) << "the page, its parts, and whether we live";
}

TEST_F(roles, only_metrics_is_for_scraping_and_nothing_that_changes_is_for_viewers) {
    for (const route& to : all_routes()) {
        SCOPED_TRACE(fmt::format("{} {}", to.method, to.pattern));
        const std::string_view at = to.pattern;
        EXPECT_TRUE(to.needs.least != role::metrics || at == "/metrics" || at == "/v1/whoami");
        if (to.method == "GET") continue;
        EXPECT_GE(to.needs.least, role::operator_);
        EXPECT_TRUE(to.needs.least == role::admin || !at.starts_with("/v1/tokens"));
        EXPECT_TRUE(to.needs.least == role::admin || to.method != "DELETE" ||
                    at.find("connections") != at.npos || at.find("listeners/{name}") != at.npos)
            << "loses something";
    }
}

TEST_F(roles, what_a_role_may_is_done_and_what_not_is_explained) {
    begin();
    const std::string viewer = make("v", "viewer");
    const std::string operator_token = make("o", "operator");
    const std::string scraper = make("m", "metrics");
    http_client client = tcp();
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, bearer(viewer)).status, 200);
    EXPECT_EQ(client.send("GET", "/metrics", {}, bearer(scraper)).status, 200);
    const http_answer refused = client.send(
        "POST", "/v1/devices", R"({"name": "d", "type": "ram", "size": "1MiB"})", bearer(viewer));
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, testing::AllOf(testing::HasSubstr("token v has the role viewer"),
                                             testing::HasSubstr("needs admin")));
    http_client other = tcp();
    EXPECT_EQ(other.send("GET", "/v1/devices/d", {}, bearer(viewer)).status, 404);
    const json me = json::parse(other.send("GET", "/v1/whoami", {}, bearer(operator_token)).body);
    EXPECT_EQ(me, (json{{"name", "token o"}, {"role", "operator"}}));
    EXPECT_EQ(json::parse(connect().send("GET", "/v1/whoami").body)["role"], "admin");
    // Of what a route offers, the part that may lose something is an administrator's.
    for (const char* query : {"force=true", "prune=true", "prune=false&force=true"})
        EXPECT_EQ(tcp()
                      .send("POST", fmt::format("/v1/config/reload?{}", query), {},
                            bearer(operator_token))
                      .status,
                  403)
            << query;
    EXPECT_NE(
        tcp()
            .send("POST", "/v1/config/reload?dry_run=true&force=false", {}, bearer(operator_token))
            .status,
        403);
    EXPECT_EQ(
        tcp()
            .send("POST", "/v1/devices/d/reopen", R"({"accept": true})", bearer(operator_token))
            .status,
        403);
    EXPECT_EQ(tcp().send("POST", "/v1/devices/d/reopen", {}, bearer(operator_token)).status, 404);
}

TEST_F(roles, tokens_are_shown_once_and_end_at_once_on_connections_that_are_open) {
    begin();
    const std::string token = make("ops", "admin");
    http_client client = tcp();
    ASSERT_EQ(client.send("GET", "/v1/devices", {}, bearer(token)).status, 200);
    EXPECT_EQ(connect().send("POST", "/v1/tokens", R"({"name": "ops", "role": "viewer"})").status,
              409);
    const std::string list = connect().send("GET", "/v1/tokens").body;
    EXPECT_THAT(list, testing::HasSubstr("\"ops\""));
    for (const char* secret : {"hash", "sha256", "salt", "fulmar_"})
        EXPECT_THAT(list, testing::Not(testing::HasSubstr(secret)));
    const http_answer rotated = connect().send("POST", "/v1/tokens/ops/rotate");
    ASSERT_EQ(rotated.status, 201) << rotated.body;
    const std::string fresh = json::parse(rotated.body)["token"];
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, bearer(token)).status, 401);
    http_client again = tcp();
    ASSERT_EQ(again.send("GET", "/v1/devices", {}, bearer(fresh)).status, 200);
    ASSERT_EQ(connect().send("DELETE", "/v1/tokens/ops").status, 204);
    EXPECT_EQ(again.send("GET", "/v1/devices", {}, bearer(fresh)).status, 401);
    EXPECT_EQ(connect().send("DELETE", "/v1/tokens/ops").status, 404);
    struct stat about {};
    ASSERT_EQ(::stat(setup.options.admin.tokens.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0600u);
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(old_token)).status, 200)
        << "the one of the token file stays";
}

TEST_F(roles, tokens_outlive_a_restart_and_are_edited_by_hand) {
    begin();
    const std::string token = make("kept", "viewer");
    const std::string other = make("other", "viewer");
    server_.reset();
    begin();
    http_client client = tcp();
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, bearer(token)).status, 200);
    std::ifstream in(setup.options.admin.tokens);
    json file = json::parse(in);
    file["tokens"].erase(0);
    std::ofstream(setup.options.admin.tokens) << file.dump();
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, bearer(token)).status, 200) << "not read yet";
    server_->reload();
    EXPECT_TRUE(test::eventually(
        [&] { return tcp().send("GET", "/v1/devices", {}, bearer(token)).status == 401; }));
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(other)).status, 200);
    // A file that is broken, or that others may read, changes nothing; and nothing overwrites it.
    std::ofstream(setup.options.admin.tokens) << "{";
    server_->reload();
    EXPECT_EQ(connect().send("POST", "/v1/tokens", R"({"name": "n", "role": "viewer"})").status,
              422);
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(other)).status, 200);
    std::ofstream(setup.options.admin.tokens) << file.dump();
    ::chmod(setup.options.admin.tokens.c_str(), 0644);
    EXPECT_EQ(connect().send("POST", "/v1/tokens", R"({"name": "n", "role": "viewer"})").status,
              403);
    // Neither keeps the daemon from serving hosts; whom such a file names waits outside.
    server_.reset();
    begin();
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(other)).status, 401);
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(old_token)).status, 200);
}

TEST_F(roles, a_token_that_has_expired_is_none) {
    begin();
    const std::string token = make("short", "viewer");
    std::ifstream in(setup.options.admin.tokens);
    json file = json::parse(in);
    file["tokens"][0]["expires"] = "2020-01-01T00:00:00Z";
    std::ofstream(setup.options.admin.tokens) << file.dump();
    server_->reload();
    EXPECT_TRUE(test::eventually(
        [&] { return tcp().send("GET", "/v1/devices", {}, bearer(token)).status == 401; }));
    EXPECT_THAT(connect().send("GET", "/v1/tokens/short").body,
                testing::HasSubstr("\"expired\":true"));
    EXPECT_EQ(
        connect()
            .send("POST", "/v1/tokens", R"({"name": "n", "role": "viewer", "valid_days": 100000})")
            .status,
        422);
}

TEST_F(roles, guesses_become_a_few_and_lock_nobody_out_who_has_a_named_token) {
    begin();
    const std::string token = make("ops", "viewer");
    std::map<int, int> answers;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 500; ++i) {
        http_client client = tcp();
        const http_answer answer =
            client.send("GET", "/v1/devices", {}, bearer(fmt::format("guess-number-{:08}", i)));
        ++answers[answer.status];
        EXPECT_EQ(answer.headers.count("retry-after"), answer.status == 429 ? 1u : 0u);
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    EXPECT_LE(answers[401], limits::admin_guesses + 2 + took / limits::admin_guess_interval);
    EXPECT_EQ(answers[401] + answers[429], 500);
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(token)).status, 200);
    EXPECT_EQ(connect().send("GET", "/v1/devices").status, 200);
    EXPECT_EQ(tcp().send("GET", "/v1/health").status, 200);
}

TEST_F(roles, without_a_place_for_tokens_there_are_none) {
    setup.options.admin.tokens.clear();
    begin();
    EXPECT_EQ(connect().send("POST", "/v1/tokens", R"({"name": "n", "role": "viewer"})").status,
              501);
    EXPECT_EQ(tcp().send("GET", "/v1/devices", {}, bearer(old_token)).status, 200);
}

}  // namespace
}  // namespace fulmar::admin
