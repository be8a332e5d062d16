// fulmard as an operator meets it: started, used, stopped, killed, started again, and told
// nonsense.
#include "daemon.hpp"

#include "support/http_client.hpp"

#include <fulmar/host/raw_session.hpp>
#include <fulmar/nvme/status.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace fulmar::e2e {
namespace {

using namespace std::string_literals;

const std::string ram_and_file = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": @DATA@},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "ram0", "type": "ram", "size": "64MiB"},
              {"name": "file0", "type": "file", "path": "file0.img", "size": "64MiB",
               "create": true}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "ram0"}, {"nsid": 2, "device": "file0"}]}]
})";

finished verify(const daemon_process& d, const std::string& nsid,
                std::vector<std::string> more = {}) {
    std::vector<std::string> all{"fulmar", "verify", "--port", d.port_text(),
                                 "--nsid", nsid,     "--size", "16MiB"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all, 60);
}

/// With so many data reactors: one, and more than there are CPUs in a small machine.
struct daemon : testing::TestWithParam<int> {
    static std::string config() {
        std::string text = ram_and_file;
        const std::string mark = "@DATA@";
        return text.replace(text.find(mark), mark.size(), std::to_string(GetParam()));
    }
};
INSTANTIATE_TEST_SUITE_P(data_reactors, daemon, testing::Values(1, 3));

/// I/O commands that the daemon has seen, over all reactors.
double commands_seen(const daemon_process& d) {
    auto client = test::http_client::unix_socket(d.folder() + "/admin.sock");
    std::istringstream lines(client.send("GET", "/metrics").body);
    double sum = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("fulmar_io_commands_total{"))
            sum += std::stod(line.substr(line.rfind(' ') + 1));
    return sum;
}

