// A real fulmard, changed over REST at random and ended in every way: what runs after the next
// start is what had been acknowledged. The choices come from the seeds 1, 2, …; every run says how
// many there were. FULMAR_SOAK makes it go through more of them.
#include "daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/base/sanitizer.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

namespace fulmar::e2e {
namespace {

using nlohmann::json;

const std::string only_admin = R"({
  "admin": {"unix_socket": "admin.sock"},
  "cores": {"data": 1},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}]
})";

struct request {
    std::string method;
    std::string target;
    json body = nullptr;
    [[nodiscard]] std::string text() const {
        return fmt::format("{} {} {}", method, target, body.is_null() ? "" : body.dump());
    }
};

/// Requests over a small universe, so that names, ids, paths and addresses meet. Listeners are on
/// loopback addresses that nobody else uses, so that a port is free again after a restart.
class requests {
  public:
    requests(std::uint64_t seed, std::string folder) : random_(seed), folder_(std::move(folder)) {}

    request next() {
        if (below(60) == 0) grows_ = !grows_;
        const bool adds = below(10) < (grows_ ? 7u : 3u);
        switch (below(7)) {
            case 0:
            case 1: return adds ? add_device() : change_device();
            case 2: return adds ? add_subsystem() : change_subsystem();
            case 3: return adds ? add_namespace() : change_namespace();
            case 4: return change_hosts(adds);
            case 5: return change_listeners(adds);
            default: return change_referrals(adds);
        }
    }
    std::uint32_t below(std::uint32_t n) {
        return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_);
    }

  private:
    template <typename T, std::size_t N>
    T any(const std::array<T, N>& of) {
        return of[below(N)];
    }
    std::string device() { return fmt::format("d{}", below(10)); }
    std::string nqn() { return fmt::format("nqn.2026-11.io.fulmar:r{}", below(5)); }
    std::string subsystem() { return "/v1/subsystems/" + nqn(); }
    std::string host() { return fmt::format("nqn.2014-08.org.x:h{}", below(5)); }
    /// Of this process alone: another run of the test may be beside it.
    std::string address() {
        const auto own = static_cast<unsigned>(::getpid());
        return fmt::format("127.{}.{}.{}", 64 + own / 250 % 128, own % 250, 1 + below(3));
    }
    std::uint32_t port() { return 24'420 + below(6); }

    request add_device() {
        json out{{"name", device()},
                 {"type", any(std::array<const char*, 3>{"null", "ram", "file"})}};
        if (out["type"] == "file") {
            const unsigned i = below(4);
            out["path"] = any(std::array<std::string, 3>{fmt::format("p{}.img", i),
                                                         fmt::format("{}/p{}.img", folder_, i),
                                                         fmt::format("./x/../p{}.img", i)});
        }
        out["size"] = out["type"] == "null" ? size() : 4096u << below(3);
        if (below(3) == 0) out["block_size"] = 4096;
        return {"POST", "/v1/devices", out};
    }
    std::uint64_t size() {
        constexpr std::uint64_t most = std::uint64_t{1} << 60;
        return any(std::array<std::uint64_t, 7>{512, 4096, 8192, 4097, 4608, most, most + 4096});
    }
    request change_device() {
        const std::string target = "/v1/devices/" + device();
        switch (below(4)) {
            case 0: return {"DELETE", target};
            case 1: return {"POST", target + "/reopen"};
            default:
                return {"PATCH",
                        target + (below(3) == 0 ? "?allow_shrink=true" : ""),
                        {{"size", size()}}};
        }
    }
    json a_namespace(bool numbered) {
        json out{{"device", device()}};
        if (numbered || below(2) == 0)
            out["nsid"] = any(std::array<unsigned, 6>{1, 2, 3, 1024, 1025, 4});
        if (below(4) == 0)
            out["uuid"] = fmt::format("3fd11b0a-0000-4000-8000-00000000000{}", below(3));
        if (below(4) == 0) out["nguid"] = fmt::format("{:031}{}", 0xab, below(3));
        if (below(4) == 0) out["on_loss"] = "hold";
        return out;
    }
    request add_subsystem() {
        json out{{"nqn", nqn()}, {"namespaces", json::array()}};
        if (below(4) == 0) out["serial"] = std::string(19 + below(3), 'S');
        if (below(4) == 0) out["max_namespaces"] = any(std::array<unsigned, 3>{3, 4096, 4097});
        if (below(3) == 0) out["hosts"] = {host(), host()};
        if (below(4) == 0) out["paused"] = true;
        const bool put = below(3) == 0;
        for (unsigned i = below(4); i > 0; --i) out["namespaces"].push_back(a_namespace(put));
        if (put)
            return {"PUT",
                    "/v1/subsystems/" + out["nqn"].get<std::string>() +
                        (below(2) == 0 ? "?force=true" : ""),
                    out};
        return {"POST", "/v1/subsystems", out};
    }
    request change_subsystem() {
        switch (below(4)) {
            case 0: return {"DELETE", subsystem() + (below(2) == 0 ? "?force=true" : "")};
            case 1: return {"POST", subsystem() + (below(2) == 0 ? "/pause" : "/resume")};
            default: return {"PATCH", subsystem(), {{"allow_any_host", below(2) == 0}}};
        }
    }
    request add_namespace() { return {"POST", subsystem() + "/namespaces", a_namespace(false)}; }
    request change_namespace() {
        const std::string target = fmt::format("{}/namespaces/{}", subsystem(), 1 + below(4));
        if (below(2) == 0) return {"DELETE", target};
        return {"PATCH", target, {{"ana_state", below(2) == 0 ? "optimized" : "inaccessible"}}};
    }
    request change_hosts(bool adds) {
        if (adds) return {"POST", subsystem() + "/hosts", {{"host", host()}}};
        return {"DELETE", subsystem() + "/hosts/" + host()};
    }
    request change_listeners(bool adds) {
        if (adds) return {"POST", "/v1/listeners", {{"address", address()}, {"port", port()}}};
        return {"DELETE", fmt::format("/v1/listeners/tcp:{}:{}", address(), port())};
    }
    request change_referrals(bool adds) {
        if (adds) return {"POST", "/v1/referrals", {{"address", address()}, {"port", port()}}};
        return {"DELETE", fmt::format("/v1/referrals/tcp:{}:{}", address(), port())};
    }

    std::mt19937_64 random_;
    std::string folder_;
    bool grows_ = true;
};

