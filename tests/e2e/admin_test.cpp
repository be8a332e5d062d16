// The administration of a real fulmard: by the tool and by REST, through kills, reloads and bad
// files.
#include "daemon.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <fulmar/host/controller.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace fulmar::e2e {
namespace {

using nlohmann::json;

const std::string one_ram = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": @DATA@},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "ram0"}]}]
})";
const std::string nqn = "nqn.2026-11.io.fulmar:e2e";

struct administration : testing::TestWithParam<int> {
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    /// The tool; the words after the group and the verb are what the test is about.
    finished tool(std::vector<std::string> words) {
        words.insert(words.begin(), "fulmar");
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(words);
    }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    /// Waits until `condition` holds of GET `target`.
    template <typename Condition>
    bool eventually(const std::string& target, Condition&& condition) {
        return test::eventually([&] {
            const auto answer = rest().send("GET", target);
            return answer.status == 200 && condition(json::parse(answer.body));
        });
    }
    /// `config` with the number of data reactors in it.
    static std::string with_reactors(std::string config) {
        const std::string mark = "@DATA@";
        return config.replace(config.find(mark), mark.size(), std::to_string(GetParam()));
    }
    daemon_process d{with_reactors(one_ram)};
};
INSTANTIATE_TEST_SUITE_P(data_reactors, administration, testing::Values(1, 3));

TEST_P(administration, by_the_tool_from_a_device_to_a_verified_namespace) {
    start();
    const finished status = tool({"status"});
    EXPECT_EQ(status.exit_code, 0) << status.output;
    EXPECT_THAT(status.output, testing::HasSubstr("survive a restart"));
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"device", "create", "ram1", "ram", "--size", "16MiB"},
             {"subsystem", "create", "nqn.2026-11.io.fulmar:new", "--any-host"},
             {"namespace", "add", "nqn.2026-11.io.fulmar:new", "ram1", "--nsid", "7"}}) {
        const finished done = tool(words);
        EXPECT_EQ(done.exit_code, 0) << words[0] << " " << words[1] << ": " << done.output;
    }
    const finished verified = run({"fulmar", "verify", "--port", d.port_text(), "--nqn",
                                   "nqn.2026-11.io.fulmar:new", "--nsid", "7", "--size", "8MiB"});
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    const finished list = tool({"namespace", "list", "nqn.2026-11.io.fulmar:new"});
    EXPECT_THAT(list.output, testing::HasSubstr("ram1"));
    EXPECT_EQ(tool({"subsystem", "pause", "nqn.2026-11.io.fulmar:new"}).exit_code, 0);
    EXPECT_THAT(tool({"subsystem", "list"}).output, testing::HasSubstr("paused"));
    EXPECT_EQ(tool({"subsystem", "resume", "nqn.2026-11.io.fulmar:new"}).exit_code, 0);
    const finished used = tool({"device", "delete", "ram1"});
    EXPECT_EQ(used.exit_code, 1) << used.output;
    EXPECT_EQ(tool({"namespace", "remove", "nqn.2026-11.io.fulmar:new", "7"}).exit_code, 0);
    EXPECT_EQ(tool({"subsystem", "delete", "nqn.2026-11.io.fulmar:new"}).exit_code, 0);
    EXPECT_EQ(tool({"device", "delete", "ram1"}).exit_code, 0);
    EXPECT_EQ(tool({"referral", "add", "192.0.2.7"}).exit_code, 0);
    EXPECT_THAT(tool({"referral", "list"}).output, testing::HasSubstr("tcp:192.0.2.7:8009"));
    const finished log = run({"fulmar", "discover", "--port", d.port_text()});
    EXPECT_THAT(log.output, testing::HasSubstr("192.0.2.7:8009")) << "hosts are told";
    EXPECT_EQ(tool({"referral", "remove", "tcp:192.0.2.7:8009"}).exit_code, 0);
    EXPECT_THAT(tool({"referral", "list"}).output, testing::HasSubstr("no referrals"));
    const finished discovery = run({"fulmar", "identify", "--port", d.port_text(), "--nqn",
                                    "nqn.2014-08.org.nvmexpress.discovery"});
    EXPECT_EQ(discovery.exit_code, 0) << discovery.output;
    EXPECT_THAT(discovery.output, testing::HasSubstr("discovery"));
    const finished misspelt = tool({"listener", "add", "localhost"});
    EXPECT_THAT(misspelt.output, testing::Not(testing::ContainsRegex("/address.*/address")));
    EXPECT_EQ(tool({"subsystem", "delete", "nqn.2026-11.io.fulmar:new"}).exit_code, 1);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_P(administration, descriptions_are_set_by_the_tool_and_survive_a_kill) {
    start();
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"device", "create", "r", "ram", "--size", "1MiB", "--description", "old disk"},
             {"device", "set", "r", "--description", "left disk"},
             {"subsystem", "create", "nqn.2026-11.io.fulmar:new", "--description", "for the south"},
             {"namespace", "add", "nqn.2026-11.io.fulmar:new", "r", "--description", "database"},
             {"namespace", "set", nqn, "1", "--description", "from the file"}}) {
        const finished done = tool(words);
        EXPECT_EQ(done.exit_code, 0) << words[0] << " " << words[1] << ": " << done.output;
    }
    EXPECT_NE(tool({"device", "set", "r", "--description", std::string(257, 'x')}).exit_code, 0);
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    start();
    EXPECT_THAT(tool({"device", "list"}).output, testing::HasSubstr("left disk"));
    EXPECT_THAT(tool({"subsystem", "show", "nqn.2026-11.io.fulmar:new"}).output,
                testing::HasSubstr("for the south"));
    EXPECT_THAT(tool({"namespace", "list", "nqn.2026-11.io.fulmar:new"}).output,
                testing::HasSubstr("database"));
    EXPECT_THAT(tool({"namespace", "list", nqn}).output, testing::HasSubstr("from the file"));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_P(administration, without_a_daemon_the_tool_says_so) {
    const finished status = tool({"status"});
    EXPECT_EQ(status.exit_code, 3) << status.output;
    EXPECT_THAT(status.output, testing::HasSubstr("is fulmard running?"));
}

