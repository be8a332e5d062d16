// Three honest hosts, each verifying what it reads, and an operator, beside thirty peers of ten
// sorts that misbehave. No command of theirs may fail. With FULMAR_HOSTILE_SECONDS it measures as
// well: beside peers that misbehave their p99 is at most twice what it is beside the same peers
// that behave.
#include "peers.hpp"
#include "support/http_client.hpp"
#include "support/target_fixture.hpp"
#include "support/temp_dir.hpp"

#include <fulmar/admin/server.hpp>
#include <fulmar/base/sanitizer.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/host/execute.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

namespace fulmar::hostile {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::uint64_t own_blocks = 4096;  // of each honest host
constexpr std::uint32_t most_blocks = 128;

#if FULMAR_ASAN || FULMAR_TSAN
constexpr std::uint64_t usual_commands = 150;
#else
constexpr std::uint64_t usual_commands = 600;
#endif

// Long enough for those that owe to have their connections ended, and to come again.
constexpr seconds quick_run(8);

testing::target_setup make_setup(bool quick) {
    testing::target_setup setup;
    setup.pool_bytes = 32u << 20;
    if (quick) setup.limits.data_stall_s = setup.limits.send_stall_s = 2;
    setup.spec.listeners = {{.address = "127.0.0.1", .port = 0}};
    setup.spec.devices = {
        {.name = "disk", .type = "ram", .size_bytes = 64u << 20, .block_bytes = 512}};
    core::subsystem_spec& s = setup.spec.subsystems.emplace_back();
    s.nqn = subsystem_nqn;
    for (unsigned i = 0; i < honest_hosts; ++i) s.hosts.push_back(honest_nqn(i));
    for (unsigned i = 0; i < allowed_peers; ++i) s.hosts.push_back(peer_nqn(i));
    s.namespaces = {{.nsid = 1, .device = "disk"}};
    return setup;
}

struct outcome {
    std::uint64_t commands = 0;
    std::uint64_t errors = 0;
    std::vector<clock::duration> times;
    clock::duration longest_look{};  // at the administration
};

/// One honest host: writes what it knows, reads it back, asks who the controller is.
class honest_host {
  public:
    honest_host(const host::endpoint& target, unsigned number)
        : first_(number * own_blocks), random_(number) {
        host::controller_options o;
        o.target = target;
        o.subnqn = subsystem_nqn;
        o.hostnqn = honest_nqn(number);
        o.hostid = nvme::derive_uuid(o.hostnqn, 0);
        o.keep_alive_ms = 0;
        o.timeout = seconds(10);
        auto made = host::controller::connect(o);
        if (!made) throw std::runtime_error(made.error().text());
        controller_ = std::move(*made);
        auto queue = controller_->open_io_queue(1, 32);
        if (!queue) throw std::runtime_error(queue.error().text());
        queue_ = *queue;
        written_.resize(own_blocks);
    }

    void one(outcome& into) {
        const std::uint32_t blocks = 1u << random_() % 8;  // up to 64 KiB
        const std::uint64_t at = random_() % (own_blocks - most_blocks);
        const auto stamp = static_cast<std::uint32_t>(random_());
        std::vector<std::byte> data(blocks * 512u);
        for (std::uint32_t b = 0; b < blocks; ++b) {
            written_[at + b] = stamp + b;
            fill(std::span(data).subspan(b * 512u, 512), written_[at + b]);
        }
        run(into, nvme::io_opcode::write, at, data);
        const std::uint64_t from = random_() % (own_blocks - most_blocks);
        std::vector<std::byte> got(blocks * 512u);
        run(into, nvme::io_opcode::read, from, got);
        std::array<std::byte, 512> expected;
        for (std::uint32_t b = 0; b < blocks; ++b) {
            if (written_[from + b] == 0) continue;
            fill(expected, written_[from + b]);
            if (std::memcmp(expected.data(), got.data() + b * 512u, 512) != 0) {
                ++into.errors;
                ADD_FAILURE() << "a block is not what was written";
            }
        }
        if (into.commands % 16 == 0) identify(into);
    }

