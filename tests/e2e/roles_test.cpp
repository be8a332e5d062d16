// Who administrates a real fulmard, by the tool and over TCP and TLS; what its log says of it; and
// which files REST may name.
#include "daemon.hpp"
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"
#include "support/https_client.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::string roles_nqn = "nqn.2026-11.io.fulmar:e2e";

struct operators : testing::Test {
    void start(const std::string& admin, const std::string& more = "") {
        d.write_config(fmt::format(R"({{
  "admin": {{"unix_socket": "admin.sock", {}}}{},
  "state_dir": "state",
  "listeners": [{{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}}],
  "devices": [{{"name": "ram0", "type": "ram", "size": "16MiB"}}],
  "subsystems": [{{"nqn": "{}", "allow_any_host": true,
                  "namespaces": [{{"nsid": 1, "device": "ram0"}}]}}]
}})",
                                   admin, more, roles_nqn));
        std::filesystem::create_directories(d.folder() + "/state");
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    finished tool(std::vector<std::string> words) const {
        words.insert(words.begin(), "fulmar");
        return run(words);
    }
    finished local(std::vector<std::string> words) const {
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return tool(std::move(words));
    }
    test::http_client rest() const {
        return test::http_client::unix_socket(d.folder() + "/admin.sock");
    }
    std::string make_token(const std::string& name, const std::string& with_role) const {
        const auto made =
            rest().send("POST", "/v1/tokens",
                        fmt::format(R"({{"name": "{}", "role": "{}"}})", name, with_role));
        EXPECT_EQ(made.status, 201) << made.body;
        return json::parse(made.body).value("token", "");
    }
    static test::http_client::headers bearer(const std::string& token) {
        return {{"Authorization", "Bearer " + token}};
    }
    static std::string device(const std::string& name, const std::string& path) {
        return json{
            {"name", name}, {"type", "file"}, {"path", path}, {"size", "1MiB"}, {"create", true}}
            .dump();
    }
    const std::uint16_t port = free_port();
    const std::string tcp_only = fmt::format(R"("tcp": {{"port": {}}})", port);
    daemon_process d{"{}"};
};

