// A file that is not there, is created once, comes late, is another, or is cut off under load: the
// daemon as an operator meets it.
#include "daemon.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

namespace fulmar::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string one_file_template = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 1},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "disk", "type": "file", "path": "disk/image", "size": "16MiB" @CREATE@}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "disk"}]}]
})";

std::string one_file_config(bool create) {
    std::string text = one_file_template;
    const std::string mark = "@CREATE@";
    return text.replace(text.find(mark), mark.size(), create ? R"(, "create": true)" : "");
}

class storage : public testing::Test {
  protected:
    void start(bool create) {
        d.write_config(one_file_config(create));
        start_again();
    }
    void start_again() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    void stop() { ASSERT_EQ(d.stop(SIGTERM), 0) << d.log(); }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    json device() { return json::parse(rest().send("GET", "/v1/devices/disk").body)["status"]; }
    std::string state() { return device().value("state", ""); }
    bool until(const std::string& wanted) {
        for (int i = 0; i < 3000; ++i) {
            if (state() == wanted) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    finished tool(std::vector<std::string> more) {
        std::vector<std::string> all{"fulmar"};
        all.insert(all.end(), more.begin(), more.end());
        all.insert(all.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(all, 60);
    }
    finished verify(std::vector<std::string> more = {}) {
        std::vector<std::string> all{"fulmar", "verify", "--port", d.port_text(),
                                     "--nsid", "1",      "--size", "4MiB"};
        all.insert(all.end(), more.begin(), more.end());
        return run(all, 60);
    }

    daemon_process d{one_file_config(false)};
    std::string image = d.folder() + "/disk/image";
};

TEST_F(storage, a_disk_that_is_not_mounted_is_missing_and_not_a_fresh_empty_one) {
    start(false);
    EXPECT_EQ(state(), "missing");
    EXPECT_FALSE(fs::exists(image));
    const json ns =
        json::parse(rest().send("GET", "/v1/subsystems/nqn.2026-11.io.fulmar:e2e").body);
    ASSERT_EQ(ns["namespaces"].size(), 1u) << ns.dump(2);
    EXPECT_EQ(ns["namespaces"][0]["status"]["state"], "lost");
    const std::string uuid = ns["namespaces"][0]["uuid"];
    EXPECT_TRUE(d.says("device disk is missing"));
    EXPECT_NE(verify().exit_code, 0);
    fs::create_directory(d.folder() + "/disk");  // it is mounted
    std::ofstream(image) << "x";
    fs::resize_file(image, 16 << 20);
    ASSERT_TRUE(until("ready")) << d.log();
    EXPECT_EQ(verify().exit_code, 0);
    const json after =
        json::parse(rest().send("GET", "/v1/subsystems/nqn.2026-11.io.fulmar:e2e").body);
    EXPECT_EQ(after["namespaces"][0]["uuid"], uuid);
    stop();
}

TEST_F(storage, create_is_met_once_taken_out_of_the_file_and_never_repeated) {
    fs::create_directory(d.folder() + "/disk");
    start(true);
    EXPECT_EQ(state(), "ready");
    EXPECT_EQ(fs::file_size(image), 16u << 20);
    EXPECT_EQ(verify().exit_code, 0);
    stop();
    {
        std::ifstream in(d.config_path());
        EXPECT_FALSE(json::parse(in)["devices"][0].contains("create"));
    }
    fs::rename(image, image + ".away");
    for (const bool pushed_again : {false, true}) {
        if (pushed_again)
            d.write_config(one_file_config(true));  // by somebody's configuration management
        start_again();
        EXPECT_EQ(state(), "missing") << pushed_again;
        EXPECT_FALSE(fs::exists(image));
        stop();
    }
    // Without the state directory's knowledge the file's own word counts.
    d.write_config(one_file_config(false));
    for (const auto& one : fs::directory_iterator(d.folder()))
        if (one.path().extension() == ".devices") fs::remove(one.path());
    start_again();
    EXPECT_EQ(state(), "missing");
    EXPECT_FALSE(fs::exists(image));
    fs::rename(image + ".away", image);
    ASSERT_TRUE(until("ready")) << d.log();
    EXPECT_EQ(verify({"--read-only-check"}).exit_code, 0);
    stop();
}

// For one start, and for all devices that have a size: an operator's word on the command line.
TEST_F(storage, create_missing_creates_for_one_start) {
    fs::create_directory(d.folder() + "/disk");
    d.write_config(one_file_config(false));
    d.add_argument("--create-missing");
    start_again();
    EXPECT_EQ(state(), "ready");
    EXPECT_EQ(fs::file_size(image), 16u << 20);
    EXPECT_EQ(verify().exit_code, 0);
    stop();
    d.no_arguments();
    fs::rename(image, image + ".away");
    start_again();
    EXPECT_EQ(state(), "missing") << "what is known is not made again";
    EXPECT_FALSE(fs::exists(image));
    stop();
}

TEST_F(storage, rest_tells_of_create_and_creates_when_it_is_asked_to) {
    start(false);
    const std::string path = d.folder() + "/new.img";
    json wanted{{"name", "new"}, {"type", "file"}, {"path", path}, {"size", "1MiB"}};
    const auto refused = rest().send("POST", "/v1/devices", wanted.dump());
    EXPECT_GE(refused.status, 400) << refused.body;
    EXPECT_NE(refused.body.find("create"), std::string::npos) << refused.body;
    EXPECT_FALSE(fs::exists(path));
    wanted["create"] = true;
    const auto made = rest().send("POST", "/v1/devices", wanted.dump());
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(json::parse(made.body)["create"], false);
    EXPECT_EQ(fs::file_size(path), 1u << 20);
    stop();
}

// A configuration that names a disk which is still to come is as good by a reload as at a start.
TEST_F(storage, a_namespace_on_a_missing_file_is_added_and_serves_when_the_file_comes) {
    fs::create_directory(d.folder() + "/disk");
    start(true);
    const std::string nqn = "/v1/subsystems/nqn.2026-11.io.fulmar:e2e/namespaces";
    ASSERT_EQ(rest().send("DELETE", nqn + "/1").status, 204);
    fs::rename(image, image + ".away");
    ASSERT_TRUE(until("lost"));
    const auto added = rest().send("POST", nqn, R"({"nsid": 1, "device": "disk"})");
    ASSERT_EQ(added.status, 201) << added.body;

    std::ifstream in(d.config_path());
    json config = json::parse(in);
    config["devices"].push_back({{"name", "late"},
                                 {"type", "file"},
                                 {"path", d.folder() + "/disk/late"},
                                 {"size", "4MiB"}});
    config["subsystems"][0]["namespaces"].push_back({{"nsid", 2}, {"device", "late"}});
    std::ofstream(d.config_path()) << config.dump();
    const finished reload = tool({"config", "reload"});
    EXPECT_EQ(reload.exit_code, 0) << reload.output;
    const json both = json::parse(rest().send("GET", nqn).body)["namespaces"];
    ASSERT_EQ(both.size(), 2u) << both.dump(2);
    for (const json& one : both) EXPECT_EQ(one["status"]["state"], "lost") << one.dump(2);

    std::ofstream(d.folder() + "/disk/late") << "x";
    fs::resize_file(d.folder() + "/disk/late", 4 << 20);
    fs::rename(image + ".away", image);
    EXPECT_EQ(tool({"device", "reopen", "disk"}).exit_code, 0);
    EXPECT_TRUE(
        test::eventually([&] { return tool({"status"}).exit_code == 0; }, std::chrono::seconds(30),
                         [] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }))
        << tool({"status"}).output;
    for (const char* nsid : {"1", "2"}) {
        const finished v = run(
            {"fulmar", "verify", "--port", d.port_text(), "--nsid", nsid, "--size", "2MiB"}, 60);
        EXPECT_EQ(v.exit_code, 0) << v.output;
    }
    stop();
}

TEST_F(storage, another_disk_in_its_place_waits_for_an_operator_who_accepts_it) {
    fs::create_directory(d.folder() + "/disk");
    start(true);
    stop();
    fs::rename(image, image + ".former");
    std::ofstream(image) << "another";
    fs::resize_file(image, 16 << 20);
    start_again();
    EXPECT_EQ(state(), "refused");
    EXPECT_EQ(tool({"status"}).exit_code, 1);
    const finished refused = tool({"device", "reopen", "disk"});
    EXPECT_EQ(refused.exit_code, 1) << refused.output;
    EXPECT_NE(refused.output.find("reopen disk --accept"), std::string::npos) << refused.output;
    const finished accepted = tool({"device", "reopen", "disk", "--accept"});
    EXPECT_EQ(accepted.exit_code, 0) << accepted.output;
    EXPECT_EQ(state(), "ready");
    EXPECT_EQ(verify().exit_code, 0);
    stop();
    start_again();
    EXPECT_EQ(state(), "ready");
    stop();
}

TEST_F(storage, a_file_cut_off_under_load_is_lost_told_and_stays_cut) {
    fs::create_directory(d.folder() + "/disk");
    start(true);
    std::thread host([&] {
        run({"fulmar", "perf", "--port", d.port_text(), "--nsid", "1", "--mix", "50",
             "--queue-depth", "8", "--seconds", "5", "--quiet"},
            60);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    fs::resize_file(image, 4096);
    EXPECT_TRUE(until("lost")) << d.log();
    host.join();
    const finished status = tool({"status"});
    EXPECT_EQ(status.exit_code, 1);
    EXPECT_NE(status.output.find("device disk is lost"), std::string::npos) << status.output;
    EXPECT_TRUE(d.says("became smaller"));
    EXPECT_NE(tool({"device", "reopen", "disk"}).exit_code, 0) << "it is smaller still";
    fs::resize_file(image, 16 << 20);
    EXPECT_EQ(tool({"device", "reopen", "disk"}).exit_code, 0);
    EXPECT_EQ(verify().exit_code, 0);
    stop();
}

}  // namespace
}  // namespace fulmar::e2e
