// What peers without any rights try, against a real fulmard: nobody is kept out, and nothing that
// they had is kept when they have gone.
#include "daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/base/sanitizer.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/host/raw_session.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::e2e {
namespace {

using ::testing::HasSubstr;

std::string config_with(const std::string& admin_tcp, const std::string& more = "") {
    return fmt::format(R"({{
  "admin": {{"unix_socket": "admin.sock"{}}},
  "listeners": [{{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}}],
  "devices": [{{"name": "ram0", "type": "ram", "size": "16MiB"}}],
  "subsystems": [{{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                  "namespaces": [{{"nsid": 1, "device": "ram0"}}]}}]{}
}})",
                       admin_tcp, more);
}

struct hostile : ::testing::Test {
    void start(const std::string& config) {
        d = std::make_unique<daemon_process>(config);
        std::ofstream token(d->folder() + "/token");
        token << "0123456789abcdef0123456789abcdef\n";
        token.close();
        std::filesystem::permissions(d->folder() + "/token", std::filesystem::perms(0600));
        d->start();
        ASSERT_TRUE(d->wait_until_serving()) << d->log();
    }
    std::string socket() const { return d->folder() + "/admin.sock"; }
    test::http_client rest() const { return test::http_client::unix_socket(socket()); }
    std::uint64_t resident() const {
        std::ifstream in(fmt::format("/proc/{}/status", d->pid()));
        for (std::string line; std::getline(in, line);)
            if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
        return 0;
    }
    std::size_t connections() const {
        std::size_t all = 0;
        const auto shown = nlohmann::json::parse(rest().send("GET", "/v1/listeners").body);
        for (const auto& one : shown["listeners"])
            all += one["status"]["connections"].get<std::size_t>();
        return all;
    }
    template <typename Condition>
    static bool eventually(Condition&& condition) {
        for (int i = 0; i < 600; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        return false;
    }
    std::unique_ptr<daemon_process> d;
};

TEST_F(hostile, silent_tcp_connections_to_the_administration_do_not_lock_the_unix_socket) {
    const std::uint16_t port = free_port();
    start(config_with(fmt::format(
        R"(, "tcp": {{"address": "127.0.0.1", "port": {}, "token_file": "token"}})", port)));
    std::vector<test::http_client> held;
    for (int i = 0; i < 300; ++i) held.push_back(test::http_client::tcp("127.0.0.1", port));
    EXPECT_EQ(rest().send("GET", "/v1/health").status, 200);
    EXPECT_EQ(run({"fulmar", "status", "--admin", socket()}).exit_code, 0);
    auto operators = test::http_client::tcp("127.0.0.1", port);
    const test::http_client::headers bearer{
        {"Authorization", "Bearer 0123456789abcdef0123456789abcdef"}};
    EXPECT_EQ(operators.send("GET", "/v1/subsystems", {}, bearer).status, 200)
        << "an operator gets in over TCP as well";
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
}

TEST_F(hostile, silent_connections_to_the_unix_socket_keep_nobody_out) {
    start(config_with(""));
    std::vector<test::http_client> held;
    for (int i = 0; i < 300; ++i) held.push_back(rest());
    EXPECT_EQ(rest().send("GET", "/v1/subsystems").status, 200);
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
}

TEST_F(hostile, an_administration_that_is_full_says_so) {
    start(config_with(""));
    std::vector<test::http_client> held;
    for (int i = 0; i < 256; ++i) {
        held.push_back(rest());
        ASSERT_EQ(held.back().send("GET", "/v1/subsystems").status, 200) << i;
    }
    auto late = rest();
    const test::http_answer answer = late.send("GET", "/v1/subsystems");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.headers.count("retry-after"), 1u);
    EXPECT_THAT(answer.body, HasSubstr("too many connections"));
    held.pop_back();
    EXPECT_TRUE(eventually([&] { return rest().send("GET", "/v1/subsystems").status == 200; }));
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
}