TEST_F(operators, a_token_of_the_tool_opens_what_its_role_may_until_it_is_revoked) {
    start(tcp_only);
    const finished made = local({"token", "create", "anna", "--role", "operator", "--json"});
    ASSERT_EQ(made.exit_code, 0) << made.output;
    const std::string token = json::parse(made.output)["token"];
    const std::string file = test::write_private(d.folder() + "/anna.token", token + "\n");
    const std::vector<std::string> over_tcp{"--admin", fmt::format("http://127.0.0.1:{}", port),
                                            "--token-file", file};
    const auto as_anna = [&](std::vector<std::string> words) {
        words.insert(words.end(), over_tcp.begin(), over_tcp.end());
        return tool(std::move(words));
    };
    EXPECT_THAT(as_anna({"token", "whoami"}).output, HasSubstr("token anna (operator)"));
    EXPECT_EQ(as_anna({"status"}).exit_code, 0);
    EXPECT_EQ(as_anna({"subsystem", "pause", roles_nqn}).exit_code, 0);
    EXPECT_EQ(as_anna({"subsystem", "resume", roles_nqn}).exit_code, 0);
    const finished refused = as_anna({"subsystem", "delete", roles_nqn, "--force"});
    EXPECT_EQ(refused.exit_code, 1) << refused.output;
    EXPECT_THAT(refused.output,
                AllOf(HasSubstr("token anna has the role operator"), HasSubstr("needs admin")));
    EXPECT_THAT(local({"token", "list"}).output, AllOf(HasSubstr("anna"), HasSubstr("operator")));
    EXPECT_EQ(local({"namespace", "set", roles_nqn, "1", "--description", "for anna"}).exit_code,
              0);
    EXPECT_EQ(local({"token", "revoke", "anna"}).exit_code, 0);
    EXPECT_EQ(as_anna({"subsystem", "list"}).exit_code, 1);
    // What the log says of all that.
    EXPECT_TRUE(d.says("(admin) POST /v1/tokens → 201: create token anna with the role operator"));
    EXPECT_TRUE(d.says("audit: token anna (operator) at 127.0.0.1:"));
    EXPECT_TRUE(d.says(fmt::format("/pause → 200: pause subsystem {}", roles_nqn)));
    EXPECT_TRUE(d.says("[description: \"\" → \"for anna\"]"));
    EXPECT_TRUE(d.says("(admin) DELETE /v1/tokens/anna → 204: revoke token anna"));
    EXPECT_TRUE(d.says("audit: refused 127.0.0.1:"));
    EXPECT_EQ(d.log().find(token.substr(8)), std::string::npos) << "a secret";
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(operators, tokens_that_a_hangup_takes_away_end_while_requests_run) {
    start(tcp_only);
    const std::string token = make_token("load", "viewer");
    const std::string kept = make_token("kept", "viewer");
    std::atomic<int> answered{0};
    std::thread load([&] {
        auto client = test::http_client::tcp("127.0.0.1", port);
        while (client.send("GET", "/v1/subsystems", {}, bearer(token)).status == 200) ++answered;
    });
    EXPECT_TRUE(test::eventually([&] { return answered > 20; }));
    const std::string file = d.folder() + "/state/fulmard.json.tokens";
    json book;
    std::ifstream(file) >> book;
    book["tokens"].erase(0);
    std::ofstream(file) << book.dump();
    ::kill(d.pid(), SIGHUP);
    load.join();
    EXPECT_EQ(test::http_client::tcp("127.0.0.1", port)
                  .send("GET", "/v1/subsystems", {}, bearer(kept))
                  .status,
              200);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(operators, the_tool_speaks_tls_to_whom_it_was_told_and_to_nobody_else) {
    const test::certificate authority = test::make_authority("authority");
    const test::certificate stranger = test::make_authority("stranger");
    const test::certificate own = test::make_certificate(
        {.common_name = "fulmard", .alternative_names = "IP:127.0.0.1,DNS:localhost"}, authority);
    const test::certificate anna =
        test::make_certificate({.common_name = "operator-anna"}, authority);
    const auto put = [&](const char* name, const std::string& text) {
        return test::write_private(d.folder() + "/" + name, text);
    };
    put("rest.pem", own.text);
    put("rest.key", own.key);
    const std::string ca = put("ca.pem", authority.text);
    const std::string other_ca = put("other.pem", stranger.text);
    const std::string certificate = put("anna.pem", anna.text);
    const std::string key = put("anna.key", anna.key);
    start(fmt::format(
        R"("listeners": [{{"address": "0.0.0.0", "port": {}, "certificate": "rest.pem",
           "key": "rest.key", "client_ca": "ca.pem"}}],
           "client_roles": [{{"certificate": "CN=operator-*", "role": "viewer"}}])",
        port));
    const std::string token = put("token", make_token("t", "admin"));
    const auto at = [&](const std::string& host) {
        return fmt::format("https://{}:{}", host, port);
    };
    for (const char* host : {"127.0.0.1", "localhost"}) {
        const finished by_token =
            tool({"token", "whoami", "--admin", at(host), "--ca", ca, "--token-file", token});
        EXPECT_THAT(by_token.output, HasSubstr("token t (admin)"));
    }
    const finished by_certificate = tool({"token", "whoami", "--admin", at("127.0.0.1"), "--ca", ca,
                                          "--cert", certificate, "--key", key});
    EXPECT_THAT(by_certificate.output, HasSubstr("certificate CN=operator-anna (viewer)"));
    EXPECT_EQ(tool({"status", "--admin", at("127.0.0.1"), "--ca", ca, "--cert", certificate,
                    "--key", key})
                  .exit_code,
              0);
    const finished untrusted =
        tool({"status", "--admin", at("127.0.0.1"), "--ca", other_ca, "--token-file", token});
    EXPECT_NE(untrusted.exit_code, 0);
    EXPECT_THAT(untrusted.output, HasSubstr("its certificate is refused"));
    const finished misnamed =
        tool({"status", "--admin", at("127.0.0.2"), "--ca", ca, "--token-file", token});
    EXPECT_NE(misnamed.exit_code, 0);
    EXPECT_THAT(misnamed.output, HasSubstr("its certificate is refused"));
    const finished nobody = tool({"subsystem", "list", "--admin", at("127.0.0.1"), "--ca", ca});
    EXPECT_EQ(nobody.exit_code, 1) << nobody.output;
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(operators, a_hangup_brings_a_listener_that_was_left_out_and_other_client_roles) {
    const test::certificate authority = test::make_authority("authority");
    const test::certificate own = test::make_certificate(
        {.common_name = "fulmard", .alternative_names = "IP:127.0.0.1"}, authority);
    const test::certificate anna =
        test::make_certificate({.common_name = "operator-anna"}, authority);
    const auto put = [&](const char* name, const std::string& text) {
        return test::write_private(d.folder() + "/" + name, text);
    };
    put("rest.pem", "no certificate");
    put("rest.key", own.key);
    put("ca.pem", authority.text);
    start(fmt::format(
        R"("listeners": [{{"address": "127.0.0.1", "port": {}, "certificate": "rest.pem",
           "key": "rest.key", "client_ca": "ca.pem"}}],
           "client_roles": [{{"certificate": "CN=operator-*", "role": "viewer"}}])",
        port));
    const auto role_of_anna = [&] {
        test::https_client client(port, authority.text, anna);
        if (!client.connected()) return std::string("not served");
        const json body = json::parse(client.get("/v1/whoami").body, nullptr, false);
        return body.is_object() ? body.value("role", "none") : std::string("none");
    };
    const auto edit = [&](const std::string& from, const std::string& to) {
        std::ifstream in(d.config_path());
        std::string text{std::istreambuf_iterator<char>(in), {}};
        const std::size_t at = text.find(from);
        ASSERT_NE(at, text.npos) << text;
        std::ofstream(d.config_path()) << text.replace(at, from.size(), to);
    };
    EXPECT_EQ(role_of_anna(), "not served");
    ::kill(d.pid(), SIGHUP);
    EXPECT_TRUE(d.says("is still not served"));
    put("rest.pem", own.text);
    ::kill(d.pid(), SIGHUP);
    EXPECT_TRUE(test::eventually([&] { return role_of_anna() == "viewer"; })) << d.log();
    edit(R"("role": "viewer")", R"("role": "operator")");
    ::kill(d.pid(), SIGHUP);
    EXPECT_TRUE(test::eventually([&] { return role_of_anna() == "operator"; })) << d.log();
    edit("CN=operator-*", "CN=nobody");
    ::kill(d.pid(), SIGHUP);
    EXPECT_TRUE(test::eventually([&] { return role_of_anna() == "none"; })) << d.log();
    EXPECT_EQ(d.log().find("/admin has changed"), std::string::npos) << d.log();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// Beside a configuration may be anybody's files.
