// A namespace that is shown to hosts and hidden from them over REST and with the tool, while they
// do I/O with a real fulmard; and what docs/clusters.md tells operators to type.
#include "daemon.hpp"
#include "support/eventually.hpp"
#include "support/http_client.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/host/execute.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string shared_nqn = "nqn.2026-11.io.fulmar:shared";
const std::string host_a = "nqn.2026-11.io.fulmar:host-a";
const std::string host_b = "nqn.2026-11.io.fulmar:host-b";
const std::string shared_place = "/v1/subsystems/" + shared_nqn + "/namespaces";

constexpr const char* shared_config = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 2},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "ram0", "type": "ram", "size": "1MiB"},
              {"name": "ram1", "type": "ram", "size": "1MiB"},
              {"name": "ram2", "type": "ram", "size": "1MiB"}],
  "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:shared",
                  "hosts": ["nqn.2026-11.io.fulmar:host-a", "nqn.2026-11.io.fulmar:host-b"],
                  "namespaces": [{"nsid": 1, "device": "ram0"},
                                 {"nsid": 2, "device": "ram1",
                                  "visible_to": ["nqn.2026-11.io.fulmar:host-b"]}]}]
})";

struct shared_namespace : testing::Test {
    void SetUp() override { start(); }
    void TearDown() override { EXPECT_EQ(d.stop(SIGTERM), 0) << d.log(); }
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    [[nodiscard]] std::unique_ptr<host::controller> connect(const std::string& who) const {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = shared_nqn;
        options.hostnqn = who;
        options.hostid.bytes.fill(who == host_a ? 1 : 2);
        auto made = host::controller::connect(options);
        EXPECT_TRUE(made) << made.error().text();
        return made ? std::move(*made) : nullptr;
    }
    [[nodiscard]] std::vector<std::uint32_t> seen_by(const std::string& who) const {
        return connect(who)->active_namespaces().value();
    }
    test::http_answer rest(const std::string& method, const std::string& target,
                           const std::string& body = {}) const {
        return test::http_client::unix_socket(d.folder() + "/admin.sock")
            .send(method, target, body);
    }
    finished tool(const std::string& line) const {
        std::vector<std::string> words;
        std::istringstream in(line);
        for (std::string word; in >> word;) words.push_back(word);
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(words);
    }

    daemon_process d{shared_config};
};

using std::chrono::seconds;
using test::eventually;

host::command block_command(nvme::io_opcode opcode, std::uint64_t block,
                            std::span<std::byte> data) {
    host::command c{.sqe = {},
                    .direction = opcode == nvme::io_opcode::write ? host::transfer::to_controller
                                                                  : host::transfer::from_controller,
                    .data = data};
    c.sqe.opcode = static_cast<std::uint8_t>(opcode);
    c.sqe.nsid = 1;
    nvme::encode_block_range(c.sqe, {.slba = block, .blocks = 1});
    return c;
}

/// Writes a number that grows into its block of namespace 1, again and again.
class steady_writer {
  public:
    steady_writer(std::unique_ptr<host::controller> c, std::uint64_t block)
        : controller_(std::move(c)), block_(block), thread_([this] { work(); }) {}
    ~steady_writer() {
        stop_.store(true);
        thread_.join();
    }
    steady_writer(const steady_writer&) = delete;
    steady_writer& operator=(const steady_writer&) = delete;