TEST_F(hostile, descriptors_are_kept_for_the_administration) {
    start(config_with(""));
    const rlimit few{.rlim_cur = 400, .rlim_max = 400};
    ASSERT_EQ(::prlimit(d->pid(), RLIMIT_NOFILE, &few, nullptr), 0);
    const host::endpoint here{.address = "127.0.0.1", .port = d->port()};
    std::vector<host::raw_session> held;
    for (int i = 0; i < 600; ++i)
        if (auto s = host::raw_session::connect(here)) held.push_back(std::move(*s));
    const test::http_answer made =
        rest().send("POST", "/v1/devices",
                    fmt::format(R"({{"name": "f", "type": "file", "path": "{}/f.img",)"
                                R"( "size": "1MiB", "create": true}})",
                                d->folder()));
    EXPECT_EQ(rest().send("GET", "/v1/subsystems").status, 200);
    EXPECT_GT(held.size(), 300u) << "descriptors are not scarce";
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(run({"fulmar", "status", "--admin", socket()}).exit_code, 0);
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
}

TEST_F(hostile, no_device_is_made_on_the_daemons_own_files) {
    start(config_with(""));
    std::filesystem::create_symlink(d->config_path(), d->folder() + "/link.img");
    for (const std::string& path :
         {d->config_path(), d->config_path() + ".journal", d->folder() + "/link.img", socket(),
          std::string("/sys/kernel/mm/ksm/run"), std::string("/proc/self/comm")}) {
        const test::http_answer answer = rest().send(
            "POST", "/v1/devices",
            fmt::format(R"({{"name": "own", "type": "file", "path": "{}", "size": "1MiB"}})",
                        path));
        EXPECT_TRUE(answer.status >= 400 && answer.status < 500) << path << answer.status;
        EXPECT_THAT(answer.body, HasSubstr("/path")) << path;
    }
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
    d->start();
    EXPECT_TRUE(d->wait_until_serving()) << d->log();
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
}

// Tables of a queue, and tasks for what it may have outstanding, are most of it.
TEST_F(hostile, memory_of_connections_that_have_gone_is_given_back) {
#if FULMAR_ASAN || FULMAR_TSAN
    GTEST_SKIP() << "the sanitizers' allocator keeps what was freed";
#endif
    start(config_with("", R"(, "limits": {"connections_per_listener": 8192})"));
    host::controller_options options;
    options.target = {.address = "127.0.0.1", .port = d->port()};
    options.subnqn = "nqn.2026-11.io.fulmar:e2e";
    options.hostnqn = "nqn.2026-11.io.fulmar:host";
    options.hostid.bytes[0] = 1;
    options.keep_alive_ms = 0;
    std::uint64_t most = 0;
    const auto load = [&](int controllers, int queues) {
        std::vector<std::unique_ptr<host::controller>> all;
        for (int i = 0; i < controllers; ++i) {
            auto made = host::controller::connect(options);
            ASSERT_TRUE(made) << made.error().text();
            all.push_back(std::move(*made));
            for (int q = 1; q <= queues; ++q) {
                auto opened = all.back()->open_io_queue(static_cast<std::uint16_t>(q), 256);
                ASSERT_TRUE(opened) << opened.error().text();
            }
        }
        most = resident();
        EXPECT_EQ(connections(), static_cast<std::size_t>(controllers) * (1u + queues));
    };
    load(4, 4);
    const std::uint64_t before = resident();
    load(64, 63);  // 4,096 connections
    EXPECT_GT(most, before + (512u << 20)) << "there was nothing to give back";
    EXPECT_TRUE(eventually([&] { return resident() < before + (24u << 20); }))
        << resident() - before << " bytes more than before";
    std::printf("%llu MiB before, %llu MiB with all of them, %llu MiB after\n",
                static_cast<unsigned long long>(before >> 20),
                static_cast<unsigned long long>(most >> 20),
                static_cast<unsigned long long>(resident() >> 20));
    EXPECT_EQ(d->stop(SIGTERM), 0) << d->log();
}

}  // namespace
}  // namespace fulmar::e2e
