// What a host learns of listeners, and where the names in refusals come from.
#include "daemon.hpp"
#include "support/private_network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <set>
#include <string>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct discovery : testing::Test {
    void SetUp() override {
        if (!network.entered()) GTEST_SKIP() << "a network namespace of its own needs root";
        ASSERT_TRUE(network.add_link_local(1)) << "loopback has no IPv6";
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    finished fulmar(std::vector<std::string> words) {
        words.insert(words.begin(), "fulmar");
        words.insert(words.end(), {"--port", d.port_text()});
        return run(words);
    }

    static constexpr const char* scoped = "fe80::1%lo";
    test::private_network network;
    daemon_process d{R"({
      "admin": {"unix_socket": "admin.sock"},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@},
                    {"transport": "tcp", "address": "127.0.0.2", "port": @PORT@},
                    {"transport": "tcp", "address": "fe80::1%lo", "port": @PORT@}],
      "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"}],
      "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:open", "allow_any_host": true,
                      "namespaces": [{"nsid": 1, "device": "ram0"}]},
                     {"nqn": "nqn.2026-11.io.fulmar:closed", "hosts": ["nqn.2014-08.org:friend"]}]
    })"};
};

TEST_F(discovery, gives_each_listener_a_port_of_its_own) {
    const finished found = fulmar({"discover", "--json", "--address", "127.0.0.1"});
    ASSERT_EQ(found.exit_code, 0) << found.output;
    const json answer = json::parse(found.output);
    std::set<int> ports;
    std::set<std::string> addresses;
    for (const json& entry : answer["entries"]) {
        if (entry["nqn"] != "nqn.2026-11.io.fulmar:open") continue;
        ports.insert(entry["port_id"].get<int>());
        addresses.insert(entry["address"].get<std::string>());
    }
    EXPECT_EQ(ports.size(), 3u) << found.output;
    EXPECT_EQ(addresses.size(), 3u) << found.output;
}

TEST_F(discovery, reaches_an_address_that_needs_its_interface) {
    const finished found = fulmar({"discover", "--address", scoped});
    EXPECT_EQ(found.exit_code, 0) << found.output;
    EXPECT_THAT(found.output, HasSubstr("nqn.2026-11.io.fulmar:open"));
    const finished checked =
        fulmar({"verify", "--address", scoped, "--nqn", "nqn.2026-11.io.fulmar:open", "--nsid", "1",
                "--size", "4MiB"});
    EXPECT_EQ(checked.exit_code, 0) << checked.output;
}

TEST_F(discovery, a_refused_host_can_be_found_in_the_log) {
    const finished refused =
        fulmar({"verify", "--address", "127.0.0.2", "--nqn", "nqn.2026-11.io.fulmar:closed",
                "--nsid", "1", "--host-nqn", "nqn.2014-08.org:stranger", "--size", "4MiB"});
    EXPECT_NE(refused.exit_code, 0) << refused.output;
    const finished lost =
        fulmar({"verify", "--address", "127.0.0.1", "--nqn", "nqn.2026-11.io.fulmar:no-such",
                "--nsid", "1", "--size", "4MiB"});
    EXPECT_NE(lost.exit_code, 0) << lost.output;
    EXPECT_EQ(d.stop(SIGTERM), 0);
    EXPECT_THAT(d.log(), testing::ContainsRegex(
                             "Connect refused: [^\n]*host nqn.2014-08.org:stranger at 127.0.0.1:"
                             "[0-9]+ asked 127.0.0.2:" +
                             d.port_text() +
                             " for queue 0 of subsystem nqn.2026-11.io.fulmar:closed; [^\n]+\n"));
    EXPECT_THAT(d.log(), testing::ContainsRegex(
                             "Connect refused: [^\n]* of subsystem nqn.2026-11.io.fulmar:no-such; "
                             "[^\n]+\n"));
}

}  // namespace
}  // namespace fulmar::e2e