TEST_F(operators, without_a_state_folder_rest_names_no_file_over_tcp) {
    d.write_config(fmt::format(R"({{"admin": {{"unix_socket": "admin.sock", {}}},
        "listeners": [{{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}}]}})",
                               tcp_only));
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const std::string token = make_token("a", "admin");
    const auto answer =
        test::http_client::tcp("127.0.0.1", port)
            .send("POST", "/v1/devices", device("a", d.folder() + "/a.img"), bearer(token));
    EXPECT_EQ(answer.status, 403) << answer.body;
    EXPECT_EQ(rest().send("POST", "/v1/devices", device("a", d.folder() + "/a.img")).status, 201)
        << "whoever owns the machine may";
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(operators, without_tls_no_other_machine_is_served) {
    d.write_config(R"({"admin": {"listeners": [{"address": "0.0.0.0"}]}})");
    const finished checked = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_NE(checked.exit_code, 0);
    EXPECT_THAT(checked.output, AllOf(HasSubstr("/admin/listeners/0/address"),
                                      HasSubstr("over TLS only"), HasSubstr("127.0.0.1")));
}

TEST_F(operators, over_tcp_rest_names_files_of_the_state_folder_alone) {
    start(tcp_only);
    const std::string token = make_token("a", "admin");
    const auto create = [&](const std::string& name, const std::string& path) {
        return test::http_client::tcp("127.0.0.1", port)
            .send("POST", "/v1/devices", device(name, path), bearer(token));
    };
    const std::string state = d.folder() + "/state";
    EXPECT_EQ(create("inside", state + "/a.img").status, 201);
    std::filesystem::create_symlink(d.folder(), state + "/link");
    for (const std::string& path :
         {d.folder() + "/b.img", std::string("/etc/shadow"), std::string("/etc/no such file"),
          state + "/../b.img", state + "/link/b.img"}) {
        const auto answer = create("outside", path);
        EXPECT_EQ(answer.status, 403) << path << answer.body;
        EXPECT_THAT(answer.body, HasSubstr("files")) << path;
    }
    EXPECT_FALSE(std::filesystem::exists(d.folder() + "/b.img"));
    for (const char* own : {"/fulmard.json.tokens", "/fulmard.json.journal"}) {
        const auto answer = create("own", state + own);
        EXPECT_EQ(answer.status, 409) << own << answer.body;
    }
    // Who owns the machine names what it likes, and what was configured outlives a restart.
    EXPECT_EQ(rest().send("POST", "/v1/devices", device("mine", d.folder() + "/b.img")).status,
              201);
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    for (const char* name : {"inside", "mine"})
        EXPECT_THAT(rest().send("GET", fmt::format("/v1/devices/{}", name)).body,
                    HasSubstr("\"ready\""));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(operators, a_list_of_paths_holds_for_everybody) {
    const std::string allowed = d.folder() + "/disks";
    std::filesystem::create_directories(allowed);
    start(tcp_only, R"(, "files": {"allow": ["disks/*.img"]})");
    EXPECT_EQ(rest().send("POST", "/v1/devices", device("a", allowed + "/a.img")).status, 201);
    EXPECT_EQ(rest().send("POST", "/v1/devices", device("b", allowed + "/b.raw")).status, 403);
    EXPECT_EQ(rest().send("POST", "/v1/devices", device("c", d.folder() + "/state/c.img")).status,
              403);
    const finished told = local({"device", "create", "d", "file", "--path", d.folder() + "/d.img",
                                 "--size", "1MiB", "--create"});
    EXPECT_EQ(told.exit_code, 1) << told.output;
    EXPECT_THAT(told.output, HasSubstr("no path that REST may name"));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