TEST_P(daemon, serves_what_its_file_says_and_stops_when_told) {
    daemon_process d(config());
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const finished found = run({"fulmar", "discover", "--port", d.port_text()});
    EXPECT_EQ(found.exit_code, 0) << found.output;
    EXPECT_NE(found.output.find("nqn.2026-11.io.fulmar:e2e"), std::string::npos) << found.output;
    for (const char* nsid : {"1", "2"}) {
        const finished v = verify(d, nsid);
        EXPECT_EQ(v.exit_code, 0) << v.output;
        const finished digests = verify(d, nsid, {"--header-digest", "--data-digest"});
        EXPECT_EQ(digests.exit_code, 0) << digests.output;
    }
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_P(daemon, stops_in_order_under_load) {
    daemon_process d(config());
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    finished load;
    std::thread host([&] {
        load = run({"fulmar", "perf", "--port", d.port_text(), "--nsid", "2", "--mix", "50",
                    "--connections", "4", "--queue-depth", "16", "--seconds", "20", "--quiet"},
                   60);
    });
    // Under load means: commands come in, now.
    bool loaded = false;
    for (int i = 0; i < 2000 && !loaded; ++i) {
        loaded = commands_seen(d) > 1000;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(loaded) << d.log();
    const double before = commands_seen(d);
    bool goes_on = false;
    for (int i = 0; i < 500 && !goes_on; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        goes_on = commands_seen(d) > before;
    }
    EXPECT_TRUE(goes_on) << "the load has ended already";
    EXPECT_EQ(d.stop(SIGTERM, 15), 0) << d.log();
    host.join();
    EXPECT_TRUE(load.exit_code == 1 || load.exit_code == 3) << load.exit_code << load.output;
    EXPECT_NE(load.output.find("closed"), std::string::npos) << load.output;
}

TEST_P(daemon, killed_and_started_again_it_still_has_what_was_flushed) {
    daemon_process d(config());
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const finished before = verify(d, "2");
    ASSERT_EQ(before.exit_code, 0) << before.output;
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const finished after = verify(d, "2", {"--read-only-check"});
    EXPECT_EQ(after.exit_code, 0) << after.output;
    EXPECT_EQ(d.stop(SIGINT), 0) << d.log();
}

TEST_P(daemon, a_second_one_cannot_have_the_port_or_the_file) {
    daemon_process first(config());
    first.start();
    ASSERT_TRUE(first.wait_until_serving()) << first.log();
    daemon_process second(R"({
      "admin": {"unix_socket": "admin.sock"},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": )"s +
                          first.port_text() + R"(},
                    {"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
      "devices": [{"name": "file0", "type": "file", "path": ")" +
                          first.folder() + R"(/file0.img"}],
      "subsystems": []})");
    second.start();
    ASSERT_TRUE(second.wait_until_serving()) << second.log();
    EXPECT_EQ(second.stop(SIGTERM), 0) << second.log();
    EXPECT_NE(second.log().find("another program has the port"), std::string::npos) << second.log();
    EXPECT_NE(second.log().find("file0.img"), std::string::npos) << second.log();
    const finished still = verify(first, "2");
    EXPECT_EQ(still.exit_code, 0) << still.output;
}

TEST(command_line, a_wrong_file_is_explained_and_nothing_is_served) {
    daemon_process d(
        R"({"listeners": [{"transport": "tcp", "address": "localhost", "port": @PORT@}],
            "devises": []})");
    const finished checked = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(checked.exit_code, 1);
    EXPECT_NE(checked.output.find("/devises"), std::string::npos) << checked.output;
    EXPECT_NE(checked.output.find("/listeners/0/address"), std::string::npos) << checked.output;
    const finished started = run({"fulmard", "--config", d.config_path()});
    EXPECT_EQ(started.exit_code, 1);
    EXPECT_EQ(started.output, checked.output);
}

TEST(command_line, what_this_machine_lacks_is_found_before_a_start) {
    daemon_process d(R"({
      "admin": {"unix_socket": "admin.sock",
                "tcp": {"token_file": "token"}},
      "cores": {"data": 2, "cpus": [0,
                4000]},
      "state_dir": "state",
      "devices": [{"name": "f", "type": "file",
                   "path": "disks/f.img"}]})");
    const finished checked = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(checked.exit_code, 1);
    for (const char* found :
         {"fulmard.json:3: /admin/tcp/token_file: ", "/token: cannot open the token file",
          "fulmard.json:5: /cores/cpus/1: there is no CPU 4000",
          "fulmard.json:6: /state_dir: there is no folder ",
          "fulmard.json:8: /devices/0/path: there is no folder "})
        EXPECT_NE(checked.output.find(found), std::string::npos) << found << checked.output;
    EXPECT_EQ(checked.output.find("good"), std::string::npos) << checked.output;

    std::ofstream(d.folder() + "/token") << "0123456789abcdef\n";
    std::filesystem::create_directory(d.folder() + "/state");
    d.write_config(R"({"admin": {"unix_socket": "admin.sock", "tcp": {"token_file": "token"}},
        "cores": {"data": 1, "cpus": [0]}, "state_dir": "state"})");
    const finished open = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(open.exit_code, 1) << "everybody can read the token";
    EXPECT_NE(open.output.find("chmod 600"), std::string::npos) << open.output;
    std::filesystem::permissions(d.folder() + "/token", std::filesystem::perms::owner_read);
    const finished good = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(good.exit_code, 0) << good.output;
    EXPECT_EQ(good.output.find("warning"), std::string::npos) << good.output;
}