/// Every object of a configuration by its kind and name.
std::map<std::string, json> objects_of(const json& config) {
    std::map<std::string, json> out;
    for (const json& one : config.value("devices", json::array()))
        out["device " + one["name"].get<std::string>()] = one;
    for (const json& one : config.value("subsystems", json::array())) {
        json sorted = one;
        const auto by_nsid = [](const json& a, const json& b) { return a["nsid"] < b["nsid"]; };
        json& all = sorted["namespaces"];
        std::sort(all.begin(), all.end(), by_nsid);
        std::sort(sorted["hosts"].begin(), sorted["hosts"].end());
        out["subsystem " + one["nqn"].get<std::string>()] = sorted;
    }
    for (const char* list : {"listeners", "referrals"})
        for (const json& one : config.value(list, json::array()))
            out[fmt::format("{} {} {}", list, one["address"].dump(), one["port"].dump())] = one;
    return out;
}

/// What differs between two, for people; at most a few objects.
std::vector<std::string> differences(const std::map<std::string, json>& a,
                                     const std::map<std::string, json>& b) {
    std::vector<std::string> out;
    const auto text = [](const auto& in, const std::string& key) {
        const auto found = in.find(key);
        return found == in.end() ? std::string("nothing") : found->second.dump();
    };
    for (const auto* from : {&a, &b})
        for (const auto& [key, value] : *from)
            if (text(a, key) != text(b, key) && (from == &a || !a.contains(key)))
                out.push_back(fmt::format("{}: {} became {}", key, text(a, key), text(b, key)));
    return out;
}

enum class ending { killed_at_rest, killed_within_a_change, asked_to_stop, killed_at_start };
constexpr std::array endings{ending::killed_at_rest, ending::killed_within_a_change,
                             ending::asked_to_stop, ending::killed_at_start};