TEST_P(administration, an_answered_change_survives_a_kill) {
    start();
    auto client = rest();
    const std::string place = "/v1/subsystems/nqn.2026-11.io.fulmar:kept";
    ASSERT_EQ(
        client.send("POST", "/v1/devices", R"({"name":"r","type":"ram","size":"1MiB"})").status,
        201);
    const auto made = client.send("PUT", place, R"({"namespaces":[{"nsid":3,"device":"r"}]})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string uuid = json::parse(made.body)["namespaces"][0]["uuid"];
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    EXPECT_TRUE(std::filesystem::exists(d.config_path() + ".journal"));
    start();
    const auto after = rest().send("GET", place);
    ASSERT_EQ(after.status, 200) << after.body << d.log();
    EXPECT_EQ(json::parse(after.body)["namespaces"][0]["nsid"], 3);
    EXPECT_EQ(json::parse(after.body)["namespaces"][0]["uuid"], uuid);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    EXPECT_FALSE(std::filesystem::exists(d.config_path() + ".journal"));
    const finished check = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(check.exit_code, 0) << check.output;
}

TEST_P(administration, what_happened_is_in_the_flight_recorder_and_in_the_dump_of_a_crash) {
    start();
    ASSERT_EQ(rest().send("POST", "/v1/subsystems/" + nqn + "/pause").status, 200);
    ASSERT_EQ(rest().send("POST", "/v1/subsystems/" + nqn + "/resume").status, 200);
    const json report = json::parse(rest().send("GET", "/v1/recorder").body);
    std::vector<std::string> states;
    for (const json& entry : report["entries"])
        if (entry["what"] == "subsystem-state" && entry["subsystem"]["slot"] == 1)
            states.push_back(entry["detail"]);
    EXPECT_THAT(states, testing::ElementsAre("activating", "active", "pausing", "paused",
                                             "resuming", "active"));
    const auto timeline = rest().send("GET", "/v1/recorder/timeline");
    EXPECT_EQ(timeline.status, 200);
    EXPECT_THAT(timeline.body, testing::HasSubstr("subsystem-state subsystem 1.1 paused"));
    EXPECT_EQ(d.stop(SIGSEGV), 128 + SIGSEGV);
    EXPECT_TRUE(d.says("flight recorder"));
    EXPECT_TRUE(d.says("subsystem-state subsystem 1.1 resuming"));
}

TEST_P(administration, a_callers_mistake_is_not_the_subsystems_last_error) {
    start();
    const std::string place = "/v1/subsystems/" + nqn;
    EXPECT_EQ(rest().send("POST", place + "/namespaces", R"({"nsid":1,"device":"ram0"})").status,
              409);
    EXPECT_EQ(rest().send("POST", place + "/namespaces", R"({"nsid":2,"device":"ram0"})").status,
              409);
    const json status = json::parse(rest().send("GET", place).body)["status"];
    EXPECT_FALSE(status.contains("last_error")) << status.dump();
}

// A disk that is mounted late costs nothing but the time until it is there.
TEST_P(administration, what_is_missing_at_start_stays_configured) {
    const std::string image = d.folder() + "/late/disk.img";
    d.write_config(with_reactors(R"({
      "admin": {"unix_socket": "admin.sock"},
      "cores": {"data": @DATA@},
      "state_dir": "state",
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
      "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"},
                  {"name": "late", "type": "file", "path": "late/disk.img"}],
      "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                      "namespaces": [{"nsid": 1, "device": "ram0"}, {"nsid": 2, "device": "late"}]}]
    })"));
    start();
    const json health = json::parse(rest().send("GET", "/v1/health").body);
    EXPECT_EQ(health["status"], "degraded");
    EXPECT_EQ(health["missing"].size(), 0u) << health.dump(2);
    ASSERT_EQ(health["devices_degraded"].size(), 1u) << health.dump(2);
    EXPECT_EQ(health["devices_degraded"][0]["state"], "missing");
    EXPECT_EQ(health["namespaces"], 2) << "hosts would delete their disk";
    EXPECT_EQ(health["durable"]["possible"], false);
    const finished status = tool({"status"});
    EXPECT_EQ(status.exit_code, 1) << status.output;
    EXPECT_THAT(status.output, testing::AllOf(testing::HasSubstr("degraded"),
                                              testing::HasSubstr("device late is missing")));
    EXPECT_THAT(status.output, testing::HasSubstr("disk.img"));
    EXPECT_THAT(rest().send("GET", "/metrics").body,
                testing::HasSubstr("fulmar_device_ready{device=\"late\",state=\"missing\"} 0"));
    // The journal's folder appears: a snapshot of everything is its beginning.
    std::filesystem::create_directory(d.folder() + "/state");
    ASSERT_TRUE(eventually("/v1/health", [](const json& now) {
        return now["durable"]["possible"] == true;
    })) << d.log();
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    start();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    {
        std::ifstream in(d.config_path());
        const json config = json::parse(in);
        EXPECT_EQ(config["devices"].size(), 2u) << config.dump(2);
        EXPECT_EQ(config["subsystems"][0]["namespaces"].size(), 2u) << config.dump(2);
    }
    // And when it is there, it is served, without anybody's doing.
    start();
    ASSERT_EQ(
        rest().send("POST", "/v1/devices", R"({"name":"r","type":"ram","size":"1MiB"})").status,
        201);
    std::filesystem::create_directory(d.folder() + "/late");
    std::ofstream(image) << "x";
    std::filesystem::resize_file(image, 1024 * 1024);
    ASSERT_TRUE(eventually("/v1/health", [](const json& now) { return now["status"] == "ok"; }))
        << d.log();
    EXPECT_EQ(tool({"status"}).exit_code, 0);
    const json after = json::parse(rest().send("GET", "/v1/health").body);
    EXPECT_EQ(after["status"], "ok") << after.dump(2);
    EXPECT_EQ(after["namespaces"], 2) << after.dump(2);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// What failed at start is configured still: it can be taken out of the configuration, or tried
