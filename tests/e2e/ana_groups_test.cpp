// ANA groups with a real fulmard: what docs/clusters.md tells operators to type, what a host sees
// of it, and that it is so after a restart, too.
#include "daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/host/execute.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/status.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string grouped_nqn = "nqn.2026-11.io.fulmar:disk1";

constexpr const char* grouped_config = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 2},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "a", "type": "ram", "size": "1MiB"},
              {"name": "b", "type": "ram", "size": "1MiB"}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:disk1",
                  "allow_any_host": true,
                  "ana_groups": [{"id": 1}, {"id": 2}],
                  "namespaces": [{"nsid": 1, "device": "a", "ana_group": 1},
                                 {"nsid": 2, "device": "b", "ana_group": 2}]}]
})";

struct grouped_namespaces : testing::Test {
    void SetUp() override { start(); }
    void TearDown() override { EXPECT_EQ(d.stop(SIGTERM), 0) << d.log(); }
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    [[nodiscard]] std::string listener() const { return fmt::format("tcp:127.0.0.1:{}", d.port()); }
    /// What a host that comes now is told when it reads namespace 1.
    [[nodiscard]] nvme::status read_one() const {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = grouped_nqn;
        options.hostnqn = "nqn.2026-11.io.fulmar:host";
        options.hostid.bytes.fill(1);
        auto c = host::controller::connect(options);
        EXPECT_TRUE(c) << c.error().text();
        host::queue& q = **(*c)->open_io_queue(1, 8);
        std::vector<std::byte> block(512);
        host::command command{
            .sqe = {}, .direction = host::transfer::from_controller, .data = block};
        command.sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::read);
        command.sqe.nsid = 1;
        nvme::encode_block_range(command.sqe, {.slba = 0, .blocks = 1});
        return host::execute(q, command, host::deadline(std::chrono::seconds(5)))->status();
    }
    json groups() const {
        const auto got = test::http_client::unix_socket(d.folder() + "/admin.sock")
                             .send("GET", "/v1/subsystems/" + grouped_nqn + "/ana_groups");
        return json::parse(got.body)["ana_groups"];
    }
    finished type(const std::string& line) const {
        std::vector<std::string> words;
        std::istringstream in(line);
        for (std::string word; in >> word;) words.push_back(word);
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(words);
    }

    daemon_process d{grouped_config};
};

/// The lines that the document has for people to type, of the tool's ANA groups.
std::vector<std::string> lines_of_groups() {
    const char* source = std::getenv("FULMAR_SOURCE_DIR");
    std::ifstream in(std::string(source != nullptr ? source : ".") + "/docs/clusters.md");
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("    fulmar ana ")) all.push_back(line);
    return all;
}

TEST_F(grouped_namespaces, does_what_the_document_tells_to_type) {
    const std::vector<std::string> lines = lines_of_groups();
    ASSERT_EQ(lines.size(), 6u);
    std::vector<json> after;
    for (const std::string& line : lines) {
        const finished got = type(line);
        EXPECT_EQ(got.exit_code, 0) << line << got.output;
        after.push_back(groups());
    }
    EXPECT_EQ(after[0].size(), 2u);
    EXPECT_EQ(after[1].size(), 3u);
    EXPECT_EQ(after[2][0]["listeners"], (json{{"tcp:192.0.2.2:4420", "inaccessible"}}));
    EXPECT_EQ(after[3][0]["listeners"], json::object());
    EXPECT_EQ(after[4][0]["status"]["namespaces"], json::array({1, 2}));
    EXPECT_EQ(after[5].size(), 2u);
    EXPECT_THAT(type("fulmar ana list " + grouped_nqn).output, HasSubstr("1,2"));
}

TEST_F(grouped_namespaces, close_and_open_a_path_over_restarts) {
    EXPECT_EQ(read_one(), nvme::sc::success);
    const std::string set = "fulmar ana set " + grouped_nqn + " 1 inaccessible --listener ";
    ASSERT_EQ(type(set + listener()).exit_code, 0);
    EXPECT_EQ(read_one(), nvme::sc::ana_inaccessible);
    EXPECT_THAT(
        test::http_client::unix_socket(d.folder() + "/admin.sock").send("GET", "/metrics").body,
        HasSubstr("group=\"1\",listener=\"" + listener() + "\"} 3"));
    EXPECT_THAT(type("fulmar events").output,
                HasSubstr("ANA group 1 is inaccessible by " + listener()));
    for (const int signal : {SIGTERM, SIGKILL}) {
        d.stop(signal);
        start();
        EXPECT_EQ(read_one(), nvme::sc::ana_inaccessible);
    }
    EXPECT_THAT(type("fulmar ana list " + grouped_nqn).output, HasSubstr(listener()));
    ASSERT_EQ(type("fulmar ana move " + grouped_nqn + " 1 2").exit_code, 0);
    EXPECT_EQ(read_one(), nvme::sc::success);
    EXPECT_THAT(type("fulmar namespace show " + grouped_nqn + " 1").output,
                HasSubstr("2 (fulmar ana"));
    EXPECT_NE(type("fulmar ana delete " + grouped_nqn + " 2").exit_code, 0) << "it is in use";
    EXPECT_EQ(type("fulmar ana delete " + grouped_nqn + " 1").exit_code, 0);
}

}  // namespace
}  // namespace fulmar::e2e
