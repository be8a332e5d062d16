// fulmard when the system gives it no more memory: it says so, and goes on with what it has.
#include "daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/base/sanitizer.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>

namespace fulmar::e2e {
namespace {

using ::testing::HasSubstr;

constexpr const char* memory_config = R"({
  "admin": {"unix_socket": "admin.sock", "audit": false},
  "memory": {"pool_mib": 32},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "ram0", "type": "ram", "size": "64MiB"}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:e2e", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "ram0"}]}]
})";
constexpr int more_than_fit = 400;  // subsystems: a built-in bound ends them in any case

struct memory : ::testing::Test {
    void SetUp() override {
#if FULMAR_ASAN || FULMAR_TSAN
        GTEST_SKIP() << "the sanitizers' allocator ends the process where malloc() says no";
#endif
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }

    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }

    // Private writable memory, as the kernel counts and limits it.
    void no_more_than_now(rlim_t and_bytes = 0) {
        std::ifstream status(fmt::format("/proc/{}/status", d.pid()));
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmData:"))
                limit_to(std::stoul(line.substr(7)) * 1024 + and_bytes);
    }
    void limit_to(rlim_t bytes) {
        const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
        ASSERT_EQ(::prlimit(d.pid(), RLIMIT_DATA, &limit, nullptr), 0);
    }

    /// Subsystems until there is no memory for another; the answer that says so.
    test::http_answer exhaust() {
        no_more_than_now();
        test::http_answer last;
        for (int i = 0; i < more_than_fit; ++i) {
            last = rest().send("POST", "/v1/subsystems",
                               fmt::format(R"({{"nqn": "{}"}})", name(made)));
            if (last.status != 201) break;
            ++made;
        }
        return last;
    }
    static std::string name(int i) { return fmt::format("nqn.2026-11.io.fulmar:more-{}", i); }

    /// Commands of a host come in.
    bool loaded() {
        const std::string counter = "fulmar_io_commands_total{";
        for (int i = 0; i < 2000; ++i) {
            std::istringstream lines(rest().send("GET", "/metrics").body);
            for (std::string line; std::getline(lines, line);)
                if (line.starts_with(counter) && !line.ends_with(" 0")) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    daemon_process d{memory_config};
    int made = 0;
};

TEST_F(memory, that_has_run_out_stops_what_is_new_and_nothing_else) {
    finished load;
    std::thread host([&] {
        load = run({"fulmar", "perf", "--port", d.port_text(), "--nsid", "1", "--mix", "50",
                    "--connections", "2", "--queue-depth", "16", "--seconds", "6", "--quiet"},
                   60);
    });
    ASSERT_TRUE(loaded()) << d.log();
    const test::http_answer refused = exhaust();
    EXPECT_EQ(refused.status, 507) << made << refused.body << d.log();
    EXPECT_THAT(refused.body, HasSubstr("there is no memory for anything new"));
    EXPECT_THAT(rest().send("GET", "/v1/health").body, HasSubstr(R"("memory_short":true)"));
    EXPECT_THAT(rest().send("GET", "/metrics").body, HasSubstr("fulmar_memory_short 1"));
    const finished status = run({"fulmar", "status", "--admin", d.folder() + "/admin.sock"});
    EXPECT_THAT(status.output, HasSubstr("memory is short")) << status.exit_code;

    // What is there can be asked for, changed and taken away.
    const std::string there = "/v1/subsystems/" + name(0);
    EXPECT_EQ(rest().send("POST", there + "/pause").status, 200);
    EXPECT_EQ(rest().send("POST", there + "/resume").status, 200);
    EXPECT_EQ(rest().send("GET", "/v1/subsystems").status, 200);
    // A host that comes is turned away, and no more than that.
    const finished late = run({"fulmar", "discover", "--port", d.port_text()});
    EXPECT_NE(late.exit_code, 0) << late.output;
    EXPECT_TRUE(d.running());

    limit_to(RLIM_INFINITY);
    EXPECT_THAT(rest().send("GET", "/v1/health").body, HasSubstr(R"("memory_short":false)"));
    EXPECT_EQ(
        rest().send("POST", "/v1/subsystems", fmt::format(R"({{"nqn": "{}"}})", name(made))).status,
        201);
    EXPECT_EQ(rest().send("DELETE", there).status, 204);
    const finished again = run({"fulmar", "discover", "--port", d.port_text()});
    EXPECT_EQ(again.exit_code, 0) << again.output;
    host.join();
    EXPECT_EQ(load.exit_code, 0) << load.output;
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

TEST_F(memory, is_not_needed_for_an_end_in_order) {
    EXPECT_EQ(exhaust().status, 507) << made << d.log();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// The limit moves around what is used, under everything that needs memory.
TEST_F(memory, may_come_and_go_under_changes_and_hosts) {
    std::atomic<bool> enough{false};
    std::thread host([&] {
        while (!enough)
            run({"fulmar", "perf", "--port", d.port_text(), "--nsid", "1", "--mix", "50",
                 "--connections", "8", "--queue-depth", "32", "--seconds", "1", "--quiet"},
                60);
    });
    std::mt19937 random(::testing::UnitTest::GetInstance()->random_seed());
    const auto pick = [&](int below) {
        return std::uniform_int_distribution<>(0, below - 1)(random);
    };
    constexpr std::array<rlim_t, 5> rooms{0, 1 << 16, 1 << 18, 1 << 20, 1 << 24};
    std::map<int, int> answers;
    for (int i = 0; i < 4000 && d.running(); ++i) {
        if (pick(50) == 0) no_more_than_now(rooms[static_cast<std::size_t>(pick(5))]);
        const std::string subsystem = name(pick(40));
        const std::string one = "/v1/subsystems/" + subsystem;
        const std::string device = fmt::format("more-{}", pick(20));
        test::http_answer answer;
        switch (pick(8)) {
            case 0: answer = rest().send("DELETE", one + "?force=true"); break;
            case 1:
            case 2:
            case 3:
                answer = rest().send("POST", "/v1/subsystems",
                                     fmt::format(R"({{"nqn": "{}"}})", subsystem));
                break;
            case 4:
                answer = rest().send(
                    "POST", "/v1/devices",
                    fmt::format(R"({{"name": "{}", "type": "ram", "size": "1MiB"}})", device));
                break;
            case 5:
                answer = rest().send("POST", one + "/namespaces",
                                     fmt::format(R"({{"device": "{}"}})", device));
                break;
            case 6: answer = rest().send("GET", "/v1/subsystems"); break;
            default:
                answer = rest().send("POST", "/v1/subsystems/nqn.2026-11.io.fulmar:e2e/" +
                                                 std::string(pick(2) == 0 ? "pause" : "resume"));
        }
        ++answers[answer.status];
    }
    EXPECT_TRUE(d.running()) << d.log();
    EXPECT_GT(answers[201], 0);
    EXPECT_GT(answers[507], 0) << "memory never was short";
    enough = true;
    limit_to(RLIM_INFINITY);
    rest().send("POST", "/v1/subsystems/nqn.2026-11.io.fulmar:e2e/resume");
    host.join();
    const finished after =
        run({"fulmar", "verify", "--port", d.port_text(), "--nsid", "1", "--size", "1MiB"});
    EXPECT_EQ(after.exit_code, 0) << after.output;
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
