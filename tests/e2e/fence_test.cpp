// A fence that cannot be kept in time, end to end: an operator removes what a silent device still
// has writes of. In builds with FULMAR_FAULTS, whose fulmard has such a device.
#include "daemon.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <thread>

namespace fulmar::e2e {
namespace {

#ifdef FULMAR_FAULTS

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::eventually;
using clock = std::chrono::steady_clock;

constexpr milliseconds transition{1'000};
const std::string fence_nqn = "nqn.2026-11.io.fulmar:fence";
const std::string fence_host_nqn = "nqn.2026-11.io.fulmar:fence-host";
const std::string fence_place = "/v1/subsystems/" + fence_nqn;

std::string fence_configuration() {
    return R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 2},
  "timeouts": {"transition_ms": 1000},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "silent", "type": "fault", "size": "1MiB"},
              {"name": "beside", "type": "ram", "size": "1MiB"}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:fence", "allow_any_host": false,
                  "hosts": ["nqn.2026-11.io.fulmar:fence-host"],
                  "namespaces": [{"nsid": 1, "device": "silent"}, {"nsid": 2, "device": "beside"}]}]
})";
}

struct one_block final : host::request {
    explicit one_block(nvme::io_opcode opcode, std::uint32_t nsid, unsigned fill = 0) {
        command.opcode = static_cast<std::uint8_t>(opcode);
        command.nsid = nsid;
        nvme::encode_block_range(command, {.slba = 0, .blocks = 1});
        bytes.fill(std::byte(fill));
        data = bytes.data();
        data_bytes = static_cast<std::uint32_t>(bytes.size());
        data_in_capsule = true;
        direction = opcode == nvme::io_opcode::write ? host::transfer::to_controller
                                                     : host::transfer::from_controller;
        done = [](host::request& r) noexcept { static_cast<one_block&>(r).ended = true; };
    }
    std::array<std::byte, 512> bytes{};
    bool ended = false;
};

struct fence : testing::Test {
    void SetUp() override {
        d.set_environment("FULMAR_FAULT_FOLDER", d.folder());
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
        connect();
    }
    void TearDown() override {
        give_back();
        EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    }
    void connect() {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = fence_nqn;
        options.hostnqn = fence_host_nqn;
        options.hostid.bytes.fill(7);
        auto made = host::controller::connect(options);
        ASSERT_TRUE(made) << made.error().text();
        controller = std::move(*made);
        queue = controller->open_io_queue(1, 16).value();
    }
    /// The device obeys within some milliseconds.
    void tell(const std::string& command) {
        std::ofstream(d.folder() + "/silent.faults", std::ios::app) << command << std::endl;
    }
    test::http_answer rest(const std::string& method, const std::string& target,
                           const std::string& body = {}) {
        return test::http_client::unix_socket(d.folder() + "/admin.sock")
            .send(method, target, body);
    }
    bool wait(const one_block& r, milliseconds limit = seconds(10)) {
        const auto end = clock::now() + limit;
        while (!r.ended && queue->is_open() && clock::now() < end)
            if (!queue->poll()) queue->wait(host::deadline(milliseconds(1)));
        return r.ended;
    }
    /// A write that the device has and does not answer.
    void stall(one_block& write) {
        tell("lose write 0");
        const auto end = clock::now() + seconds(10);
        do {  // those that came before the device had heard of it are answered
            write.ended = false;
            ASSERT_EQ(queue->submit(write), host::submit_result::queued);
        } while (wait(write, milliseconds(200)) && clock::now() < end);
        ASSERT_FALSE(write.ended);
    }
    /// What the device has kept is answered, and it keeps nothing more.
    void give_back() {
        tell("clear");
        tell("reset");
    }
    void expect_readable(std::uint32_t nsid) {
        one_block& read = blocks.emplace_back(nvme::io_opcode::read, nsid);
        ASSERT_EQ(queue->submit(read), host::submit_result::queued);
        ASSERT_TRUE(wait(read));
        EXPECT_TRUE(read.succeeded());
    }
    static void expect_not_quiesced(const test::http_answer& answer) {
        EXPECT_EQ(answer.status, 504) << answer.body;
        const json problem = json::parse(answer.body);
        EXPECT_THAT(problem["type"].get<std::string>(), testing::HasSubstr("quiesce-incomplete"));
        EXPECT_THAT(answer.body, testing::HasSubstr("1 operations"));
    }

