// The daemon on real NBD servers, as docs/nbd.md shows it: nbdkit and qemu-nbd, killed, frozen,
// with TLS, read-only, and grown.
#include "e2e/daemon.hpp"
#include "history_writer.hpp"
#include "storage_server.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/status.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::cluster {
namespace {

namespace fs = std::filesystem;
namespace sc = nvme::sc;
using nlohmann::json;

constexpr const char* nbd_config = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 2},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true}]
})";

class nbd : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* program : {"nbdkit", "qemu-nbd", "qemu-img", "openssl"})
            if (path_of(program).empty())
                GTEST_SKIP() << program << " is not installed (./dev setup cluster)";
        if (!backend::knows_nbd()) GTEST_SKIP() << "this build has no libnbd (./dev setup build)";
    }
    void serve(json device, json ns = json::object()) {
        std::string text = nbd_config;
        json config = json::parse(text.replace(text.find("@PORT@"), 6, d.port_text()));
        device["name"] = "remote";
        device["type"] = "nbd";
        if (!device.contains("uri")) device["uri"] = uri();
        ns["nsid"] = 1;
        ns["device"] = "remote";
        config["devices"] = json::array({device});
        config["subsystems"][0]["namespaces"] = json::array({ns});
        d.write_config(config.dump());
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    std::string uri(const std::string& scheme = "nbd+unix") const {
        return scheme + ":///?socket=" + socket;
    }
    bool run_server(const std::vector<std::string>& arguments) {
        return server.start(arguments, socket, d.folder() + "/server.log");
    }
    /// nbdkit on a file that stays when it is killed.
    bool run_nbdkit(std::vector<std::string> more = {}) {
        std::vector<std::string> all{"nbdkit", "-f", "-U", socket};
        all.insert(all.end(), more.begin(), more.end());
        all.insert(all.end(), {"file", image});
        return run_server(all);
    }
    void make_image(std::uintmax_t bytes) const {
        std::ofstream(image).flush();
        fs::resize_file(image, bytes);
    }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    json device() { return json::parse(rest().send("GET", "/v1/devices/remote").body)["status"]; }
    bool becomes(const std::string& state) {
        return test::eventually([&] { return device().value("state", "") == state; });
    }
    e2e::finished tool(std::vector<std::string> more) {
        more.insert(more.begin(), "fulmar");
        more.insert(more.end(), {"--admin", d.folder() + "/admin.sock"});
        return e2e::run(more, 60);
    }
    e2e::finished verify(std::vector<std::string> more = {}) {
        std::vector<std::string> all{"fulmar", "verify", "--port", d.port_text(),
                                     "--nsid", "1",      "--size", "16MiB"};
        all.insert(all.end(), more.begin(), more.end());
        return e2e::run(all, 60);
    }
    void stop() { EXPECT_EQ(d.stop(SIGTERM), 0) << d.log(); }
    std::string server_log() const {
        std::ostringstream text;
        text << std::ifstream(d.folder() + "/server.log").rdbuf();
        return text.str();
    }

    e2e::daemon_process d{nbd_config};
    std::string socket = d.folder() + "/nbd.sock";
    std::string image = d.folder() + "/image";
    storage_server server;
};