  private:
    static void fill(std::span<std::byte> block, std::uint32_t stamp) {
        for (std::size_t i = 0; i < block.size(); i += sizeof stamp)
            std::memcpy(block.data() + i, &stamp, sizeof stamp);
    }
    void count(outcome& into, const result<host::reply>& got, clock::time_point since) {
        into.times.push_back(clock::now() - since);
        ++into.commands;
        if (got && nvme::is_success(got->status())) return;
        ++into.errors;
        ADD_FAILURE() << (got ? nvme::describe(got->status()) : got.error().text());
    }
    void run(outcome& into, nvme::io_opcode opcode, std::uint64_t at, std::span<std::byte> data) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(opcode);
        sqe.nsid = std::uint32_t{1};
        nvme::encode_block_range(
            sqe, {.slba = first_ + at, .blocks = static_cast<std::uint32_t>(data.size() / 512)});
        const auto since = clock::now();
        const auto way = opcode == nvme::io_opcode::read ? host::transfer::from_controller
                                                         : host::transfer::to_controller;
        count(into,
              host::execute(*queue_, {.sqe = sqe, .direction = way, .data = data},
                            host::deadline(seconds(10))),
              since);
    }
    void identify(outcome& into) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
        sqe.cdw10 = 1u;
        std::vector<std::byte> page(4096);
        const auto since = clock::now();
        count(
            into,
            host::execute(controller_->admin(),
                          {.sqe = sqe, .direction = host::transfer::from_controller, .data = page},
                          host::deadline(seconds(10))),
            since);
    }

    std::uint64_t first_;
    std::mt19937 random_;
    std::unique_ptr<host::controller> controller_;
    host::queue* queue_ = nullptr;
    std::vector<std::uint32_t> written_;
};

/// A target with its administration: on a UNIX socket for whoever may, and over TCP for whoever
/// comes.
class served {
  public:
    explicit served(bool quick) : target_(make_setup(quick)) {
        const std::string token = folder_ / "token";
        std::ofstream(token) << "hostile-0123456789abcdef\n";
        std::filesystem::permissions(token, std::filesystem::perms::owner_read);
        admin::server::setup setup;
        setup.port = &target_.port();
        setup.options.admin.unix_socket = folder_ / "admin.sock";
        setup.options.admin.tcp =
            admin::tcp_options{.address = "127.0.0.1", .port = 0, .token_file = token};
        auto started = admin::server::start(std::move(setup));
        if (!started) throw std::runtime_error(started.error().text());
        server_ = std::move(*started);
        const std::string& tcp = server_->addresses().back();
        port_ = static_cast<std::uint16_t>(std::stoi(tcp.substr(tcp.rfind(':') + 1)));
    }
    [[nodiscard]] places where() { return {.target = target_.endpoint(), .administration = port_}; }
    /// An operator looks.
    void look(outcome& into) {
        const auto since = clock::now();
        test::http_client client = test::http_client::unix_socket(folder_ / "admin.sock");
        const int status = client.send("GET", "/v1/connections").status;
        EXPECT_EQ(status, 200);
        if (status != 200) ++into.errors;
        into.longest_look = std::max(into.longest_look, clock::now() - since);
    }

  private:
    test::temp_dir folder_;
    testing::running_target target_;
    std::unique_ptr<admin::server> server_;
    std::uint16_t port_ = 0;
};

/// The honest hosts beside the crowd: until they have done usual_commands, and for so long.
outcome run_beside(manner how, clock::duration at_least_for) {
    served target(at_least_for == quick_run);
    const places where = target.where();
    std::vector<honest_host> hosts;
    for (unsigned i = 0; i < honest_hosts; ++i) hosts.emplace_back(where.target, i);
    crowd others(where, how);
    EXPECT_TRUE(testing::eventually([&] { return others.rounds() != 0; }, seconds(60)));
    outcome all;
    const auto until = clock::now() + at_least_for;
    while (all.commands < usual_commands || clock::now() < until) {
        for (honest_host& h : hosts) h.one(all);
        if (all.commands % 32 == 0) target.look(all);
        if (all.errors > 10) break;
    }
    return all;
}

double p99_us(outcome& o) {
    const auto at = o.times.begin() + static_cast<std::ptrdiff_t>(o.times.size() * 99 / 100);
    std::nth_element(o.times.begin(), at, o.times.end());
    return std::chrono::duration<double, std::micro>(*at).count();
}

TEST(hostile, honest_hosts_see_no_error_beside_peers_that_misbehave) {
    const outcome o = run_beside(manner::misbehave, quick_run);
    EXPECT_EQ(o.errors, 0u);
    EXPECT_GE(o.commands, usual_commands);
    EXPECT_LT(o.longest_look, seconds(5));
}

TEST(hostile, p99_of_honest_hosts_is_at_most_twice_that_beside_peers_that_behave) {
    const char* const wanted = std::getenv("FULMAR_HOSTILE_SECONDS");
    if (wanted == nullptr) GTEST_SKIP() << "measures: FULMAR_HOSTILE_SECONDS=60 on a quiet machine";
    const seconds each(std::atoi(wanted));
    outcome control = run_beside(manner::behave, each);
    outcome beside = run_beside(manner::misbehave, each);
    const double usual = p99_us(control);
    const double hostile = p99_us(beside);
    std::printf("honest p99: %.0f us beside peers that behave, %.0f us beside those that do not\n",
                usual, hostile);
    EXPECT_EQ(control.errors + beside.errors, 0u);
    EXPECT_LE(hostile, 2 * usual);
}

}  // namespace
}  // namespace fulmar::hostile