    daemon_process d{fence_configuration()};
    std::deque<one_block> blocks;  // longer there than the queue that may still have them
    std::unique_ptr<host::controller> controller;
    host::queue* queue = nullptr;
};

// The host has its answer in time, the operator is told the truth, and nobody gets the device
// before it has given the write back.
TEST_F(fence, of_a_namespace_that_is_removed_keeps_the_device_until_its_last_write_is_back) {
    one_block& write = blocks.emplace_back(nvme::io_opcode::write, 1, 0xaa);
    stall(write);
    const auto began = clock::now();
    const test::http_answer removed = rest("DELETE", fence_place + "/namespaces/1");
    const auto took = clock::now() - began;
    expect_not_quiesced(removed);
    EXPECT_GE(took, transition - milliseconds(50));
    EXPECT_LT(took, 3 * transition);
    ASSERT_TRUE(wait(write));
    EXPECT_TRUE(write.answered);
    EXPECT_FALSE(write.succeeded());

    EXPECT_EQ(rest("GET", fence_place + "/namespaces/1").status, 404) << "it is gone all the same";
    const test::http_answer again =
        rest("POST", fence_place + "/namespaces", R"({"nsid": 1, "device": "silent"})");
    EXPECT_EQ(again.status, 409) << again.body;
    EXPECT_THAT(again.body, testing::HasSubstr("still has operations"));
    EXPECT_EQ(rest("DELETE", "/v1/devices/silent").status, 409);
    expect_readable(2);

    give_back();
    EXPECT_TRUE(eventually([&] {
        return rest("POST", fence_place + "/namespaces", R"({"nsid": 1, "device": "silent"})")
                   .status == 201;
    }));
    expect_readable(1);
}

TEST_F(fence, of_a_host_that_is_removed_says_what_may_still_land) {
    one_block& write = blocks.emplace_back(nvme::io_opcode::write, 1, 0xbb);
    stall(write);
    expect_not_quiesced(rest("DELETE", fence_place + "/hosts/" + fence_host_nqn));
    EXPECT_TRUE(eventually([&] { return !queue->poll() && !queue->is_open(); }));
    const json ns = json::parse(rest("GET", fence_place + "/namespaces/1").body);
    EXPECT_EQ(ns["status"]["abandoned"], 1);
    give_back();
    EXPECT_TRUE(eventually([&] {
        return json::parse(
                   rest("GET", fence_place + "/namespaces/1").body)["status"]["abandoned"] == 0;
    }));
}

TEST_F(fence, of_a_namespace_that_is_hidden_is_told_again_until_it_is_kept) {
    one_block& write = blocks.emplace_back(nvme::io_opcode::write, 1, 0xdd);
    stall(write);
    const auto hide = [&] {
        return rest("PATCH", fence_place + "/namespaces/1", R"({"visible_to": []})");
    };
    expect_not_quiesced(hide());
    ASSERT_TRUE(wait(write));
    EXPECT_FALSE(write.succeeded());
    EXPECT_EQ(json::parse(rest("GET", fence_place + "/namespaces/1").body)["visible_to"],
              json::array())
        << "the change has been made";
    expect_readable(2);
    expect_not_quiesced(hide());
    give_back();
    EXPECT_TRUE(eventually([&] { return hide().status == 200; }));
}

TEST_F(fence, of_a_subsystem_that_is_deleted_frees_its_name_but_not_the_device) {
    one_block& write = blocks.emplace_back(nvme::io_opcode::write, 1, 0xcc);
    stall(write);
    expect_not_quiesced(rest("DELETE", fence_place + "?force=true"));
    EXPECT_EQ(rest("GET", fence_place).status, 404);
    EXPECT_EQ(rest("DELETE", fence_place).status, 404);
    const std::string heir = R"({"nqn": "nqn.2026-11.io.fulmar:fence", "allow_any_host": true,
        "namespaces": [{"nsid": 1, "device": "beside"}]})";
    EXPECT_EQ(rest("POST", "/v1/subsystems", heir).status, 201);
    EXPECT_EQ(rest("DELETE", "/v1/devices/silent").status, 409);
    connect();
    expect_readable(1);
    give_back();
    EXPECT_TRUE(eventually([&] { return rest("DELETE", "/v1/devices/silent").status == 204; }));
}

#else

TEST(fence, needs_a_device_that_falls_silent) {
    GTEST_SKIP() << "only a fulmard with FULMAR_FAULTS has one: the asan and debug builds";
}

#endif

}  // namespace
}  // namespace fulmar::e2e