TEST(broken_objects, a_broken_object_keeps_nothing_else_from_being_served) {
    daemon_process d(R"({
      "admin": {"unix_socket": "admin.sock"},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@},
                    {"transport": "tcp", "address": "localhost"}],
      "devices": [{"name": "ram0", "type": "ram", "size": "8MiB"},
                  {"name": "odd", "type": "ram", "size": 4097}],
      "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true, "namespaces":
                        [{"nsid": 1, "device": "ram0"}, {"nsid": 2, "device": "odd"}]},
                     {"nqn": "nqn.2026-11.io.fulmar:closed", "allow_any_host": true,
                      "hosts": ["bad\u0001host"]}]})");
    const finished checked = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(checked.exit_code, 1);
    for (const char* where : {"/listeners/1/address", "/devices/1/size", "/subsystems/1/hosts/0"})
        EXPECT_NE(checked.output.find(where), std::string::npos) << checked.output;
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    for (const char* where : {"/listeners/1/address", "/devices/1/size", "/subsystems/1/hosts/0"})
        EXPECT_TRUE(d.says(where));
    const std::string socket = d.folder() + "/admin.sock";
    const finished status = run({"fulmar", "status", "--admin", socket});
    EXPECT_NE(status.output.find("broken: device \"odd\""), std::string::npos) << status.output;
    const finished reload = run({"fulmar", "config", "reload", "--admin", socket});
    EXPECT_NE(reload.exit_code, 0) << "a reload is refused whole: " << reload.output;
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// A Linux host that meets "do not retry" stays away for good, long after the list was mended.
TEST(broken_objects, hosts_of_a_subsystem_with_a_broken_list_may_come_back) {
    const auto config = [](const char* hosts) {
        return std::string(R"({
          "admin": {"unix_socket": "admin.sock"},
          "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
          "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "hosts": [)") +
               hosts + "]}]}";
    };
    daemon_process d(config(R"("nqn.2014-08.org:friend", "bad\u0001host")"));
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const auto answer = [&d](const char* host_nqn) {
        auto to = host::raw_session::open({.address = "127.0.0.1", .port = d.port()});
        if (!to) return nvme::status(nvme::sc::internal_error);
        const auto got = to->connect_queue({.subnqn = "nqn.2026-11.io.fulmar:e2e",
                                            .hostnqn = host_nqn,
                                            .hostid = nvme::derive_uuid(host_nqn, 0)});
        return got ? got->status() : nvme::status(nvme::sc::internal_error);
    };
    for (const char* host_nqn : {"nqn.2014-08.org:friend", "nqn.2014-08.org:stranger"}) {
        EXPECT_EQ(answer(host_nqn), nvme::sc::connect_invalid_host) << "and may try again";
    }
    EXPECT_TRUE(d.says("list of hosts is broken"));
    // Mended, the list says it all again.
    d.write_config(config(R"("nqn.2014-08.org:friend")"));
    const finished reload =
        run({"fulmar", "config", "reload", "--admin", d.folder() + "/admin.sock"});
    EXPECT_EQ(reload.exit_code, 0) << reload.output;
    EXPECT_EQ(answer("nqn.2014-08.org:friend"), nvme::sc::success);
    EXPECT_EQ(answer("nqn.2014-08.org:stranger"), nvme::sc::connect_invalid_host.no_retry());
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST(command_line, a_damaged_journal_is_explained_and_what_is_whole_is_kept) {
    daemon_process d(R"({"admin": {"unix_socket": "admin.sock"},
        "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}]})");
    const std::string journal = d.config_path() + ".journal";
    EXPECT_EQ(run({"fulmard", "--check-journal", d.config_path()}).exit_code, 0) << "there is none";
    std::ofstream(journal) << "this is no line of a journal\n";
    for (const std::string& file : {d.config_path(), journal}) {
        const finished checked = run({"fulmard", "--check-journal", file});
        EXPECT_EQ(checked.exit_code, 1);
        EXPECT_NE(checked.output.find("this is no line"), std::string::npos) << checked.output;
    }
    const finished refused = run({"fulmard", "--config", d.config_path()});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.output.find("--recover"), std::string::npos) << refused.output;
    const finished recovered = run({"fulmard", "--recover", "--config", d.config_path()});
    EXPECT_EQ(recovered.exit_code, 0) << recovered.output;
    EXPECT_NE(recovered.output.find(".damaged.1"), std::string::npos) << recovered.output;
    EXPECT_TRUE(std::filesystem::exists(journal + ".damaged.1"));
    EXPECT_EQ(run({"fulmard", "--check-journal", d.config_path()}).exit_code, 0);
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST(command_line, its_command_line_teaches) {
    EXPECT_EQ(run({"fulmard"}).exit_code, 2);
    EXPECT_EQ(run({"fulmard", "--nonsense"}).exit_code, 2);
    const finished help = run({"fulmard", "--help"});
    EXPECT_EQ(help.exit_code, 0);
    for (const char* word :
         {"--config", "--check-config", "--check-journal", "--recover", "HUP", "Exit codes"})
        EXPECT_NE(help.output.find(word), std::string::npos) << help.output;
    EXPECT_NE(run({"fulmard", "--version"}).output.find("fulmard "), std::string::npos);
}

}  // namespace
}  // namespace fulmar::e2e