// again.
TEST_P(administration, what_failed_at_start_can_be_deleted_and_tried_again) {
    daemon_process other(with_reactors(one_ram));
    other.start();
    ASSERT_TRUE(other.wait_until_serving()) << other.log();
    const std::string taken = "tcp:127.0.0.1:" + other.port_text();
    json config = json::parse(with_reactors(R"({
      "admin": {"unix_socket": "admin.sock"},
      "cores": {"data": @DATA@},
      "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": 1}],
      "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"},
                  {"name": "late", "type": "ram", "size": "512TiB"},
                  {"name": "never", "type": "ram", "size": "512TiB"}],
      "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                      "namespaces": [{"nsid": 1, "device": "ram0"}, {"nsid": 2, "device": "late"},
                                     {"nsid": 3, "device": "never"}]}]})"));
    config["listeners"] =
        json::array({{{"transport", "tcp"}, {"address", "127.0.0.1"}, {"port", d.port()}},
                     {{"transport", "tcp"}, {"address", "127.0.0.1"}, {"port", other.port()}}});
    d.write_config(config.dump());
    start();
    const auto missing = [&] {
        std::vector<std::string> all;
        const json health = json::parse(rest().send("GET", "/v1/health").body);
        for (const json& one : health["missing"])
            all.push_back(one["what"].get<std::string>() + " " + one["name"].get<std::string>());
        return all;
    };
    const std::string late_namespace = "namespace " + nqn;
    EXPECT_THAT(missing(), testing::UnorderedElementsAre("device late", "device never",
                                                         late_namespace, late_namespace));
    const json waiting = json::parse(rest().send("GET", "/v1/health").body)["waiting_listeners"];
    ASSERT_EQ(waiting.size(), 1u) << waiting.dump(2);
    EXPECT_EQ(waiting[0]["name"], taken);
    // Deleted: a listener, a namespace and the device under it; and each of them once.
    for (const std::string& target :
         {"/v1/listeners/" + taken, "/v1/subsystems/" + nqn + "/namespaces/3",
          std::string("/v1/devices/never")}) {
        const auto gone = rest().send("DELETE", target);
        EXPECT_EQ(gone.status, 204) << target << gone.body;
        EXPECT_EQ(rest().send("DELETE", target).status, 404) << target;
    }
    EXPECT_THAT(missing(), testing::UnorderedElementsAre("device late", late_namespace));
    const auto absent = rest().send("POST", "/v1/devices/late/reopen");
    EXPECT_EQ(absent.status, 404);
    EXPECT_THAT(absent.body, testing::HasSubstr("reload the configuration: that tries again"));
    // Tried again while it cannot be, and when it can.
    const auto refused =
        rest().send("POST", "/v1/devices", R"({"name": "late", "type": "ram", "size": "512TiB"})");
    EXPECT_EQ(refused.status, 507) << refused.body;
    const auto made =
        rest().send("POST", "/v1/devices", R"({"name": "late", "type": "ram", "size": "1MiB"})");
    EXPECT_EQ(made.status, 201) << made.body;
    const auto added = rest().send("POST", "/v1/subsystems/" + nqn + "/namespaces",
                                   R"({"nsid": 2, "device": "late"})");
    EXPECT_EQ(added.status, 201) << added.body;
    EXPECT_THAT(missing(), testing::IsEmpty());
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    start();
    const json health = json::parse(rest().send("GET", "/v1/health").body);
    EXPECT_EQ(health["status"], "ok") << health.dump(2);
    EXPECT_EQ(health["namespaces"], 2);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    EXPECT_EQ(other.stop(SIGTERM), 0) << other.log();
}

