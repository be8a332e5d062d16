// What a start tells of storage: who is named, in which order, and what the shipped examples do on
// a machine that has never run them.
#include "daemon.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace fulmar::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* start_nqn = "nqn.2026-11.io.fulmar:start";

class storage_start : public testing::Test {
  protected:
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    json get(const std::string& what) {
        auto client = test::http_client::unix_socket(d.folder() + "/admin.sock");
        return json::parse(client.send("GET", what).body);
    }
    json base() {
        return {
            {"admin", {{"unix_socket", "admin.sock"}}},
            {"cores", {{"data", 1}}},
            {"listeners", {{{"transport", "tcp"}, {"address", "127.0.0.1"}, {"port", d.port()}}}},
            {"devices", json::array()},
            {"subsystems",
             {{{"nqn", start_nqn}, {"allow_any_host", true}, {"namespaces", json::array()}}}}};
    }
    void file(const std::string& name, std::uint64_t bytes) {
        std::ofstream(d.folder() + "/" + name) << "x";
        fs::resize_file(d.folder() + "/" + name, bytes);
    }

    daemon_process d{"{}"};
};

// Present, absent and too small ones: each has its verdict before the daemon says that it serves.
TEST_F(storage_start, ready_is_told_when_every_device_has_been_tried) {
    json config = base();
    constexpr int each = 8;
    for (int i = 0; i < 3 * each; ++i) {
        const std::string name = "d" + std::to_string(i);
        if (i % 3 != 0) file(name + ".img", i % 3 == 1 ? 1 << 20 : 4096);
        config["devices"].push_back(
            {{"name", name}, {"type", "file"}, {"path", name + ".img"}, {"size", "1MiB"}});
        config["subsystems"][0]["namespaces"].push_back({{"nsid", i + 1}, {"device", name}});
    }
    d.write_config(config.dump());
    start();
    // Its port is open a moment before the line is written.
    ASSERT_TRUE(d.says(" serves\n"));
    const std::string log = d.log();
    const std::string before = log.substr(0, log.find(" serves\n"));
    for (int i = 0; i < 3 * each; ++i) {
        const std::string name = "d" + std::to_string(i);
        const std::string state = i % 3 == 0 ? "missing" : i % 3 == 1 ? "ready" : "refused";
        EXPECT_EQ(get("/v1/devices/" + name)["status"]["state"], state);
        if (state == "ready") continue;
        EXPECT_THAT(before, HasSubstr("device " + name + " is " + state + ": "));
        EXPECT_THAT(before, HasSubstr("namespace " + std::to_string(i + 1) + " of " + start_nqn +
                                      " is not ready: its device " + name + " is " + state));
    }
    EXPECT_EQ(get("/v1/health")["status"], "degraded");
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(storage_start, errors_name_the_device_and_the_namespace) {
    json config = base();
    config["devices"] = {{{"name", "huge"}, {"type", "ram"}, {"size", "512TiB"}}};
    config["subsystems"][0]["namespaces"] = {{{"nsid", 7}, {"device", "huge"}}};
    d.write_config(config.dump());
    start();
    EXPECT_TRUE(d.says("device huge: "));
    EXPECT_TRUE(d.says(std::string("namespace 7 of ") + start_nqn + ": "));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(storage_start, a_loss_names_the_namespace) {
    json config = base();
    file("disk.img", 1 << 20);
    config["devices"] = {{{"name", "disk"}, {"type", "file"}, {"path", "disk.img"}}};
    config["subsystems"][0]["namespaces"] = {{{"nsid", 3}, {"device", "disk"}}};
    d.write_config(config.dump());
    start();
    fs::rename(d.folder() + "/disk.img", d.folder() + "/away");
    const auto told = [&] { return d.log().find("device disk is lost: ") != std::string::npos; };
    ASSERT_TRUE(test::eventually(told, std::chrono::seconds(30))) << d.log();
    EXPECT_TRUE(d.says(std::string("; it backs namespace 3 of ") + start_nqn));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// Their folders are put below one of ours; all else is as shipped.
TEST_F(storage_start, the_shipped_examples_create_their_file_on_a_fresh_machine_and_only_there) {
    const char* root = std::getenv("FULMAR_SOURCE_DIR");
    const std::string source = root != nullptr ? root : ".";
    for (const char* name : {"service.json", "container.json", "quickstart.json"}) {
        SCOPED_TRACE(name);
        const std::string home = d.folder() + "/" + name + ".d";
        fs::create_directory(home);
        std::ifstream in(source + "/config/" + name);
        json config = json::parse(in);
        config["admin"] = {{"unix_socket", "admin.sock"}};
        config["listeners"] = base()["listeners"];
        std::string disk;
        for (json& one : config["devices"]) {
            if (one["type"] == "ram") one["size"] = "16MiB";
            if (one["type"] != "file") continue;
            disk = one["name"];
            one["path"] = home + "/" + fs::path(one["path"].get<std::string>()).filename().string();
        }
        json& subsystem = config["subsystems"][0];
        subsystem["nqn"] = start_nqn;  // a template's has a mark in it
        d.write_config(config.dump());
        start();
        EXPECT_EQ(get("/v1/health")["status"], "ok") << d.log();
        const std::string image = get("/v1/devices/" + disk)["path"];
        EXPECT_EQ(fs::file_size(image), 1u << 30);
        EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
        fs::remove(image);
        d.write_config(config.dump());
        start();
        EXPECT_EQ(get("/v1/devices/" + disk)["status"]["state"], "missing");
        EXPECT_FALSE(fs::exists(image)) << "that was not a fresh machine";
        EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
        for (const auto& one : fs::directory_iterator(d.folder()))
            if (one.is_regular_file() && one.path().filename().string().starts_with("fulmard"))
                fs::remove(one.path());
    }
}

}  // namespace
}  // namespace fulmar::e2e