struct random_changes : testing::Test {
    test::http_client connect() {
        return test::http_client::unix_socket(d.folder() + "/admin.sock");
    }
    test::http_answer send(test::http_client& to, const request& what) {
        return to.send(what.method, what.target, what.body.is_null() ? "" : what.body.dump());
    }
    std::map<std::string, json> configuration() {
        auto client = connect();
        return objects_of(json::parse(client.send("GET", "/v1/config").body));
    }
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
    }
    void expect_well() {
        auto client = connect();
        const json health = json::parse(client.send("GET", "/v1/health").body);
        for (const char* list : {"broken", "missing", "start_errors", "waiting_listeners"})
            EXPECT_TRUE(health.value(list, json::array()).empty()) << health.dump(2) << d.log();
    }
    void drive(requests& from, unsigned changes) {
        auto client = connect();
        for (unsigned applied = 0; applied < changes;) {
            const request one = from.next();
            const auto answer = send(client, one);
            // 501: what cannot be reopened; 507: limits.
            ASSERT_TRUE(answer.status != 0 &&
                        (answer.status < 500 || answer.status == 501 || answer.status == 507))
                << one.text() << "\n"
                << answer.status << " " << answer.body << d.log();
            ++sent;
            if (answer.headers.contains("connection")) client = connect();  // it is closed now
            if (answer.status >= 300) continue;
            ++applied;
            ++acknowledged;
        }
    }
    /// Killed while a change is on its way: it is there as a whole or not at all, and it is there
    /// when its answer had come.
    void kill_within_a_change(requests& from) {
        const auto before = configuration();
        const request one = from.next();
        test::http_answer answer;
        std::thread client([&] {
            auto to = connect();
            answer = send(to, one);
        });
        std::this_thread::sleep_for(std::chrono::microseconds(from.below(6'000)));
        d.stop(SIGKILL);
        client.join();
        ASSERT_NO_FATAL_FAILURE(start());
        const auto after = configuration();
        const auto changed = differences(before, after);
        EXPECT_LE(changed.size(), 1u) << one.text() << testing::PrintToString(changed);
        if (answer.status >= 300) {
            EXPECT_TRUE(changed.empty()) << one.text() << testing::PrintToString(changed);
        }
        if (answer.status < 200 || answer.status >= 300 || !changed.empty()) return;
        auto again = connect();
        const auto repeated = send(again, one);
        EXPECT_TRUE(repeated.status >= 200 && repeated.status < 300 && configuration() == before)
            << "acknowledged, and gone: " << one.text() << " " << repeated.body;
    }
    void end_and_start(ending how, requests& from) {
        if (how == ending::killed_within_a_change) return kill_within_a_change(from);
        const auto before = configuration();
        if (how == ending::asked_to_stop)
            ASSERT_EQ(d.stop(SIGTERM), 0) << d.log();
        else
            d.stop(SIGKILL);
        ASSERT_NO_FATAL_FAILURE(start());
        if (how == ending::killed_at_start) {
            d.stop(SIGKILL);
            ASSERT_NO_FATAL_FAILURE(start());
        }
        EXPECT_EQ(differences(before, configuration()), std::vector<std::string>{}) << d.log();
    }

    daemon_process d{only_admin};
    unsigned acknowledged = 0;
    unsigned sent = 0;
};

#if FULMAR_ASAN || FULMAR_TSAN
constexpr unsigned usual_seeds = 2;
#else
constexpr unsigned usual_seeds = 5;
#endif
constexpr unsigned soak_seeds = 500;
constexpr unsigned changes_per_life = 50;

TEST_F(random_changes, what_was_acknowledged_runs_after_any_end) {
    const unsigned seeds = std::getenv("FULMAR_SOAK") == nullptr ? usual_seeds : soak_seeds;
    ASSERT_NO_FATAL_FAILURE(start());
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        requests from(seed, d.folder());
        for (const ending how : endings) {
            ASSERT_NO_FATAL_FAILURE(drive(from, changes_per_life));
            ASSERT_NO_FATAL_FAILURE(end_and_start(how, from));
            ASSERT_NO_FATAL_FAILURE(expect_well());
            if (HasFailure()) return;
        }
    }
    const finished checked = run({"fulmard", "--check-config", d.config_path()});
    EXPECT_EQ(checked.exit_code, 0) << checked.output;
    std::printf("%u seeds: %u changes of %u requests, %u ends\n", seeds, acknowledged, sent,
                seeds * static_cast<unsigned>(endings.size()));
    EXPECT_GE(acknowledged, seeds * endings.size() * changes_per_life);
}

}  // namespace
}  // namespace fulmar::e2e