/// Writes block after block, each with a number, and repeats what it is told to repeat.
class patient_writer {
  public:
    explicit patient_writer(std::uint16_t port) {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = port};
        options.subnqn = "nqn.2026-11.io.fulmar:e2e";
        options.timeout = std::chrono::seconds(40);
        controller_ = host::controller::connect(options).value();
        queue_ = controller_->open_io_queue(1, 8).value();
    }
    nvme::status transfer(nvme::io_opcode opcode, std::uint64_t lba, std::vector<std::byte>& data) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(opcode);
        sqe.nsid = 1;
        nvme::encode_block_range(sqe, {.slba = lba, .blocks = 1});
        const bool writes = opcode == nvme::io_opcode::write;
        const auto got = host::execute(
            *queue_,
            {.sqe = sqe,
             .direction = writes ? host::transfer::to_controller : host::transfer::from_controller,
             .data = data},
            host::deadline(std::chrono::seconds(40)));
        EXPECT_TRUE(got) << got.error().text();
        controller_->poll();
        return got ? got->status() : sc::internal_error.no_retry();
    }
    nvme::status write(std::uint64_t lba, std::uint64_t number) {
        std::vector<std::byte> data(512);
        std::memcpy(data.data(), &number, sizeof number);
        for (;;) {
            const nvme::status s = transfer(nvme::io_opcode::write, lba, data);
            if (nvme::is_success(s) || s.dnr) return s;
            ++repeated;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    std::uint64_t read(std::uint64_t lba) {
        std::vector<std::byte> data(512);
        EXPECT_EQ(transfer(nvme::io_opcode::read, lba, data), sc::success) << lba;
        std::uint64_t number = 0;
        std::memcpy(&number, data.data(), sizeof number);
        return number;
    }
    int repeated = 0;

  private:
    std::unique_ptr<host::controller> controller_;
    host::queue* queue_ = nullptr;
};

TEST_F(nbd, serves_memory_of_nbdkit_by_several_connections) {
    ASSERT_TRUE(run_server({"nbdkit", "-v", "-f", "-U", socket, "--filter=log", "memory", "64M",
                            "logfile=" + d.folder() + "/requests"}));
    serve({{"connections", 3}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_EQ(verify().exit_code, 0);
    std::ostringstream requests;
    requests << std::ifstream(d.folder() + "/requests").rdbuf();
    int connections = 0, writing = 0;  // of two reactors; the host has one of them
    for (int i = 1; i <= 20; ++i) {
        const std::string who = "connection=" + std::to_string(i) + " ";
        connections += requests.str().find(who + "Connect") != std::string::npos ? 1 : 0;
        writing += requests.str().find(who + "Write") != std::string::npos ? 1 : 0;
    }
    EXPECT_GE(connections, 6) << requests.str().substr(0, 2000);
    EXPECT_EQ(writing, 3);
    stop();
    const std::string said = server_log();
    int in_order = 0;
    for (auto at = said.find("NBD_CMD_DISC"); at != said.npos;
         at = said.find("NBD_CMD_DISC", at + 1))
        ++in_order;
    EXPECT_GE(in_order, 6) << "a daemon that stops takes its leave";
}

TEST_F(nbd, serves_qcow2_of_qemu_nbd_by_many_connections_and_by_one) {
    ASSERT_EQ(
        e2e::run({path_of("qemu-img"), "create", "-q", "-f", "qcow2", image, "64M"}).exit_code, 0);
    for (const char* clients : {"8", "1"}) {
        ASSERT_TRUE(run_server({"qemu-nbd", "-t", "-k", socket, "-f", "qcow2", "-e", clients,
                                "--discard=unmap", image}));
        serve({});
        ASSERT_TRUE(becomes("ready")) << d.log();
        EXPECT_EQ(verify().exit_code, 0) << clients << d.log();
        if (clients[0] == '1') {
            EXPECT_TRUE(d.says("by one connection"));
        }
        stop();
        server.kill();
    }
    const auto check = e2e::run({path_of("qemu-img"), "check", "-q", image});
    EXPECT_EQ(check.exit_code, 0) << check.output;
}

TEST_F(nbd, fails_under_fail_while_its_server_is_dead_and_serves_when_it_is_back) {
    make_image(64 << 20);
    ASSERT_TRUE(run_nbdkit());
    serve({});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_EQ(verify({"--pattern", "7"}).exit_code, 0);
    server.kill();
    ASSERT_TRUE(becomes("lost"));
    EXPECT_NE(verify({"--read-only-check", "--pattern", "7"}).exit_code, 0);
    EXPECT_EQ(json::parse(rest().send("GET", "/v1/health").body)["status"], "degraded");
    ASSERT_TRUE(run_nbdkit());
    ASSERT_TRUE(becomes("ready")) << d.log();
    const auto again = verify({"--read-only-check", "--pattern", "7"});
    EXPECT_EQ(again.exit_code, 0) << again.output;
    stop();
}

TEST_F(nbd, loses_nothing_under_hold_while_its_server_is_killed_again_and_again) {
    make_image(64 << 20);
    ASSERT_TRUE(run_nbdkit());
    serve({{"write_cache", "through"}}, {{"on_loss", "hold"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    // nbdkit ends with the thread that started it: this one.
    history_writer writer(d.port(), 0, 200, 512), other(d.port(), 200, 200, 512);
    writer.start();
    other.start();
    for (int i = 0; i < 4; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        server.kill();
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
        EXPECT_TRUE(run_nbdkit());
    }
    for (history_writer* const one : {&writer, &other}) {
        one->stop();
        EXPECT_GT(one->acknowledged(), 100u) << d.log();
        one->look_at_everything();
        EXPECT_EQ(one->history().verdict(), "");
        EXPECT_EQ(one->history().unknowns(), 0u);
    }
    EXPECT_TRUE(d.says("did not") || d.says("ended")) << d.log();
    stop();
}

TEST_F(nbd, does_not_wait_under_hold_for_what_no_flush_had_made_durable) {
    make_image(64 << 20);
    ASSERT_TRUE(run_nbdkit());
    serve({}, {{"on_loss", "hold"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_TRUE(d.says("has a volatile write cache"));
    patient_writer writer(d.port());
    EXPECT_EQ(writer.write(1, 1), sc::success);
    server.kill();
    ASSERT_TRUE(becomes("lost"));
    EXPECT_TRUE(writer.write(2, 2).dnr);
    ASSERT_TRUE(run_nbdkit());
    EXPECT_TRUE(d.says("device remote stays lost"));
    EXPECT_EQ(device()["state"], "lost");
    tool({"device", "reopen", "remote"});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_EQ(writer.write(2, 2), sc::success);
    stop();
}

TEST_F(nbd, gives_a_frozen_server_up_and_takes_it_back_when_it_wakes) {
    make_image(64 << 20);
    ASSERT_TRUE(run_nbdkit());
    serve({{"write_cache", "through"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    patient_writer writer(d.port());
    EXPECT_EQ(writer.write(1, 1), sc::success);
    server.signal(SIGSTOP);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(writer.write(1, 2).dnr);
    EXPECT_LE(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
    EXPECT_TRUE(d.says("did not answer in time"));
    server.signal(SIGCONT);
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_EQ(writer.write(1, 3), sc::success);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(writer.read(1), 3u) << "the write that had been given up landed over a later one";
    stop();
}

TEST_F(nbd, writes_nothing_to_a_read_only_export) {
    make_image(64 << 20);
    ASSERT_TRUE(run_nbdkit({"-r"}));
    serve({});
    ASSERT_TRUE(becomes("ready")) << d.log();
    patient_writer writer(d.port());
    EXPECT_EQ(writer.write(1, 1), sc::namespace_write_protected.no_retry());
    EXPECT_EQ(writer.read(1), 0u);
    const auto seen = e2e::run({"fulmar", "identify", "--port", d.port_text(), "--json"});
    EXPECT_EQ(seen.exit_code, 0) << seen.output;
    EXPECT_TRUE(json::parse(seen.output)["namespaces"][0]["write_protected"]) << seen.output;
    stop();
}

TEST_F(nbd, takes_a_grown_file_up_when_it_connects_anew_and_refuses_one_that_shrank) {
    make_image(64 << 20);
    ASSERT_TRUE(run_nbdkit());
    serve({});
    ASSERT_TRUE(becomes("ready")) << d.log();
    make_image(96 << 20);
    const auto reopened = tool({"device", "reopen", "remote"});
    EXPECT_EQ(reopened.exit_code, 0) << reopened.output;
    EXPECT_TRUE(test::eventually([&] {
        return device().value("block_count", 0) == (96 << 20) / 512;
    })) << device().dump();
    server.kill();
    make_image(32 << 20);
    ASSERT_TRUE(run_nbdkit());
    ASSERT_TRUE(becomes("refused")) << d.log();
    EXPECT_NE(device().value("reason", "").find("and had"), std::string::npos);
    stop();
}

class nbd_tls : public nbd {
  protected:
    void SetUp() override {
        ASSERT_NO_FATAL_FAILURE(nbd::SetUp());
        if (IsSkipped()) return;
        fs::create_directories(folder);
        fs::create_directories(strangers);
        make_authority(folder);
        make_authority(strangers);
        make_image(64 << 20);
    }
    void openssl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), path_of("openssl"));
        const auto done = e2e::run(arguments);
        ASSERT_EQ(done.exit_code, 0) << done.output;
    }
    /// As docs/nbd.md has it: an authority, and what it says of the server and of us.
    void make_authority(const std::string& in) {
        openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-days", "7", "-subj", "/CN=storage authority", "-keyout", in + "/ca-key.pem",
                 "-out", in + "/ca-cert.pem"});
        for (const std::string who : {"server", "client"}) {
            openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                     in + "/" + who + "-key.pem", "-out", in + "/" + who + ".csr"});
            openssl({"x509", "-req", "-days", "7", "-in", in + "/" + who + ".csr", "-CA",
                     in + "/ca-cert.pem", "-CAkey", in + "/ca-key.pem", "-CAcreateserial",
                     "-copy_extensions", "copy", "-out", in + "/" + who + "-cert.pem"});
        }
    }
    std::string folder = d.folder() + "/certificates";
    std::string strangers = d.folder() + "/strangers";
};

TEST_F(nbd_tls, is_spoken_with_certificates_and_with_nobody_else) {
    ASSERT_TRUE(run_nbdkit({"--tls=require", "--tls-certificates=" + folder, "--tls-verify-peer"}));
    serve({{"uri", uri("nbds+unix")}, {"tls_certificates", "certificates"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_EQ(verify().exit_code, 0) << d.log();
    stop();
    serve({{"uri", uri("nbds+unix")}, {"tls_certificates", "strangers"}});
    EXPECT_EQ(device()["state"], "missing");
    stop();
    serve({{"uri", uri("nbd+unix")}});
    EXPECT_EQ(device()["state"], "missing") << "the server insists on TLS";
    stop();
}

TEST_F(nbd_tls, is_spoken_with_a_key_that_both_have) {
    const std::string keys = d.folder() + "/keys.psk";
    std::ofstream(keys) << "fulmar:8f1c4f0f5d1a4f2e9c7b6a5d4e3f2a1b\n";
    fs::permissions(keys, fs::perms::owner_read | fs::perms::owner_write);
    ASSERT_TRUE(run_nbdkit({"--tls=require", "--tls-psk=" + keys}));
    serve({{"uri", uri("nbds+unix")}, {"tls_psk_file", "keys.psk"}, {"tls_username", "fulmar"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_EQ(verify().exit_code, 0) << d.log();
    stop();
}

}  // namespace
}  // namespace fulmar::cluster
