// How the configuration file, REST and what runs come together in a real fulmard: what one side has
// made is not undone by the other, nothing becomes smaller by itself, and hosts go on.
#include "daemon.hpp"
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

constexpr std::uintmax_t mib = 1024 * 1024;
const std::string reload_nqn = "nqn.2026-11.io.fulmar:e2e";
const std::string made = "nqn.2026-11.io.fulmar:made-over-rest";
const std::string some_host_nqn = "nqn.2026-11.io.fulmar:some-host";

const std::string one_file = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 1},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "f", "type": "file", "path": "f.img", "size": "16MiB"}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "f"}]}]
})";

struct reload : testing::Test {
    void SetUp() override {
        std::ofstream(image()) << "";
        std::filesystem::resize_file(image(), 16 * mib);
    }
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    void restart_after(int signal, int expected) {
        ASSERT_EQ(d.stop(signal), expected) << d.log();
        start();
    }
    finished tool(std::vector<std::string> words) {
        words.insert(words.begin(), "fulmar");
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(words);
    }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    json get(const std::string& target) { return json::parse(rest().send("GET", target).body); }
    template <typename Condition>
    static bool eventually(Condition&& condition) {
        for (int i = 0; i < 1000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    json file() const {
        std::ifstream in(d.config_path());
        return json::parse(in);
    }
    void edit(const json& config) const { std::ofstream(d.config_path()) << config.dump(2); }
    [[nodiscard]] std::string image() const { return d.folder() + "/f.img"; }
    /// Puts the operator's file there and says so; returns when it has been read.
    void push(const json& config) {
        edit(config);
        const std::size_t before = count(" changes, ");
        ASSERT_EQ(d.stop(SIGHUP, 0), -1);
        ASSERT_TRUE(eventually([&] { return count(" changes, ") > before; })) << d.log();
    }
    [[nodiscard]] std::size_t count(const std::string& text) const {
        const std::string log = d.log();
        std::size_t out = 0;
        for (std::size_t at = 0; (at = log.find(text, at)) != std::string::npos; ++at) ++out;
        return out;
    }
    void expect_kept() {
        EXPECT_EQ(rest().send("GET", "/v1/subsystems/" + made).status, 200) << d.log();
        EXPECT_EQ(get("/v1/subsystems/" + made)["namespaces"].size(), 1u) << d.log();
        EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib) << d.log();
        EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 32 * mib / 512);
    }
    std::unique_ptr<host::controller> connect(const std::string& to) {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = to;
        options.hostnqn = some_host_nqn;
        auto queue = host::controller::connect(options);
        EXPECT_TRUE(queue.has_value()) << queue.error().text();
        return queue ? std::move(*queue) : nullptr;
    }

    daemon_process d{one_file};
};

TEST_F(reload, nothing_becomes_smaller_but_by_a_request_that_says_so) {
    start();
    auto host = connect(reload_nqn);
    ASSERT_NE(host, nullptr);
    ASSERT_EQ(tool({"device", "resize", "f", "32MiB"}).exit_code, 0);
    ASSERT_EQ(std::filesystem::file_size(image()), 32 * mib);

    // Smaller over REST, with a host on it: who would lose by it is named.
    const auto refused = rest().send("PATCH", "/v1/devices/f", R"({"size": "16MiB"})");
    ASSERT_EQ(refused.status, 409) << refused.body;
    const json why = json::parse(refused.body);
    EXPECT_EQ(why["hosts"], json::array({some_host_nqn})) << why.dump(2);
    EXPECT_EQ(why["host_count"], 1);
    EXPECT_EQ(why["namespaces"], json::array({reload_nqn + "/1"}));
    const finished told = tool({"device", "resize", "f", "16MiB"});
    EXPECT_EQ(told.exit_code, 1);
    EXPECT_THAT(told.output,
                testing::AllOf(testing::HasSubstr(some_host_nqn), testing::HasSubstr("--shrink")));
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib);

    // The file is older than the resize. Something else in it is edited.
    json config = file();
    config["subsystems"][0]["hosts"] = {"nqn.2026-11.io.fulmar:another"};
    edit(config);
    ASSERT_EQ(d.stop(SIGHUP, 0), -1);
    ASSERT_TRUE(d.says(" changes, "));
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib) << d.log();
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 32 * mib / 512);
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["hosts"].size(), 1u)
        << "what was edited is in effect";

    // Asked for, it happens.
    const finished shrunk = tool({"device", "resize", "f", "16MiB", "--shrink"});
    EXPECT_EQ(shrunk.exit_code, 0) << shrunk.output;
    EXPECT_EQ(std::filesystem::file_size(image()), 16 * mib);
    host.reset();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// What "look again" found is what is configured from then on.
