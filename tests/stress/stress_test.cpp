// A real fulmard under everything at once, over real sockets: sixteen hosts that verify what they
// read and are cut off at random, and four operators who create, delete, pause, resume, add, remove
// and resize as they like. Nothing may crash, stick, leak, be lost or be answered twice.
// FULMAR_STRESS_SECONDS sets how long; the choices of each thread come from its number.
#include "e2e/daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/base/sanitizer.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned subsystems = 4;
constexpr unsigned namespaces = 3;  // of each
constexpr unsigned hosts = 16;
constexpr unsigned operators = 4;
constexpr std::uint32_t block_bytes = 512;
constexpr std::uint64_t own_blocks = 64;  // of each host, in each namespace
constexpr std::uint32_t depth = 16;

#if FULMAR_ASAN || FULMAR_TSAN
constexpr int usual_seconds = 15;
constexpr bool sanitized = true;
constexpr milliseconds operation_limit{5'000};
#else
constexpr int usual_seconds = 60;
constexpr bool sanitized = false;
// Nothing here waits for a deadline: no device stalls, and hosts answer or are gone. Beside a
// compiler and a guest the slowest took 80 ms.
constexpr milliseconds operation_limit{2'000};
#endif

std::string nqn(unsigned s) { return fmt::format("nqn.2026-11.io.fulmar:stress-{}", s); }
std::string disk(unsigned s, unsigned nsid) { return fmt::format("ram-{}-{}", s, nsid); }

json subsystem_json(unsigned s) {
    json all = json::array();
    for (unsigned nsid = 1; nsid <= namespaces; ++nsid)
        all.push_back({{"nsid", nsid}, {"device", disk(s, nsid)}});
    return {{"nqn", nqn(s)}, {"allow_any_host", true}, {"namespaces", all}};
}

std::string configuration() {
    json devices = json::array();
    json all = json::array();
    for (unsigned s = 0; s < subsystems; ++s) {
        all.push_back(subsystem_json(s));
        for (unsigned nsid = 1; nsid <= namespaces; ++nsid)
            devices.push_back({{"name", disk(s, nsid)}, {"type", "ram"}, {"size", "4MiB"}});
    }
    std::string text = json{
        {"admin", {{"unix_socket", "admin.sock"}}},
        {"cores", {{"data", 2}}},
        {"listeners",
         json::array({{{"transport", "tcp"}, {"address", "127.0.0.1"}, {"port", "PORT"}}})},
        {"devices", devices},
        {"subsystems",
         all}}.dump();
    return text.replace(text.find("\"PORT\""), 6, "@PORT@");
}

/// What has gone wrong, from any thread.
class complaints {
  public:
    void add(const std::string& what) {
        const std::lock_guard hold(lock_);
        ++count_;
        if (count_ <= 20) ADD_FAILURE() << what;
    }

  private:
    std::mutex lock_;
    unsigned count_ = 0;
};

struct stamp {
    std::uint64_t host = 0, nsid = 0, lba = 0, number = 0;
    friend bool operator==(const stamp&, const stamp&) = default;
};

// --- a host --------------------------------------------------------------------------------------

/// What a host knows of one of its blocks.
struct block {
    std::uint64_t acknowledged = 0;    ///< number of the last write that succeeded; 0: none
    std::set<std::uint64_t> open_end;  ///< writes of which it was never told that they succeeded
    bool busy = false;
};

struct tallies {
    std::atomic<std::uint64_t> connects{0}, reads{0}, writes{0}, failed{0}, lost{0}, cuts{0};
};

class stress_host {
  public:
    stress_host(unsigned number, std::uint16_t port, complaints& to, tallies& counts)
        : number_(number), port_(port), complaints_(to), tallies_(counts), random_(number + 1) {}

    void run(const std::atomic<bool>& stop) {
        while (!stop.load()) {
            if (!connect()) {
                std::this_thread::sleep_for(milliseconds(2));
                continue;
            }
            const auto end = clock::now() + milliseconds(50 + random_() % 1500);
            while (!stop.load() && queue_->is_open() && clock::now() < end) turn(true);
            leave();
        }
    }

    /// With the churn over: every block of every namespace, once more.
    void verify_all() {
        const auto limit = clock::now() + seconds(20);
        while (!connect())
            if (clock::now() > limit) return complaints_.add(name() + " cannot connect any more");
        for (std::uint32_t nsid = 1; nsid <= namespaces; ++nsid)
            for (std::uint64_t i = 0; i < own_blocks; ++i) {
                while (free_.empty()) turn(false);
                io& one = *free_.back();
                free_.pop_back();
                submit(one, nsid, i, false);
            }
        while (free_.size() != ios_.size()) turn(false);
        if (last_failures_ != 0) complaints_.add(name() + " could not read everything in the end");
        leave();
    }

  private:
    struct io final : host::request {
        stress_host* owner = nullptr;
        std::uint32_t nsid = 0;
        std::uint64_t index = 0;
        std::uint64_t number = 0;  // of a write
        std::array<std::byte, block_bytes> bytes{};
    };

    std::string name() const { return fmt::format("host {}", number_); }

    bool connect() {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = port_};
        options.subnqn = nqn(number_ % subsystems);
        options.hostnqn = fmt::format("nqn.2026-11.io.fulmar:stress-host-{}", number_);
        options.hostid.bytes.fill(static_cast<std::uint8_t>(number_ + 1));
        options.keep_alive_ms = random_() % 2 == 0 ? 0 : 2'000;
        options.data_digest = random_() % 4 == 0;
        auto made = host::controller::connect(options);
        if (!made) return false;
        controller_ = std::move(*made);
        auto opened = controller_->open_io_queue(1, depth);
        if (!opened) {
            controller_.reset();
            return false;
        }
        queue_ = *opened;
        tallies_.connects.fetch_add(1);
        ios_.clear();
        free_.clear();
        for (std::uint32_t i = 0; i < depth; ++i) {
            ios_.push_back(std::make_unique<io>());
            ios_.back()->owner = this;
            ios_.back()->done = [](host::request& r) noexcept {
                auto& one = static_cast<io&>(r);
                one.owner->finished(one);
            };
            free_.push_back(ios_.back().get());
        }
        last_failures_ = 0;
        return true;
    }

    void turn(bool more) {
        if (!queue_->is_open()) return;
        while (more && !free_.empty() && queue_->room() != 0) {
            io& one = *free_.back();
            const auto nsid = static_cast<std::uint32_t>(1 + random_() % namespaces);
            const std::uint64_t index = random_() % own_blocks;
            if (blocks_[nsid][index].busy) break;
            free_.pop_back();
            submit(one, nsid, index, random_() % 2 == 0);
        }
        if (!queue_->poll()) queue_->wait(host::deadline(milliseconds(5)));
        (void)controller_->poll();
    }

    void submit(io& one, std::uint32_t nsid, std::uint64_t index, bool write) {
        one.nsid = nsid;
        one.index = index;
        one.number = write ? ++last_number_ : 0;
        one.data = one.bytes.data();
        one.data_bytes = block_bytes;
        one.data_in_capsule = random_() % 2 == 0;
        one.direction = write ? host::transfer::to_controller : host::transfer::from_controller;
        one.command = {};
        one.command.opcode =
            static_cast<std::uint8_t>(write ? nvme::io_opcode::write : nvme::io_opcode::read);
        one.command.nsid = nsid;
        nvme::encode_block_range(one.command, {.slba = lba(index), .blocks = 1});
        block& b = blocks_[nsid][index];
        b.busy = true;
        if (write) {
            const stamp s{number_ + 1, nsid, lba(index), one.number};
            one.bytes.fill(std::byte(one.number));
            std::memcpy(one.bytes.data(), &s, sizeof s);
            b.open_end.insert(one.number);
        }
        if (queue_->submit(one) == host::submit_result::queued) return;
        one.answered = false;
        finished(one);
    }

    void finished(io& one) noexcept {
        block& b = blocks_[one.nsid][one.index];
        b.busy = false;
        free_.push_back(&one);
        if (!one.answered) {
            tallies_.lost.fetch_add(1);
            ++last_failures_;
        } else if (!one.succeeded()) {
            tallies_.failed.fetch_add(1);
            ++last_failures_;
            judge(one.status());
        } else if (one.number != 0) {
            tallies_.writes.fetch_add(1);
            b.open_end.erase(one.number);
            b.acknowledged = one.number;
        } else {
            tallies_.reads.fetch_add(1);
            check(one, b);
        }
    }

    // What a namespace that comes and goes may answer with, and nothing else.
    void judge(nvme::status s) {
        namespace sc = nvme::sc;
        if (s.is(sc::invalid_namespace_or_format) || s.is(sc::namespace_not_ready) ||
            s.is(sc::lba_out_of_range) || s.is(sc::aborted_sq_deletion) || s.is(sc::internal_error))
            return;
        complaints_.add(fmt::format("{} was answered: {}", name(), nvme::describe(s)));
    }

    void check(const io& one, const block& b) {
        stamp found;
        std::memcpy(&found, one.bytes.data(), sizeof found);
        if (found == stamp{}) {
            if (b.acknowledged != 0)
                complaints_.add(fmt::format("{}: write {} to {}/{} was acknowledged and is lost",
                                            name(), b.acknowledged, one.nsid, one.index));
            return;
        }
        const bool mine =
            found.host == number_ + 1 && found.nsid == one.nsid && found.lba == lba(one.index);
        const bool known = found.number == b.acknowledged || b.open_end.contains(found.number);
        if (!mine || !known)
            complaints_.add(fmt::format(
                "{}: read {}/{} and found write {} of host {} to {}/{}; the last one was {}",
                name(), one.nsid, lba(one.index), found.number, found.host - 1, found.nsid,
                found.lba, b.acknowledged));
        for (std::size_t i = sizeof found; i < one.bytes.size(); ++i)
            if (one.bytes[i] != std::byte(found.number))
                return complaints_.add(name() + " read a torn block");
    }

    // Politely, or as a cable that is cut.
    void leave() {
        const bool cut = random_() % 3 != 0;
        if (cut) tallies_.cuts.fetch_add(1);
        if (!cut && queue_->is_open()) {
            const auto limit = clock::now() + seconds(15);
            while (queue_->is_open() && free_.size() != ios_.size() && clock::now() < limit)
                turn(false);
            if (queue_->is_open() && free_.size() != ios_.size())
                complaints_.add(fmt::format("{}: {} commands got no answer", name(),
                                            ios_.size() - free_.size()));
        }
        queue_->close();
        for (const host::queue* q : {queue_, &controller_->admin()}) {
            const host::protocol_checker& protocol_checker = q->checker();
            if (!protocol_checker.clean()) complaints_.add(name() + ": " + protocol_checker.text());
        }
        const host::protocol_checker& protocol_checker = queue_->checker();
        if (protocol_checker.outstanding() != 0)
            complaints_.add(name() + " has commands that nobody ended");
        queue_ = nullptr;
        controller_.reset();
    }

    std::uint64_t lba(std::uint64_t index) const {
        return (number_ / subsystems) * own_blocks + index;
    }

    unsigned number_;
    std::uint16_t port_;
    complaints& complaints_;
    tallies& tallies_;
    std::mt19937_64 random_;
    std::unique_ptr<host::controller> controller_;
    host::queue* queue_ = nullptr;
    std::vector<std::unique_ptr<io>> ios_;
    std::vector<io*> free_;
    std::map<std::uint32_t, std::array<block, own_blocks>> blocks_;
    std::uint64_t last_number_ = 0;
    std::uint64_t last_failures_ = 0;
};

// --- an operator ---------------------------------------------------------------------------------

class stress_operator {
  public:
    stress_operator(unsigned number, std::string socket, complaints& to)
        : complaints_(to), socket_(std::move(socket)), random_(1000 + number) {}

    void run(const std::atomic<bool>& stop) {
        while (!stop.load()) {
            act();
            std::this_thread::sleep_for(milliseconds(random_() % 20));
        }
    }
    [[nodiscard]] std::uint64_t operations() const { return operations_; }
    [[nodiscard]] milliseconds slowest() const { return slowest_; }

  private:
    void act() {
        const auto s = static_cast<unsigned>(random_() % subsystems);
        const auto nsid = static_cast<unsigned>(1 + random_() % namespaces);
        const std::string at = "/v1/subsystems/" + nqn(s);
        const std::string durable = random_() % 2 == 0 ? "?durable=false" : "";
        switch (random_() % 16) {
            case 0:
                return send("DELETE", at + durable + (durable.empty() ? "?" : "&") + "force=true");
            case 1:
            case 2:
            case 3:
            case 4: return send("POST", "/v1/subsystems" + durable, subsystem_json(s).dump());
            case 5: return send("POST", at + "/pause" + durable);
            case 6:
            case 7:
            case 8: return send("POST", at + "/resume" + durable);
            case 9: return send("DELETE", at + "/namespaces/" + std::to_string(nsid) + durable);
            case 10:
            case 11:
            case 12:
                return send("POST", at + "/namespaces" + durable,
                            json{{"nsid", nsid}, {"device", disk(s, nsid)}}.dump());
            case 13:
                return send(
                    "PATCH", "/v1/devices/" + disk(s, nsid) + durable,
                    json{{"size", random_() % 2 == 0 ? "4MiB" : "5MiB"}, {"allow_shrink", true}}
                        .dump());
            case 14: return send("GET", at);
            default: return send("GET", "/v1/connections");
        }
    }

    void send(const std::string& method, const std::string& target, const std::string& body = {}) {
        if (!client_ || !client_->connected())
            client_.emplace(test::http_client::unix_socket(socket_));
        const auto begun = clock::now();
        const test::http_answer answer = client_->send(method, target, body);
        const auto took = std::chrono::duration_cast<milliseconds>(clock::now() - begun);
        ++operations_;
        slowest_ = std::max(slowest_, took);
        if (took > operation_limit)
            complaints_.add(fmt::format("{} {} took {} ms", method, target, took.count()));
        static const std::set<int> fine{200, 201, 204, 404, 409};
        if (!fine.contains(answer.status))
            complaints_.add(
                fmt::format("{} {}: {} {}", method, target, answer.status, answer.body));
    }

    complaints& complaints_;
    std::string socket_;
    std::mt19937_64 random_;
    std::optional<test::http_client> client_;
    std::uint64_t operations_ = 0;
    milliseconds slowest_{};
};

// --- the daemon ----------------------------------------------------------------------------------

struct footprint {
    std::size_t descriptors = 0;
    std::size_t resident_kib = 0;
};

footprint footprint_of(pid_t child) {
    footprint f;
    const std::string at = fmt::format("/proc/{}/", child);
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(at + "fd"))
        ++f.descriptors;
    std::ifstream status(at + "status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) f.resident_kib = std::stoul(line.substr(6));
    return f;
}

struct stress : testing::Test {
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    json get(const std::string& target) {
        const auto answer = rest().send("GET", target);
        EXPECT_EQ(answer.status, 200) << target << ": " << answer.body;
        return answer.status == 200 ? json::parse(answer.body) : json::object();
    }

    // The operators stop first: a host cannot leave politely while its subsystem is paused.
    void storm(seconds length) {
        std::atomic<bool> stop_operators{false}, stop_hosts{false};
        std::vector<std::thread> operating, loading;
        for (auto& h : load) loading.emplace_back([&] { h->run(stop_hosts); });
        for (auto& o : changes) operating.emplace_back([&] { o->run(stop_operators); });
        const auto end = clock::now() + length;
        while (clock::now() < end && d.running()) std::this_thread::sleep_for(milliseconds(50));
        stop_operators = true;
        for (std::thread& t : operating) t.join();
        for (unsigned s = 0; s < subsystems; ++s)
            (void)rest().send("POST", "/v1/subsystems/" + nqn(s) + "/resume");
        stop_hosts = true;
        for (std::thread& t : loading) t.join();
        ASSERT_TRUE(d.running()) << d.log();
    }

    // Everything there again, and nobody connected.
    void wait_for_quiet() {
        for (unsigned s = 0; s < subsystems; ++s) {
            (void)rest().send("DELETE", "/v1/subsystems/" + nqn(s) + "?force=true");
            for (unsigned nsid = 1; nsid <= namespaces; ++nsid)
                EXPECT_EQ(rest()
                              .send("PATCH", "/v1/devices/" + disk(s, nsid),
                                    R"({"size":"4MiB","allow_shrink":true})")
                              .status,
                          200);
            const auto made = rest().send("POST", "/v1/subsystems", subsystem_json(s).dump());
            EXPECT_EQ(made.status, 201) << made.body;
        }
        const auto limit = clock::now() + seconds(15);
        while (!get("/v1/connections")["connections"].empty() && clock::now() < limit)
            std::this_thread::sleep_for(milliseconds(20));
        EXPECT_TRUE(get("/v1/connections")["connections"].empty());
        const json all = get("/v1/subsystems");
        for (const json& s : all["subsystems"]) {
            EXPECT_EQ(s["status"]["state"], "active");
            EXPECT_EQ(s["status"]["queued_operations"], 0);
            EXPECT_EQ(s["status"]["controllers"], 0);
            for (const json& ns : s["namespaces"]) {
                EXPECT_EQ(ns["status"]["state"], "ready");
                EXPECT_EQ(ns["status"]["outstanding"], 0);
                EXPECT_EQ(ns["status"]["parked"], 0);
                EXPECT_EQ(ns["status"]["abandoned"], 0);
            }
        }
        const json health = get("/v1/health");
        for (const json& r : health["reactors"]) {
            EXPECT_EQ(r["pool_chunks_free"], r["pool_chunks_total"]);
            EXPECT_EQ(r["pool_waiters"], 0);
        }
    }

    daemon_process d{configuration()};
    complaints wrong;
    tallies counts;
    std::vector<std::unique_ptr<stress_host>> load;
    std::vector<std::unique_ptr<stress_operator>> changes;
};

TEST_F(stress, of_sixteen_hosts_and_four_operators_leaves_nothing_behind) {
    const char* wanted = std::getenv("FULMAR_STRESS_SECONDS");
    const int length = wanted != nullptr ? std::atoi(wanted) : usual_seconds;
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    for (unsigned i = 0; i < hosts; ++i)
        load.push_back(std::make_unique<stress_host>(i, d.port(), wrong, counts));
    for (unsigned i = 0; i < operators; ++i)
        changes.push_back(std::make_unique<stress_operator>(i, d.folder() + "/admin.sock", wrong));

    // A third to warm up: after it, memory and descriptors must not grow any more.
    storm(seconds(std::max(1, length / 3)));
    wait_for_quiet();
    const footprint before = footprint_of(d.pid());
    storm(seconds(std::max(1, length - length / 3)));
    wait_for_quiet();
    const footprint after = footprint_of(d.pid());
    EXPECT_LE(after.descriptors, before.descriptors + 2) << "was " << before.descriptors;
    if (!sanitized) {
        EXPECT_LE(after.resident_kib, before.resident_kib + 8 * 1024) << "KiB resident";
    }

    for (auto& h : load) h->verify_all();
    EXPECT_GT(counts.reads.load(), 0u);
    EXPECT_GT(counts.writes.load(), 0u);
    EXPECT_GT(counts.cuts.load(), 0u);
    std::uint64_t operations = 0;
    milliseconds slowest{};
    for (const auto& o : changes) {
        operations += o->operations();
        slowest = std::max(slowest, o->slowest());
    }
    fmt::print(
        "{} s: {} connects ({} cut), {} reads, {} writes, {} failed, {} lost; {} operations, "
        "the slowest {} ms; {} -> {} KiB resident\n",
        length, counts.connects.load(), counts.cuts.load(), counts.reads.load(),
        counts.writes.load(), counts.failed.load(), counts.lost.load(), operations, slowest.count(),
        before.resident_kib, after.resident_kib);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
