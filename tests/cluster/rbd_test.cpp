// The daemon on images of a real Ceph cluster, as docs/rbd.md shows it: OSDs frozen and killed, the
// monitor gone, locks taken and broken, images grown, snapshots.
#include "ceph_cluster.hpp"
#include "e2e/daemon.hpp"
#include "history_writer.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <fulmar/backend/rbd_device.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::cluster {
namespace {

namespace sc = nvme::sc;
using nlohmann::json;

constexpr const char* rbd_config = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 2},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true}]
})";

/// One cluster for all of them; each test has an image of its own.
class rbd : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (std::getenv("FULMAR_KNOWN_FAULTS") == nullptr) return;
        if (!ceph_cluster::missing().empty() || !backend::knows_rbd()) return;
        ceph = std::make_unique<ceph_cluster>();
        why_not = ceph->boot();
    }
    static void TearDownTestSuite() { ceph.reset(); }
    void SetUp() override {
        if (std::getenv("FULMAR_KNOWN_FAULTS") == nullptr)
            GTEST_SKIP()
                << "known faults (docs/rbd.md): a device does not always come back once it "
                   "was fenced, or writes while a monitor is gone; FULMAR_KNOWN_FAULTS=1 "
                   "runs it all the same";
        const std::string missing = ceph_cluster::missing();
        if (!missing.empty()) GTEST_SKIP() << missing << " is not installed (./dev setup cluster)";
        if (!backend::knows_rbd()) GTEST_SKIP() << "this build has no librbd (./dev setup build)";
        ASSERT_TRUE(ceph->booted()) << why_not;
    }
    void make_image(const std::string& features = "layering,exclusive-lock,object-map,fast-diff") {
        const auto made =
            ceph->rbd({"create", "--size", "64M", "--image-feature", features, spec()});
        ASSERT_EQ(made.exit_code, 0) << made.output;
    }
    std::string spec() const { return "rbd/" + image; }
    json device_of(json more = json::object()) const {
        json device{{"name", "disk"},
                    {"type", "rbd"},
                    {"pool", "rbd"},
                    {"image", image},
                    {"user", "fulmar"},
                    {"conf", ceph->conf()},
                    {"keyring", ceph->keyring()}};
        device.update(more);
        return device;
    }
    void serve(json more = json::object(), json ns = json::object()) {
        std::string text = rbd_config;
        json config = json::parse(text.replace(text.find("@PORT@"), 6, d.port_text()));
        ns["nsid"] = 1;
        ns["device"] = "disk";
        config["devices"] = json::array({device_of(std::move(more))});
        config["subsystems"][0]["namespaces"] = json::array({ns});
        d.write_config(config.dump());
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    json device() { return json::parse(rest().send("GET", "/v1/devices/disk").body)["status"]; }
    bool becomes(const std::string& state) {
        return test::eventually([&] { return device().value("state", "") == state; },
                                std::chrono::seconds(40));
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
    std::unique_ptr<history_writer> writer(std::uint64_t first = 0) {
        return std::make_unique<history_writer>(d.port(), first, 64, 512);
    }
    void serve_nothing() {
        std::string text = rbd_config;
        d.write_config(text.replace(text.find("@PORT@"), 6, d.port_text()));
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    static bool soaks() { return std::getenv("FULMAR_SOAK") != nullptr; }
    static int rounds(int usual) { return soaks() ? 4 * usual : usual; }
    /// After the device is lost. Less than what makes the cluster take the OSD for dead, but in a
    /// soak.
    static std::chrono::seconds frozen() { return std::chrono::seconds(soaks() ? 20 : 2); }
    void stop() { EXPECT_EQ(d.stop(SIGTERM), 0) << d.log(); }

    static inline std::unique_ptr<ceph_cluster> ceph;
    static inline std::string why_not;
    std::string image = testing::UnitTest::GetInstance()->current_test_info()->name();
    e2e::daemon_process d{rbd_config};
};

TEST_F(rbd, serves_an_image_to_a_user_with_the_least_rights) {
    make_image();
    serve();
    ASSERT_TRUE(becomes("ready")) << d.log();
    const auto verified = verify();
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    EXPECT_NE(ceph->rbd({"lock", "list", spec()}).output.find("auto "), std::string::npos);
    stop();
    EXPECT_EQ(ceph->rbd({"lock", "list", spec()}).output, "") << "the lock was not given back";
}

TEST_F(rbd, keeps_a_frozen_write_from_being_lost_or_answered_twice_under_fail) {
    make_image();
    serve({{"timeout_s", 2}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto host = writer();
    auto other = writer(64);
    host->start();
    other->start();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    for (int round = 0; round < rounds(2); ++round) {
        ceph->signal_osd(0, SIGSTOP);
        EXPECT_TRUE(becomes("lost"));
        std::this_thread::sleep_for(frozen());
        EXPECT_EQ(device().value("state", ""), "lost") << "the writes have not ended yet";
        ceph->signal_osd(0, SIGCONT);
        EXPECT_TRUE(becomes("ready")) << d.log();
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    host->stop();
    other->stop();
    for (const auto& one : {host.get(), other.get()}) {
        one->look_at_everything();
        EXPECT_EQ(one->history().verdict(), "");
        EXPECT_GT(one->history().unknowns(), 0u);
        EXPECT_GT(one->acknowledged(), 20u);
    }
    EXPECT_TRUE(d.says("the cluster did not answer in time"));
    stop();
}

TEST_F(rbd, loses_nothing_under_hold_while_osds_freeze_and_die) {
    make_image();
    serve({{"timeout_s", 2}}, {{"on_loss", "hold"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto host = writer();
    host->start();
    ceph->signal_osd(1, SIGSTOP);
    EXPECT_TRUE(becomes("lost"));
    ceph->signal_osd(1, SIGCONT);
    EXPECT_TRUE(becomes("ready")) << d.log();
    const std::uint64_t before = host->acknowledged();
    ceph->kill_osd(1);
    EXPECT_TRUE(test::eventually([&] { return host->acknowledged() > before + 20; }))
        << "the other OSD has all of it " << d.log();
    ASSERT_TRUE(ceph->start_osd(1));
    EXPECT_TRUE(test::eventually([] { return ceph->all_up(); }, std::chrono::seconds(60)));
    host->stop();
    host->look_at_everything();
    EXPECT_EQ(host->history().verdict(), "");
    EXPECT_EQ(host->history().unknowns(), 0u);
    stop();
}

TEST_F(rbd, serves_on_while_the_monitor_is_gone) {
    make_image();
    serve();
    ASSERT_TRUE(becomes("ready")) << d.log();
    ceph->kill_monitor();
    const auto verified = verify();
    EXPECT_EQ(verified.exit_code, 0) << verified.output << d.log();
    EXPECT_EQ(device().value("state", ""), "ready");
    ASSERT_TRUE(ceph->start_monitor());
    stop();
}

TEST_F(rbd, waits_for_a_cluster_whose_monitor_is_away) {
    make_image();
    ceph->signal_monitor(SIGSTOP);
    serve();
    EXPECT_EQ(device().value("state", ""), "missing");
    ceph->signal_monitor(SIGCONT);
    EXPECT_TRUE(becomes("ready")) << d.log();
    stop();
}

TEST_F(rbd, tells_hosts_when_an_image_grows_and_goes_away_when_it_shrinks) {
    make_image();
    serve();
    ASSERT_TRUE(becomes("ready")) << d.log();
    const auto has_blocks = [&](int blocks) {
        return test::eventually([&] { return device().value("block_count", 0) == blocks; });
    };
    EXPECT_TRUE(has_blocks((64 << 20) / 512));
    const auto grown = ceph->rbd({"resize", "--size", "96M", "--no-progress", spec()});
    ASSERT_EQ(grown.exit_code, 0) << grown.output;
    EXPECT_TRUE(has_blocks((96 << 20) / 512)) << device().dump();
    EXPECT_EQ(device().value("state", ""), "ready");
    const auto shrunk =
        ceph->rbd({"resize", "--size", "32M", "--allow-shrink", "--no-progress", spec()});
    ASSERT_EQ(shrunk.exit_code, 0) << shrunk.output;
    ASSERT_TRUE(becomes("refused")) << d.log();
    tool({"device", "reopen", "disk", "--accept"});
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_TRUE(has_blocks((32 << 20) / 512)) << device().dump();
    stop();
}

TEST_F(rbd, serves_a_snapshot_that_nobody_can_write) {
    make_image();
    serve();
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto host = writer();
    ASSERT_TRUE(host->write(3));
    ASSERT_EQ(ceph->rbd({"snap", "create", "--no-progress", spec() + "@before"}).exit_code, 0);
    ASSERT_TRUE(host->write(3));
    host.reset();
    stop();
    serve({{"snapshot", "before"}, {"user", "reader"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto reader = writer();
    std::vector<std::byte> data(512);
    EXPECT_EQ(reader->transfer(nvme::io_opcode::read, 3, data), sc::success);
    EXPECT_EQ(data[0], std::byte{1}) << "what was written before";
    EXPECT_EQ(reader->transfer(nvme::io_opcode::write, 3, data),
              sc::namespace_write_protected.no_retry());
    reader.reset();
    stop();
}

TEST_F(rbd, refuses_an_image_without_an_exclusive_lock_and_names_the_command) {
    make_image("layering");
    serve();
    ASSERT_TRUE(becomes("refused")) << d.log();
    const std::string command = "rbd feature enable " + spec() + " exclusive-lock";
    EXPECT_NE(device().value("reason", "").find(command), std::string::npos) << device().dump();
    EXPECT_EQ(ceph->rbd({"feature", "enable", spec(), "exclusive-lock"}).exit_code, 0);
    EXPECT_TRUE(becomes("ready")) << d.log();
    stop();
}

TEST_F(rbd, refuses_an_image_that_asks_for_a_cache) {
    make_image();
    ASSERT_EQ(ceph->rbd({"config", "image", "set", spec(), "rbd_cache", "true"}).exit_code, 0);
    serve();
    ASSERT_TRUE(becomes("refused")) << d.log();
    EXPECT_EQ(ceph->rbd({"config", "image", "remove", spec(), "rbd_cache"}).exit_code, 0);
    EXPECT_TRUE(becomes("ready")) << d.log();
    stop();
}

TEST_F(rbd, takes_no_image_from_a_client_that_writes_to_it) {
    make_image();
    e2e::daemon_process first(rbd_config);
    std::string text = rbd_config;
    json config = json::parse(text.replace(text.find("@PORT@"), 6, first.port_text()));
    config["devices"] = json::array({device_of()});
    first.write_config(config.dump());
    first.start();
    ASSERT_TRUE(first.wait_until_serving()) << first.log();
    EXPECT_TRUE(first.says("its lock is ours"));
    serve();
    ASSERT_TRUE(becomes("refused")) << d.log();
    EXPECT_NE(device().value("reason", "").find("is locked by"), std::string::npos);
    const auto foreign =
        ceph->rbd({"bench", "--io-type", "write", "--io-total", "4K", "--io-size", "4K", spec()});
    EXPECT_NE(foreign.exit_code, 0) << "the lock was handed over: " << foreign.output;
    EXPECT_EQ(first.stop(SIGTERM), 0) << first.log();
    EXPECT_TRUE(becomes("ready")) << d.log();
    stop();
}

TEST_F(rbd, notices_that_its_lock_was_broken_and_comes_back_as_another_client) {
    make_image();
    serve(json::object(), {{"on_loss", "hold"}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto host = writer();
    host->start();
    const json locks = json::parse(ceph->rbd({"lock", "list", "--format", "json", spec()}).output);
    ASSERT_EQ(locks.size(), 1u) << locks.dump();
    const auto broken = ceph->rbd({"lock", "remove", spec(), locks[0]["id"].get<std::string>(),
                                   locks[0]["locker"].get<std::string>()});
    EXPECT_EQ(broken.exit_code, 0) << broken.output;
    EXPECT_TRUE(d.says("disk is lost") || d.says("fenced us")) << d.log();
    ASSERT_TRUE(becomes("ready")) << d.log();
    const std::uint64_t before = host->acknowledged();
    EXPECT_TRUE(test::eventually([&] { return host->acknowledged() > before + 10; }));
    host->stop();
    host->look_at_everything();
    EXPECT_EQ(host->history().verdict(), "");
    EXPECT_EQ(host->history().unknowns(), 0u);
    const json now = json::parse(ceph->rbd({"lock", "list", "--format", "json", spec()}).output);
    ASSERT_EQ(now.size(), 1u) << now.dump();
    EXPECT_NE(now[0]["locker"], locks[0]["locker"]);
    host.reset();
    stop();
}

TEST_F(rbd, fences_what_it_was_when_it_was_killed) {
    make_image();
    serve();
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto host = writer();
    ASSERT_TRUE(host->write(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // what it remembers is on disk
    d.stop(SIGKILL);
    const auto began = std::chrono::steady_clock::now();
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    ASSERT_TRUE(becomes("ready")) << d.log();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20))
        << "the watch of a dead client lasts 30 s";
    host = writer();
    ASSERT_TRUE(host->write(1));
    host.reset();
    stop();
}

TEST_F(rbd, tells_whoever_makes_a_device_what_is_in_the_way) {
    serve_nothing();
    const auto make = [&](std::vector<std::string> more) {
        std::vector<std::string> all{"device",    "create",       "more",   "rbd",
                                     "--pool",    "rbd",          "--conf", ceph->conf(),
                                     "--keyring", ceph->keyring()};
        all.insert(all.end(), more.begin(), more.end());
        return tool(all);
    };
    const auto absent = make({"--image", "nothing", "--user", "fulmar"});
    EXPECT_NE(absent.exit_code, 0);
    EXPECT_NE(absent.output.find("there is no rbd/nothing"), std::string::npos) << absent.output;
    make_image();
    const auto reader = make({"--image", image, "--user", "reader"});
    EXPECT_NE(reader.exit_code, 0);
    EXPECT_NE(reader.output.find("profile rbd"), std::string::npos) << reader.output;
    const auto good = make({"--image", image, "--user", "fulmar", "--cpus", "0"});
    EXPECT_EQ(good.exit_code, 0) << good.output;
    stop();
}

TEST_F(rbd, runs_the_commands_of_its_documentation) {
    serve_nothing();
    std::ifstream document(std::string(std::getenv("FULMAR_SOURCE_DIR")) + "/docs/rbd.md");
    std::string line;
    while (std::getline(document, line) && line != "```") {}
    int commands = 0;
    for (; std::getline(document, line) && line != "```"; ++commands) {
        const auto put = [&line](const std::string& what, const std::string& in_place) {
            if (const auto at = line.find(what); at != line.npos)
                line.replace(at, what.size(), in_place);
        };
        put("/etc/ceph/ceph.conf", ceph->conf());
        put("/etc/ceph/ceph.client.fulmar.keyring", ceph->keyring());
        put("NQN", "nqn.2026-11.io.fulmar:e2e");
        if (line.starts_with("rbd ") || line.starts_with("ceph "))
            line.insert(line.find(' '), " -c " + ceph->conf());
        if (line.starts_with("fulmar ")) line += " --admin " + d.folder() + "/admin.sock";
        const auto done = e2e::run(
            {"/bin/sh", "-c",
             "PATH=" + std::string(std::getenv("FULMAR_BIN_DIR")) + ":/usr/bin:/bin; " + line});
        EXPECT_EQ(done.exit_code, 0) << line << "\n" << done.output;
    }
    EXPECT_EQ(commands, 4);
    const auto verified = verify();
    EXPECT_EQ(verified.exit_code, 0) << verified.output << d.log();
    stop();
}

TEST_F(rbd, ends_in_time_while_the_cluster_is_frozen_and_fences_that_later) {
    make_image();
    serve({{"timeout_s", 1}});
    ASSERT_TRUE(becomes("ready")) << d.log();
    auto host = writer();
    ASSERT_TRUE(host->write(1));
    ceph->signal_osd(0, SIGSTOP);
    ceph->signal_osd(1, SIGSTOP);
    EXPECT_FALSE(host->write(1)) << "nobody can have carried it out";
    ASSERT_TRUE(becomes("lost"));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    EXPECT_TRUE(d.says("ending without it"));
    ceph->signal_osd(0, SIGCONT);
    ceph->signal_osd(1, SIGCONT);
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    ASSERT_TRUE(becomes("ready")) << d.log();
    host = writer();
    ASSERT_TRUE(host->write(1));
    ASSERT_TRUE(host->read(1));
    EXPECT_EQ(host->history().verdict(), "");
    host.reset();
    stop();
}

}  // namespace
}  // namespace fulmar::cluster