TEST_F(reload, a_size_that_was_looked_at_survives_kills_and_reloads) {
    start();
    std::filesystem::resize_file(image(), 32 * mib);  // by somebody else
    ASSERT_EQ(tool({"device", "resize", "f", "0"}).exit_code, 0);
    ASSERT_EQ(get("/v1/devices/f")["status"]["block_count"], 32 * mib / 512);
    ASSERT_EQ(d.stop(SIGHUP, 0), -1);  // the file is as it was
    ASSERT_TRUE(d.says("reload: "));
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib) << d.log();
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 32 * mib / 512);
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGKILL, 128 + SIGKILL));
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib) << d.log();
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 32 * mib / 512);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// An object of REST's and a file that knows nothing of it, again and again.
TEST_F(reload, what_rest_made_stays_when_a_file_lacks_it) {
    start();
    const json own = file();
    ASSERT_EQ(tool({"device", "resize", "f", "32MiB"}).exit_code, 0);
    ASSERT_EQ(tool({"device", "create", "r", "ram", "--size", "1MiB"}).exit_code, 0);
    ASSERT_EQ(tool({"subsystem", "create", made, "--any-host"}).exit_code, 0);
    ASSERT_EQ(tool({"namespace", "add", made, "r", "--nsid", "1"}).exit_code, 0);
    auto host = connect(made);
    ASSERT_NE(host, nullptr);

    json pushed = own;
    pushed["subsystems"][0]["hosts"] = {"nqn.2026-11.io.fulmar:first"};
    push(pushed);
    EXPECT_TRUE(host->identify_namespace(1).has_value()) << "the host was not disturbed";
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["hosts"].size(), 1u)
        << "what was edited is in effect";
    EXPECT_TRUE(d.says("subsystem " + made + " is not in the file"));
    expect_kept();
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGKILL, 128 + SIGKILL));
    expect_kept();

    // Folded into the file, which is then overwritten by what the operator has.
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGTERM, 0));
    ASSERT_EQ(file()["subsystems"].size(), 2u) << file().dump(2);
    pushed["subsystems"][0]["hosts"] = {"nqn.2026-11.io.fulmar:second"};
    push(pushed);
    expect_kept();
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGKILL, 128 + SIGKILL));
    expect_kept();
    const json hosts = get("/v1/subsystems/" + reload_nqn)["hosts"];
    EXPECT_EQ(hosts, json::array({"nqn.2026-11.io.fulmar:second"}));

    // Pruned, it goes; not under a host that is connected.
    host = connect(made);
    ASSERT_NE(host, nullptr);
    edit(pushed);
    const finished refused = tool({"config", "reload", "--prune"});
    EXPECT_EQ(refused.exit_code, 1) << refused.output;
    EXPECT_THAT(refused.output,
                testing::AllOf(testing::HasSubstr(some_host_nqn), testing::HasSubstr(made)));
    expect_kept();
    const finished dry = tool({"config", "reload", "--prune", "--dry-run"});
    EXPECT_EQ(dry.exit_code, 0) << dry.output;
    EXPECT_THAT(dry.output, testing::AllOf(testing::HasSubstr("disturbs " + some_host_nqn),
                                           testing::HasSubstr("without --force this is refused")));
    host.reset();
    ASSERT_TRUE(eventually([&] { return get("/v1/connections")["connections"].empty(); }));
    const finished pruned = tool({"config", "reload", "--prune"});
    EXPECT_EQ(pruned.exit_code, 0) << pruned.output;
    EXPECT_EQ(rest().send("GET", "/v1/subsystems/" + made).status, 404);
    EXPECT_EQ(rest().send("GET", "/v1/devices/r").status, 404);
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib) << "pruning makes nothing smaller";
    std::ifstream kept(d.config_path() + ".superseded");
    const std::string superseded{std::istreambuf_iterator<char>(kept), {}};
    EXPECT_THAT(superseded, testing::HasSubstr(made));
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGKILL, 128 + SIGKILL));
    EXPECT_EQ(rest().send("GET", "/v1/subsystems/" + made).status, 404);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(reload, an_unedited_file_undoes_nothing) {
    start();
    ASSERT_EQ(
        rest().send("PATCH", "/v1/subsystems/" + reload_nqn, R"({"allow_any_host":false})").status,
        200);
    ASSERT_EQ(tool({"device", "resize", "f", "32MiB"}).exit_code, 0);
    const finished nothing = tool({"config", "reload", "--force"});
    EXPECT_EQ(nothing.exit_code, 0) << nothing.output;
    EXPECT_THAT(nothing.output, testing::HasSubstr("nothing differs"));
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["allow_any_host"], false);
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(reload, a_conflict_is_refused_whole_until_it_is_forced) {
    start();
    json config = file();
    ASSERT_EQ(tool({"device", "resize", "f", "32MiB"}).exit_code, 0);
    config["devices"][0]["size"] = "64MiB";
    config["subsystems"][0]["hosts"] = {"nqn.2026-11.io.fulmar:beside"};
    edit(config);
    ASSERT_EQ(d.stop(SIGHUP, 0), -1);
    ASSERT_TRUE(d.says("device f, size"));
    const auto refused = rest().send("POST", "/v1/config/reload");
    ASSERT_EQ(refused.status, 409) << refused.body;
    const json why = json::parse(refused.body);
    EXPECT_EQ(why["code"], "reload-conflicts");
    ASSERT_EQ(why["conflicts"].size(), 1u) << why.dump(2);
    EXPECT_EQ(why["conflicts"][0]["object"], "device f");
    EXPECT_EQ(why["conflicts"][0]["field"], "size");
    EXPECT_EQ(why["conflicts"][0]["base"], std::to_string(16 * mib));
    EXPECT_EQ(why["conflicts"][0]["file"], std::to_string(64 * mib));
    EXPECT_EQ(why["conflicts"][0]["configured"], std::to_string(32 * mib));
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["hosts"].size(), 0u)
        << "nothing at all was applied";
    EXPECT_EQ(std::filesystem::file_size(image()), 32 * mib);
    const finished told = tool({"config", "reload"});
    EXPECT_EQ(told.exit_code, 1);
    EXPECT_THAT(told.output, testing::HasSubstr("device f, size"));
    const finished forced = tool({"config", "reload", "--force"});
    EXPECT_EQ(forced.exit_code, 0) << forced.output;
    EXPECT_EQ(std::filesystem::file_size(image()), 64 * mib);
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["hosts"].size(), 1u);
    std::ifstream kept(d.config_path() + ".superseded");
    const std::string superseded{std::istreambuf_iterator<char>(kept), {}};
    EXPECT_THAT(superseded, testing::HasSubstr("32MiB"));
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGKILL, 128 + SIGKILL));
    EXPECT_EQ(std::filesystem::file_size(image()), 64 * mib);
    // Not even force makes it smaller.
    config["devices"][0]["size"] = "16MiB";
    edit(config);
    const finished smaller = tool({"config", "reload", "--force"});
    EXPECT_EQ(smaller.exit_code, 1) << smaller.output;
    EXPECT_THAT(smaller.output, testing::HasSubstr("--shrink"));
    EXPECT_EQ(std::filesystem::file_size(image()), 64 * mib);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(reload, what_must_be_made_anew_is_refused_unless_forced) {
    start();
    auto host = connect(reload_nqn);
    ASSERT_NE(host, nullptr);
    const json before = get("/v1/subsystems/" + reload_nqn);
    json config = file();
    config["subsystems"][0]["serial"] = "OTHER";
    edit(config);
    ASSERT_EQ(d.stop(SIGHUP, 0), -1);
    ASSERT_TRUE(d.says("fixed at creation"));
    EXPECT_TRUE(host->identify_namespace(1).has_value());
    const auto refused = rest().send("POST", "/v1/config/reload");
    ASSERT_EQ(refused.status, 409) << refused.body;
    EXPECT_EQ(json::parse(refused.body)["code"], "would-disturb");
    EXPECT_EQ(json::parse(refused.body)["hosts"], json::array({some_host_nqn}));
    EXPECT_EQ(json::parse(refused.body)["namespaces"], json::array({reload_nqn + "/1"}));
    const json dry = json::parse(rest().send("POST", "/v1/config/reload?dry_run=true").body);
    EXPECT_EQ(dry["needs_force"], true) << dry.dump(2);
    EXPECT_EQ(dry["changes"][0]["disturbs"], json::array({some_host_nqn}));
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["serial"], before["serial"]);
    const finished forced = tool({"config", "reload", "--force"});
    EXPECT_EQ(forced.exit_code, 0) << forced.output;
    const json after = get("/v1/subsystems/" + reload_nqn);
    EXPECT_EQ(after["serial"], "OTHER");
    EXPECT_EQ(after["namespaces"][0]["uuid"], before["namespaces"][0]["uuid"]);
    EXPECT_NE(connect(reload_nqn), nullptr) << "hosts find it with its list and namespaces";
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(reload, what_hosts_use_is_not_deleted_without_force) {
    start();
    auto host = connect(reload_nqn);
    ASSERT_NE(host, nullptr);
    const std::string place = "/v1/subsystems/" + reload_nqn;
    for (const auto& [method, body] : {std::pair<std::string, std::string>{"DELETE", ""},
                                       {"PUT", R"({"allow_any_host": true})"}}) {
        const auto refused = rest().send(method, place, body);
        ASSERT_EQ(refused.status, 409) << method << refused.body;
        const json why = json::parse(refused.body);
        EXPECT_EQ(why["code"], "would-disturb");
        EXPECT_EQ(why["hosts"], json::array({some_host_nqn})) << method;
        EXPECT_EQ(why["host_count"], 1);
        EXPECT_EQ(why["namespaces"], json::array({reload_nqn + "/1"})) << method;
    }
    const finished told = tool({"subsystem", "delete", reload_nqn});
    EXPECT_EQ(told.exit_code, 1);
    EXPECT_THAT(told.output,
                testing::AllOf(testing::HasSubstr(some_host_nqn), testing::HasSubstr("--force")));
    EXPECT_TRUE(host->identify_namespace(1).has_value());
    // A file that lacks it does not do it either.
    json config = file();
    config["subsystems"] = json::array();
    edit(config);
    EXPECT_EQ(tool({"config", "reload"}).exit_code, 1);
    EXPECT_TRUE(host->identify_namespace(1).has_value());
    EXPECT_EQ(tool({"subsystem", "delete", reload_nqn, "--force"}).exit_code, 0);
    EXPECT_EQ(rest().send("GET", place).status, 404);
    EXPECT_EQ(tool({"config", "reload"}).exit_code, 0);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// The same merge when the file was edited while the daemon was down.
TEST_F(reload, a_start_merges_what_was_edited_meanwhile) {
    start();
    json config = file();
    ASSERT_EQ(tool({"device", "create", "r", "ram", "--size", "1MiB"}).exit_code, 0);
    ASSERT_EQ(tool({"device", "resize", "f", "32MiB"}).exit_code, 0);
    ASSERT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    config["subsystems"][0]["hosts"] = {"nqn.2026-11.io.fulmar:meanwhile"};
    edit(config);
    start();
    EXPECT_EQ(rest().send("GET", "/v1/devices/r").status, 200) << d.log();
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 32 * mib / 512);
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["hosts"].size(), 1u);

    // A conflict: what was acknowledged is served, and the file is left as it is.
    ASSERT_EQ(tool({"device", "resize", "f", "48MiB"}).exit_code, 0);
    ASSERT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    config = file();
    config["devices"][0]["size"] = "64MiB";
    edit(config);
    start();
    EXPECT_TRUE(d.says("device f, size"));
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 48 * mib / 512);
    EXPECT_EQ(file(), config);
    ASSERT_EQ(
        rest().send("PATCH", "/v1/subsystems/" + reload_nqn, R"({"allow_any_host":false})").status,
        200);
    ASSERT_NO_FATAL_FAILURE(restart_after(SIGKILL, 128 + SIGKILL));
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["allow_any_host"], false) << "changes go on";
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 48 * mib / 512);
    const finished forced = tool({"config", "reload", "--force"});
    EXPECT_EQ(forced.exit_code, 0) << forced.output;
    EXPECT_EQ(get("/v1/devices/f")["status"]["block_count"], 64 * mib / 512);
    EXPECT_EQ(get("/v1/subsystems/" + reload_nqn)["allow_any_host"], false)
        << "the file has not touched it";
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