    [[nodiscard]] std::uint64_t written() const { return written_.load(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_.load(); }
    [[nodiscard]] std::uint64_t strange() const { return strange_.load(); }
    /// So many more are written, or refused.
    [[nodiscard]] bool goes_on(std::uint64_t more = 50) const {
        return eventually([&, from = written()] { return written() >= from + more; });
    }
    [[nodiscard]] bool is_refused(std::uint64_t more = 50) const {
        return eventually([&, from = refused()] { return refused() >= from + more; });
    }

  private:
    void work() {
        host::queue& q = *controller_->open_io_queue(1, 8).value();
        std::vector<std::byte> data(512);
        for (std::uint64_t number = 1; !stop_.load(); ++number) {
            std::memcpy(data.data(), &number, sizeof number);
            const auto answer =
                host::execute(q, block_command(nvme::io_opcode::write, block_, data),
                              host::deadline(seconds(10)));
            const nvme::status got = answer ? answer->status() : nvme::sc::internal_error;
            const bool unseen = got == nvme::sc::invalid_namespace_or_format.no_retry();
            ++(nvme::is_success(got) ? written_ : unseen ? refused_ : strange_);
        }
    }

    std::unique_ptr<host::controller> controller_;
    std::uint64_t block_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> written_{0}, refused_{0}, strange_{0};
    std::thread thread_;  // last
};

std::uint64_t number_in(host::queue& q, std::uint64_t block) {
    std::vector<std::byte> data(512);
    const auto answer = host::execute(q, block_command(nvme::io_opcode::read, block, data),
                                      host::deadline(seconds(10)));
    EXPECT_TRUE(answer && answer->ok());
    std::uint64_t number = 0;
    std::memcpy(&number, data.data(), sizeof number);
    return number;
}

// Each time that hiding has been answered, what the one host has written stands still, and the
// other one has noticed nothing.
TEST_F(shared_namespace, hides_and_comes_back_under_io_of_two_hosts) {
    const auto observer = connect(host_b);
    host::queue& look = *observer->open_io_queue(1, 8).value();
    const auto choose = [&](const json& who) {
        return rest("PATCH", shared_place + "/1", json{{"visible_to", who}}.dump()).status;
    };
    steady_writer a(connect(host_a), 8), b(connect(host_b), 16);
    ASSERT_TRUE(a.goes_on() && b.goes_on());
    for (int round = 0; round < 20; ++round) {
        ASSERT_EQ(choose(json::array({host_b})), 200);
        const std::uint64_t last = number_in(look, 8);
        ASSERT_TRUE(a.is_refused() && b.goes_on());
        EXPECT_EQ(number_in(look, 8), last) << "a write has landed after the answer";
        ASSERT_EQ(choose(round % 2 == 0 ? json("all") : json::array({host_a, host_b})), 200);
        ASSERT_TRUE(a.goes_on());
    }
    EXPECT_EQ(a.strange(), 0u);
    EXPECT_EQ(b.strange(), 0u);
    EXPECT_EQ(b.refused(), 0u);
    EXPECT_TRUE(d.says(shared_nqn + " namespace 1 is now visible to " + host_b));
}

TEST_F(shared_namespace, is_hidden_after_a_restart_too) {
    const auto expect_seen = [&] {
        EXPECT_THAT(seen_by(host_a), testing::ElementsAre());
        EXPECT_THAT(seen_by(host_b), testing::ElementsAre(1, 2));
    };
    EXPECT_THAT(seen_by(host_a), testing::ElementsAre(1)) << "as the file says";
    ASSERT_EQ(rest("PATCH", shared_place + "/1", json{{"visible_to", {host_b}}}.dump()).status,
              200);
    expect_seen();
    for (const int signal : {SIGTERM, SIGKILL}) {
        d.stop(signal);
        start();
        expect_seen();
    }
    const json shown = json::parse(rest("GET", shared_place + "/1").body);
    EXPECT_EQ(shown["visible_to"], json::array({host_b}));
}

/// The lines that `docs/clusters.md` has for people to type, of the tool's namespaces.
std::vector<std::string> lines_to_type() {
    const char* source = std::getenv("FULMAR_SOURCE_DIR");
    std::ifstream in(std::string(source != nullptr ? source : ".") + "/docs/clusters.md");
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("    fulmar namespace") && line.find(shared_nqn) != std::string::npos)
            all.push_back(line);
    return all;
}

TEST_F(shared_namespace, does_what_the_document_tells_to_type) {
    const std::vector<std::vector<std::uint32_t>> seen_by_a{{1}, {1}, {1}, {}, {1}, {1}};
    const std::vector<std::vector<std::uint32_t>> seen_by_b{{2}, {2},    {1, 2},
                                                            {2}, {1, 2}, {1, 2, 3}};
    const std::vector<std::string> lines = lines_to_type();
    ASSERT_EQ(lines.size(), seen_by_a.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        SCOPED_TRACE(lines[i]);
        const finished done = tool(lines[i]);
        EXPECT_EQ(done.exit_code, 0) << done.output;
        EXPECT_EQ(seen_by(host_a), seen_by_a[i]);
        EXPECT_EQ(seen_by(host_b), seen_by_b[i]);
        if (lines[i].find(" show ") != std::string::npos) {
            EXPECT_THAT(done.output, HasSubstr(host_a)) << "who sees it";
        }
    }
}

}  // namespace
}  // namespace fulmar::e2e
