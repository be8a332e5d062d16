// Addresses that the machine gets after the daemon has started, and ports that others give up.
#include "daemon.hpp"
#include "support/http_client.hpp"
#include "support/private_network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct late_address : testing::Test {
    void SetUp() override {
        if (!network.entered()) GTEST_SKIP() << "a network namespace of its own needs root";
    }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    json get(const std::string& target) { return json::parse(rest().send("GET", target).body); }
    bool health_becomes(const std::string& wanted) {
        for (int i = 0; i < 1000; ++i) {
            if (get("/v1/health")["status"] == wanted) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    finished discover(const std::string& address) {
        return run({"fulmar", "discover", "--address", address, "--port", d.port_text()});
    }

    static constexpr const char* late = "192.0.2.7";
    test::private_network network;
    daemon_process d{R"({
      "admin": {"unix_socket": "admin.sock"},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@},
                    {"transport": "tcp", "address": "192.0.2.7", "port": @PORT@}],
      "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"}],
      "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                      "namespaces": [{"nsid": 1, "device": "ram0"}]}]
    })"};
};

TEST_F(late_address, is_listened_to_when_it_comes) {
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const json before = get("/v1/health");
    EXPECT_EQ(before["status"], "degraded");
    ASSERT_EQ(before["waiting_listeners"].size(), 1u) << before.dump(2);
    EXPECT_EQ(before["waiting_listeners"][0]["name"], "tcp:192.0.2.7:" + d.port_text());
    EXPECT_THAT(run({"fulmar", "status", "--admin", d.folder() + "/admin.sock"}).output,
                HasSubstr("listener tcp:192.0.2.7:" + d.port_text() + " waits: "));
    EXPECT_THAT(discover("127.0.0.1").output, testing::Not(HasSubstr(late)));

    ASSERT_TRUE(network.add_address(late));
    ASSERT_TRUE(health_becomes("ok")) << d.log();
    const finished found = discover(late);
    EXPECT_EQ(found.exit_code, 0) << found.output;
    EXPECT_THAT(discover("127.0.0.1").output, HasSubstr(late));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(late_address, is_refused_over_rest_while_it_is_not_there) {
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const auto refused =
        rest().send("POST", "/v1/listeners",
                    R"({"transport": "tcp", "address": "198.51.100.9", "port": 4420})");
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("this machine does not have the address"));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(late_address, survives_a_restart_and_a_kill_while_it_is_not_there) {
    for (const int signal : {SIGTERM, SIGKILL, SIGTERM}) {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
        ASSERT_EQ(
            rest().send("POST", "/v1/devices", R"({"name":"r","type":"ram","size":"1MiB"})").status,
            201);
        ASSERT_EQ(rest().send("DELETE", "/v1/devices/r").status, 204);
        d.stop(signal);
    }
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    EXPECT_EQ(get("/v1/config")["listeners"].size(), 2u);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(late_address, a_port_that_another_program_gives_up_is_taken) {
    daemon_process other{R"({
      "admin": {"unix_socket": "admin.sock"},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}]
    })"};
    other.start();
    ASSERT_TRUE(other.wait_until_serving()) << other.log();
    d.write_config(R"({
      "admin": {"unix_socket": "admin.sock"},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@},
                    {"transport": "tcp", "address": "127.0.0.1", "port": )" +
                   other.port_text() + "}]}");
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    EXPECT_EQ(get("/v1/health")["waiting_listeners"].size(), 1u);
    EXPECT_EQ(other.stop(SIGTERM), 0) << other.log();
    EXPECT_TRUE(health_becomes("ok")) << d.log();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