TEST_P(administration, a_connection_that_an_operator_ends_is_gone) {
    start();
    // A host that stays: it verifies for as long as it takes.
    finished load;
    std::thread host([&] {
        load = run({"fulmar", "perf", "--port", d.port_text(), "--seconds", "30", "--quiet"}, 60);
    });
    std::string id;
    EXPECT_TRUE(eventually("/v1/connections", [&](const json& now) {
        std::size_t queues = 0;  // of this host; not what it asked discovery with
        for (const json& one : now["connections"]) {
            if (one["subsystem"] != nqn) continue;
            ++queues;
            if (one["qid"] == 0) id = std::to_string(one["id"].get<std::uint64_t>());
        }
        return queues == 2;
    })) << d.log();
    const finished ended = tool({"connection", "end", id});
    EXPECT_EQ(ended.exit_code, 0) << ended.output;
    EXPECT_TRUE(
        eventually("/v1/connections", [](const json& now) { return now["connections"].empty(); }));
    host.join();
    EXPECT_NE(load.exit_code, 0) << load.output;
    const finished again = tool({"connection", "end", id});
    EXPECT_EQ(again.exit_code, 1) << again.output;
    EXPECT_THAT(again.output, testing::HasSubstr("there is no connection " + id));
    EXPECT_EQ(run({"fulmar", "verify", "--port", d.port_text(), "--size", "1MiB"}).exit_code, 0);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// What a refused Connect means and what helps, by the tool.
TEST_P(administration, a_refused_host_is_told_why_and_what_to_do) {
    start();
    ASSERT_EQ(rest().send("PATCH", "/v1/subsystems/" + nqn, R"({"allow_any_host": false})").status,
              200);
    const auto check = [&](const std::string& to, std::vector<std::string> more = {}) {
        std::vector<std::string> words{"fulmar",      "connect-check", "--port",
                                       d.port_text(), "--nqn",         to};
        words.insert(words.end(), more.begin(), more.end());
        return run(words);
    };
    const finished stranger = check(nqn, {"--host-nqn", "nqn.2026-11.io.fulmar:stranger"});
    EXPECT_EQ(stranger.exit_code, 1) << stranger.output;
    EXPECT_THAT(stranger.output,
                testing::AllOf(testing::HasSubstr("does not allow this host NQN"),
                               testing::HasSubstr("nqn.2026-11.io.fulmar:stranger"),
                               testing::HasSubstr("added to the subsystem's hosts")));
    const finished unknown = check("nqn.2026-11.io.fulmar:none");
    EXPECT_EQ(unknown.exit_code, 1) << unknown.output;
    EXPECT_THAT(unknown.output, testing::AllOf(testing::HasSubstr("there is no such subsystem"),
                                               testing::HasSubstr("fulmar discover")));
    // Every controller id is taken: the host that holds the only one is a connection of this test.
    ASSERT_EQ(rest()
                  .send("PUT", "/v1/subsystems/nqn.2026-11.io.fulmar:narrow",
                        R"({"allow_any_host": true, "min_cntlid": 1, "max_cntlid": 1})")
                  .status,
              201);
    host::controller_options holder;
    holder.target = {.address = "127.0.0.1", .port = d.port()};
    holder.subnqn = "nqn.2026-11.io.fulmar:narrow";
    const auto held = host::controller::connect(holder);
    ASSERT_TRUE(held.has_value()) << held.error().text();
    const finished full = check("nqn.2026-11.io.fulmar:narrow");
    EXPECT_EQ(full.exit_code, 1) << full.output;
    EXPECT_THAT(full.output, testing::AllOf(testing::HasSubstr("no controller left to give"),
                                            testing::HasSubstr("try again")));
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_P(administration, hangup_applies_what_was_edited) {
    start();
    std::string text;
    {
        std::ifstream in(d.config_path());
        text.assign(std::istreambuf_iterator<char>(in), {});
    }
    json config = json::parse(text);
    config["devices"].push_back({{"name", "ram1"}, {"type", "ram"}, {"size", "1MiB"}});
    config["subsystems"][0]["namespaces"].push_back({{"nsid", 2}, {"device", "ram1"}});
    std::ofstream(d.config_path()) << config.dump(2);
    EXPECT_EQ(d.stop(SIGHUP, 0), -1);
    EXPECT_TRUE(eventually("/v1/subsystems/" + nqn, [](const json& now) {
        return now["namespaces"].size() == 2;
    })) << d.log();
    std::ofstream(d.config_path()) << "{ this is no configuration";
    EXPECT_EQ(d.stop(SIGHUP, 0), -1);
    const auto refused = rest().send("POST", "/v1/config/reload?dry_run=true");
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_EQ(json::parse(rest().send("GET", "/v1/subsystems/" + nqn).body)["namespaces"].size(),
              2u);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    std::ifstream in(d.config_path());
    text.assign(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(text, "{ this is no configuration") << "a hand-edited file is never overwritten";
}

// The drive of this device is not there: what an operator wants of it holds nevertheless.
TEST_P(administration, a_detached_drive_stays_detached_over_a_kill) {
    start();
    const std::string address = "0000:ff:1f.7";
    const auto device = [&] { return json::parse(rest().send("GET", "/v1/devices/d").body); };
    EXPECT_EQ(rest().send("GET", "/v1/drives/" + address).status, 404);
    ASSERT_EQ(tool({"device", "create", "d", "pcie", "--address", address}).exit_code, 0);
    const finished detached = tool({"drive", "detach", address});
    ASSERT_EQ(detached.exit_code, 0) << detached.output;
    EXPECT_TRUE(device()["detached"]);
    EXPECT_EQ(rest().send("POST", "/v1/devices/d/reopen").status, 409);
    EXPECT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_TRUE(device()["detached"]);
    const finished shown = tool({"drive", "show", address});
    EXPECT_THAT(shown.output, testing::AllOf(testing::HasSubstr("absent"),
                                             testing::HasSubstr("attach takes it again")));
    ASSERT_EQ(tool({"drive", "drain", address}).exit_code, 0) << "nothing is there to drain";
    ASSERT_EQ(tool({"drive", "attach", address}).exit_code, 0);
    EXPECT_FALSE(device()["detached"]);
    EXPECT_THAT(tool({"drive", "events"}).output,
                testing::AllOf(testing::HasSubstr("detached"), testing::HasSubstr("attached")));
    const finished dark = tool({"drive", "show", "no-such-serial"});
    EXPECT_EQ(dark.exit_code, 1);
    EXPECT_THAT(dark.output, testing::HasSubstr("GET /v1/drives"));
    EXPECT_EQ(
        rest().send("POST", "/v1/drives/" + address + "/locate", R"({"indicator":"on"})").status,
        501);
    EXPECT_EQ(rest().send("POST", "/v1/drives/" + address + "/bind").status, 404);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_P(administration, counters_move_with_the_load) {
    start();
    ASSERT_EQ(run({"fulmar", "verify", "--port", d.port_text(), "--size", "1MiB"}).exit_code, 0);
    const auto metrics = rest().send("GET", "/metrics");
    EXPECT_EQ(metrics.status, 200);
    // Whichever reactor has the connection, one has; and all of them are there.
    EXPECT_THAT(metrics.body,
                testing::ContainsRegex("fulmar_io_commands_total\\{reactor=\"[0-9]\"\\} [1-9]"));
    EXPECT_THAT(metrics.body, testing::HasSubstr("fulmar_io_commands_total{reactor=\"" +
                                                 std::to_string(GetParam() - 1) + "\"}"));
    EXPECT_THAT(metrics.body, testing::HasSubstr("fulmar_journal_durable 1"));
}

}  // namespace
}  // namespace fulmar::e2e
