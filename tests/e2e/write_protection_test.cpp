// A host protects what it has written; daemon and operators come and go.
#include "daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/status.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::e2e {
namespace {

namespace sc = nvme::sc;
using nlohmann::json;
using nvme::write_protection;

constexpr const char* protected_nqn = "nqn.2026-11.io.fulmar:protected";
constexpr nvme::status write_protected = sc::namespace_write_protected.no_retry();

class protected_namespace : public testing::Test {
  protected:
    void serve() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = protected_nqn;
        auto made = host::controller::connect(options);
        ASSERT_TRUE(made) << made.error().text() << d.log();
        controller = std::move(*made);
        queue = controller->open_io_queue(1, 8).value();
    }
    void end(int signal) {
        controller.reset();
        EXPECT_EQ(d.stop(signal), signal == SIGKILL ? 128 + SIGKILL : 0) << d.log();
    }
    nvme::status write() {
        std::vector<std::byte> data(512, std::byte{'w'});
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
        sqe.nsid = 1;
        nvme::encode_block_range(sqe, {.slba = 0, .blocks = 1});
        auto got = host::execute(
            *queue, {.sqe = sqe, .direction = host::transfer::to_controller, .data = data},
            host::deadline(std::chrono::seconds(20)));
        EXPECT_TRUE(got) << got.error().text();
        return got ? got->status() : nvme::status(sc::internal_error);
    }
    void set(write_protection state) {
        const auto done = controller->set_features(
            {.fid = static_cast<std::uint8_t>(nvme::fid::namespace_write_protection),
             .cdw11 = static_cast<std::uint32_t>(state)},
            1);
        ASSERT_TRUE(done) << done.error().text();
    }
    finished tool(std::vector<std::string> words) {
        words.insert(words.begin(), "fulmar");
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(words);
    }

    daemon_process d{R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 2},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "disk", "type": "file", "path": "image", "size": "1MiB", "create": true}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:protected", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "disk"}]}]
})"};
    std::unique_ptr<host::controller> controller;
    host::queue* queue = nullptr;
};

TEST_F(protected_namespace, stays_so_when_the_daemon_is_killed_and_is_lifted_with_the_tool) {
    for (const auto state :
         {write_protection::write_protect, write_protection::until_power_cycle}) {
        serve();
        ASSERT_EQ(write(), sc::success);
        set(state);
        EXPECT_EQ(write(), write_protected);
        end(SIGKILL);
        serve();
        EXPECT_EQ(write(), write_protected) << to_string(state);
        const finished shown = tool({"namespace", "show", protected_nqn, "1"});
        EXPECT_EQ(shown.exit_code, 0) << shown.output;
        EXPECT_THAT(shown.output, testing::HasSubstr("write protection"));
        EXPECT_THAT(shown.output, testing::HasSubstr(std::string(to_string(state))));
        const finished lifted = tool({"namespace", "unprotect", protected_nqn, "1"});
        EXPECT_EQ(lifted.exit_code, 0) << lifted.output;
        EXPECT_EQ(write(), sc::success);
        end(SIGTERM);
        serve();
        EXPECT_EQ(write(), sc::success) << "it stays lifted";
        EXPECT_NE(tool({"namespace", "unprotect", protected_nqn, "2"}).exit_code, 0);
        auto client = test::http_client::unix_socket(d.folder() + "/admin.sock");
        EXPECT_THAT(client.send("GET", "/metrics").body,
                    testing::AllOf(testing::HasSubstr("fulmar_namespace_write_protected{"),
                                   testing::HasSubstr("fulmar_namespace_registrants{")));
        set(state);
        const finished told = tool({"events"});
        EXPECT_EQ(told.exit_code, 0) << told.output;
        EXPECT_THAT(told.output,
                    testing::HasSubstr(std::string(protected_nqn) + "/1  write-protected"));
        EXPECT_THAT(tool({"drive", "events"}).output, testing::Not(testing::HasSubstr("/1 ")));
        EXPECT_THAT(tool({"drive", "events", "--json"}).output,
                    testing::Not(testing::HasSubstr("write-protected")));
        ASSERT_EQ(tool({"namespace", "unprotect", protected_nqn, "1"}).exit_code, 0);
        EXPECT_THAT(tool({"events"}).output, testing::HasSubstr("/1  protection-lifted"));
        end(SIGTERM);
    }
}

}  // namespace
}  // namespace fulmar::e2e
