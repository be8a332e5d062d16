// fulmard as a service: what it tells its manager, and that it needs no privileges.
#include "daemon.hpp"
#include "support/temp_dir.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/sanitizer.hpp>
#include <fulmar/host/raw_pdu.hpp>
#include <fulmar/host/raw_session.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::e2e {
namespace {

const std::string service_config = R"({
  "admin": {"unix_socket": "admin.sock"},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"},
              {"name": "file0", "type": "file", "path": "file0.img", "size": "16MiB",
               "create": true}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:service", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "ram0"}, {"nsid": 2, "device": "file0"}]}]
})";

/// The manager's end of sd_notify(3).
class notify_socket {
  public:
    explicit notify_socket(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    }
    ~notify_socket() { ::close(fd_); }
    notify_socket(const notify_socket&) = delete;
    notify_socket& operator=(const notify_socket&) = delete;

    /// The next message; none within the limit.
    std::optional<std::string> next(int limit_ms) const {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, limit_ms) != 1) return std::nullopt;
        std::array<char, 4096> text{};
        const ssize_t got = ::recv(fd_, text.data(), text.size(), 0);
        if (got < 0) return std::nullopt;
        return std::string(text.data(), static_cast<std::size_t>(got));
    }

  private:
    int fd_;
};

TEST(service, tells_its_manager_when_it_serves_that_it_lives_and_when_it_stops) {
    daemon_process d(service_config);
    const std::string path = d.folder() + "/notify";
    const notify_socket manager(path);
    d.set_environment("NOTIFY_SOCKET", path);
    d.set_environment("WATCHDOG_USEC", "600000");
    d.start();
    const auto first = manager.next(30'000);
    ASSERT_TRUE(first.has_value()) << d.log();
    EXPECT_THAT(*first, testing::StartsWith("READY=1"));
    // It has said so: no waiting.
    const finished discovery = run({"fulmar", "discover", "--port", d.port_text()});
    EXPECT_EQ(discovery.exit_code, 0) << discovery.output;
    // Fed three times in each period, so never later than a whole one while it lives.
    for (int beat = 0; beat < 5; ++beat) {
        const auto fed = manager.next(10'000);
        ASSERT_TRUE(fed.has_value()) << d.log();
        EXPECT_EQ(*fed, "WATCHDOG=1");
    }
    // A daemon that does not run does not feed.
    EXPECT_EQ(d.stop(SIGSTOP, 0), -1);
    while (manager.next(0)) {}
    EXPECT_FALSE(manager.next(1500).has_value());
    EXPECT_EQ(d.stop(SIGCONT, 0), -1);
    EXPECT_TRUE(manager.next(10'000).has_value());
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    // It still lives while it stops: a beat may come after the news.
    std::string last;
    while (const auto more = manager.next(0))
        if (more->find("STOPPING") != std::string::npos) last = *more;
    EXPECT_THAT(last, testing::HasSubstr("STOPPING=1"));
    const std::string key = "EXTEND_TIMEOUT_USEC=";
    ASSERT_THAT(last, testing::HasSubstr(key));
    // The shutdown's own bound and the journal's.
    EXPECT_GE(std::stoll(last.substr(last.find(key) + key.size())), 10'000'000);
}

// EAL cannot be tried twice in a process: when hugepages were promised and are not there, the same
// process executes itself again without them, and its manager sees no more than a slower start.
TEST(service, goes_on_without_hugepages_that_were_promised) {
    daemon_process d(service_config);
    d.set_environment("FULMAR_FAULT_HUGEPAGES", "1");
    d.start();
    const pid_t before = d.pid();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    EXPECT_EQ(d.pid(), before);
    ASSERT_TRUE(d.says("hugepages are switched off (FULMAR_NO_HUGEPAGES)"));
    const std::string log = d.log();
    const auto times = [&log](std::string_view words) {
        int count = 0;
        for (auto at = log.find(words); at != std::string::npos; at = log.find(words, at + 1))
            ++count;
        return count;
    };
    EXPECT_EQ(times("DPDK's memory cannot be set up"), 1) << log;
    EXPECT_EQ(times("hugepages are switched off (FULMAR_NO_HUGEPAGES)"), 1) << log;
    const finished status =
        run({"fulmar", "status", "--json", "--admin", d.folder() + "/admin.sock"});
    EXPECT_THAT(status.output, testing::ContainsRegex("\"hugepages\": *false"));
    const finished v =
        run({"fulmar", "verify", "--port", d.port_text(), "--nsid", "1", "--size", "8MiB"});
    EXPECT_EQ(v.exit_code, 0) << v.output << d.log();
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// Peers that connect and say nothing, a part of an ICReq, or an ICReq and no more: each costs a
// bounded amount of memory, and the hundredth as much as the first; it all comes back.
TEST(service, connections_without_a_connect_cost_little_memory) {
    std::string config = service_config;
    config.replace(config.find("\"listeners\""), 0, "\"timeouts\": {\"first_pdu_ms\": 120000},\n");
    daemon_process d(config);
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    const auto resident = [&] {
        std::ifstream in("/proc/" + std::to_string(d.pid()) + "/status");
        for (std::string line; std::getline(in, line);)
            if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
        return 0ull;
    };
    const auto listed = [&] {
        const finished all =
            run({"fulmar", "connection", "list", "--json", "--admin", d.folder() + "/admin.sock"});
        std::size_t count = 0;
        for (auto at = all.output.find("\"peer\""); at != std::string::npos;
             at = all.output.find("\"peer\"", at + 1))
            ++count;
        return count;
    };
    const host::endpoint here{.address = "127.0.0.1", .port = d.port()};
    const host::raw_bytes hello = host::make_ic_req();
    std::vector<host::raw_session> held;
    const auto add = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (held.size() % 4 == 3) {
                held.push_back(host::raw_session::open(here).value());
                continue;
            }
            held.push_back(host::raw_session::connect(here).value());
            if (held.size() % 4 != 1) {
                ASSERT_TRUE(held.back().send(std::span(hello).first(i % hello.size())).has_value());
            }
        }
        for (int i = 0; i < 100 && listed() != held.size(); ++i) {}
        ASSERT_EQ(listed(), held.size());
    };
    constexpr std::size_t step = 80;
    add(step);  // what is made once, for all of them
    const auto first = resident();
    add(step);
    const auto second = resident();
    add(step);
    const auto third = resident();
#if FULMAR_ASAN || FULMAR_TSAN
    constexpr std::size_t sanitizer = 8;  // red zones, and what was freed is kept aside
#else
    constexpr std::size_t sanitizer = 1;
#endif
    constexpr auto bound = sanitizer * step * limits::resident_before_connect_bytes;
    EXPECT_LE(second, first + bound);
    EXPECT_LE(third, second + bound);
    std::printf("%llu and %llu bytes a connection\n", (second - first) / step,
                (third - second) / step);
    held.clear();
    for (int i = 0; i < 100 && listed() != 0; ++i) {}
    EXPECT_EQ(listed(), 0u);
    add(step);
    EXPECT_LE(resident(), third + bound) << "what they had is used again";
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

// Two volumes of the container image have two names, and one has the same for ever.
TEST(container, every_volume_gets_a_name_of_its_own) {
    const test::temp_dir dir;
    const std::string folder = dir.path();
    const char* root = std::getenv("FULMAR_SOURCE_DIR");
    const std::string source = root != nullptr ? root : ".";
    const char* programs = std::getenv("FULMAR_BIN_DIR");
    ASSERT_NE(programs, nullptr) << "ctest names the folder of the programs";
    const auto check = [&](const std::string& volume) {
        std::filesystem::create_directories(folder + "/" + volume);
        return run({"/usr/bin/env", "FULMAR_MOUNTED=" + folder + "/mounted.json",
                    "FULMAR_VOLUME=" + folder + "/" + volume,
                    "FULMAR_TEMPLATE=" + source + "/config/container.json",
                    "FULMAR_DAEMON=" + std::string(programs) + "/fulmard", "/bin/sh",
                    source + "/config/container-start", "--check-config"});
    };
    const auto nqn_of = [&](const std::string& volume) {
        std::ifstream in(folder + "/" + volume + "/fulmard.json");
        std::string line;
        while (std::getline(in, line) && line.find("\"nqn\"") == std::string::npos) {}
        return line;
    };
    const finished first = check("a");
    EXPECT_EQ(first.exit_code, 0) << first.output;
    EXPECT_THAT(first.output, testing::HasSubstr("good"));
    const std::string a = nqn_of("a");
    EXPECT_THAT(a, testing::ContainsRegex("fulmar:container-[0-9a-f]{8}-[0-9a-f-]{27}\""));
    EXPECT_THAT(first.output, testing::HasSubstr(a.substr(a.find("nqn."), 60)));
    const finished again = check("a");
    EXPECT_EQ(again.exit_code, 0) << again.output;
    EXPECT_EQ(nqn_of("a"), a);
    EXPECT_EQ(check("b").exit_code, 0);
    EXPECT_NE(nqn_of("b"), a);
    // What is mounted goes first.
    std::ofstream(folder + "/mounted.json") << "{ this is no configuration";
    const finished mounted = check("a");
    EXPECT_EQ(mounted.exit_code, 1);
    EXPECT_THAT(mounted.output, testing::HasSubstr("mounted.json"));
}

TEST(service, needs_no_privileges) {
    daemon_process d(service_config);
    d.without_privileges();
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    for (const char* nsid : {"1", "2"}) {
        const finished v =
            run({"fulmar", "verify", "--port", d.port_text(), "--nsid", nsid, "--size", "8MiB"});
        EXPECT_EQ(v.exit_code, 0) << v.output << d.log();
    }
    const finished made = run({"fulmar", "device", "create", "more", "ram", "--size", "1MiB",
                               "--admin", d.folder() + "/admin.sock"});
    EXPECT_EQ(made.exit_code, 0) << made.output;
    EXPECT_TRUE(d.says("memory: ")) << "which memory it has, and why";
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
