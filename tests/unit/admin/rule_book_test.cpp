// One rule book: whatever REST accepts, the next start accepts. Named examples, and every resource
// driven through random changes with restarts between.
#include "config_world.hpp"
#include "random_spec.hpp"

#include <fulmar/base/sanitizer.hpp>
#include <fulmar/core/spec_rules.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace fulmar::admin {
namespace {

using namespace testing_support;
using nlohmann::json;
using testing::IsEmpty;

const std::string nqn_a = "nqn.2026-11.io.fulmar:a";
const std::string nqn_b = "nqn.2026-11.io.fulmar:b";
const std::string uuid = "3fd11b0a-0000-4000-8000-000000000001";
const std::string nguid = "00000000000000000000000000000abc";

std::string of(const std::string& nqn) {
    return "/v1/subsystems/nqn.2026-11.io.fulmar%3A" + nqn.substr(nqn.size() - 1);
}

struct rule_book : journal_test {
    /// Two devices, "d1" and "d2"; subsystems a and b; "late" and its namespace could not be
    /// brought up.
    void SetUp() override {
        journal_test::SetUp();
        disk.put(config_path, R"({
          "listeners": [{"address": "127.0.0.1", "port": 4420}],
          "devices": [{"name": "d1", "type": "ram", "size": 4096},
                      {"name": "d2", "type": "null", "size": 4096},
                      {"name": "late", "type": "file", "path": "late.img"}],
          "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:a", "namespaces":
                            [{"nsid": 7, "device": "late", "uuid": ")" +
                                  uuid + R"(", "nguid": ")" + nguid + R"("}]},
                         {"nqn": "nqn.2026-11.io.fulmar:b"}]})");
        world = std::make_unique<config_world>(disk, absent);
    }
    void TearDown() override {
        world.reset();
        journal_test::TearDown();
    }
    std::uint16_t send(const std::string& method, const std::string& target, const json& body) {
        last = world->send(method, target, body.is_null() ? "" : body.dump());
        return last.status;
    }
    /// Killed; started, which folds; killed and started again; stopped and started.
    void restart_thrice() {
        const core::target_spec before = sorted(world->log->configured());
        for (const bool clean : {false, false, true}) {
            if (clean) world->stop();
            world.reset();
            const auto file = parse_config(disk.text(config_path), "/etc/fulmar");
            ASSERT_TRUE(file.has_value()) << file.error().lines("")[0];
            world = std::make_unique<config_world>(disk, absent);
            ASSERT_EQ(world->refused, "");
            ASSERT_EQ(sorted(world->log->configured()), before);
            EXPECT_THAT(world->notes, testing::Not(testing::Contains(testing::HasSubstr("stays"))));
        }
    }
    std::set<std::string> absent{"late"};
    std::unique_ptr<config_world> world;
    http_response last;
};

TEST_F(rule_book, an_id_of_a_namespace_is_refused_wherever_it_is_used) {
    ASSERT_EQ(send("POST", of(nqn_b) + "/namespaces",
                   {{"device", "d1"}, {"uuid", "aa000000-0000-4000-8000-000000000001"}}),
              201)
        << last.body;
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces",
                   {{"device", "d2"}, {"uuid", "aa000000-0000-4000-8000-000000000001"}}),
              409)
        << "the UUID of another subsystem's";
    EXPECT_NE(last.body.find(nqn_b + "/1"), std::string::npos) << last.body;
    EXPECT_EQ(send("POST", "/v1/subsystems",
                   {{"nqn", "nqn.2026-11.io.fulmar:c"},
                    {"namespaces",
                     {{{"nsid", 1}, {"device", "d2"}, {"nguid", std::string(31, '0') + "1"}},
                      {{"nsid", 2}, {"device", "d1"}, {"nguid", std::string(31, '0') + "1"}}}}}),
              409)
        << "the same NGUID twice";
    restart_thrice();
}

TEST_F(rule_book, an_id_is_the_same_in_every_spelling) {
    ASSERT_EQ(send("POST", of(nqn_b) + "/namespaces",
                   {{"device", "d1"},
                    {"uuid", "aa000000-0000-4000-8000-00000000000b"},
                    {"nguid", "aa00000000004000800000000000000c"}}),
              201)
        << last.body;
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces",
                   {{"device", "d2"}, {"uuid", "AA000000-0000-4000-8000-00000000000B"}}),
              409)
        << last.body;
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces",
                   {{"device", "d2"}, {"nguid", "AA000000-0000-4000-8000-00000000000C"}}),
              409)
        << last.body;
    restart_thrice();
}

// Whoever asked has heard that it took too long; it may happen all the same.
TEST_F(rule_book, a_change_that_is_late_keeps_its_names_until_it_has_happened) {
    world.reset();
    world = std::make_unique<config_world>(disk, absent, 64 * 1024, std::chrono::milliseconds(1));
    const json late = {{"device", "d1"}, {"uuid", "aa000000-0000-4000-8000-000000000001"}};
    const json twin = {{"device", "d2"}, {"uuid", "aa000000-0000-4000-8000-000000000001"}};
    world->data_runs = false;
    EXPECT_EQ(send("POST", of(nqn_b) + "/namespaces", late), 504) << last.body;
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces", twin), 409) << last.body;
    EXPECT_NE(last.body.find("under way"), std::string::npos) << last.body;
    world->data_runs = true;
    world->settle();
    world.reset();
    world = std::make_unique<config_world>(disk, absent);
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces", twin), 409) << last.body;
    EXPECT_NE(last.body.find(nqn_b + "/1"), std::string::npos) << last.body;
    EXPECT_EQ(send("DELETE", of(nqn_b) + "/namespaces/1", {}), 204) << last.body;
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces", twin), 201) << last.body;
    restart_thrice();
}

TEST_F(rule_book, what_is_configured_but_missing_keeps_its_names) {
    EXPECT_EQ(send("POST", of(nqn_b) + "/namespaces", {{"device", "d1"}, {"uuid", uuid}}), 409);
    EXPECT_EQ(send("POST", of(nqn_b) + "/namespaces", {{"device", "d1"}, {"nguid", nguid}}), 409);
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces", {{"device", "d1"}, {"nsid", 7}}), 409);
    EXPECT_EQ(send("POST", "/v1/devices",
                   {{"name", "other"}, {"type", "file"}, {"path", "/etc/fulmar/late.img"}}),
              409)
        << "the path of a device that is missing";
    EXPECT_EQ(send("POST", of(nqn_b) + "/namespaces", {{"device", "d1"}}), 201) << last.body;
    restart_thrice();
    EXPECT_EQ(send("DELETE", of(nqn_a) + "/namespaces/7", {}), 204) << last.body;
    EXPECT_EQ(send("POST", of(nqn_a) + "/namespaces", {{"device", "d2"}, {"uuid", uuid}}), 201)
        << last.body;
    restart_thrice();
}

TEST_F(rule_book, a_file_that_was_moved_keeps_its_path_from_others) {
    ASSERT_EQ(send("POST", "/v1/devices",
                   {{"name", "f"}, {"type", "file"}, {"path", "x.img"}, {"size", 4096}}),
              201)
        << last.body;
    for (const char* again : {"x.img", "/etc/fulmar/x.img", "./y/../x.img"})
        EXPECT_EQ(send("POST", "/v1/devices",
                       {{"name", "g"}, {"type", "file"}, {"path", again}, {"size", 4096}}),
                  409)
            << again;
    restart_thrice();
}

TEST_F(rule_book, limits_are_those_of_the_file) {
    for (std::uint32_t i = 0; i < limits::max_listeners; ++i)
        ASSERT_EQ(send("POST", "/v1/referrals", {{"address", "192.0.2.1"}, {"port", 1000 + i}}),
                  201);
    EXPECT_EQ(send("POST", "/v1/referrals", {{"address", "192.0.2.2"}}), 507) << last.body;
    for (std::uint32_t i = 1; i < limits::max_listeners; ++i)
        ASSERT_EQ(send("POST", "/v1/listeners", {{"address", "127.0.0.1"}, {"port", 5000 + i}}),
                  201)
            << last.body;
    EXPECT_EQ(send("POST", "/v1/listeners", {{"address", "127.0.0.1"}, {"port", 0}}), 507);
    for (std::uint32_t i = 0; i < limits::max_hosts; ++i)
        ASSERT_EQ(
            send("POST", of(nqn_a) + "/hosts", {{"host", fmt::format("nqn.2014-08.org.x:h{}", i)}}),
            201);
    EXPECT_EQ(send("POST", of(nqn_a) + "/hosts", {{"host", "nqn.2014-08.org.x:more"}}), 507);
    restart_thrice();
}

TEST_F(rule_book, sizes_are_those_of_the_file) {
    constexpr std::uint64_t most = limits::max_device_bytes;
    ASSERT_EQ(send("PATCH", "/v1/devices/d2", {{"size", most}}), 200) << last.body;
    EXPECT_EQ(send("PATCH", "/v1/devices/d2", {{"size", most + 4096}}), 422) << last.body;
    EXPECT_EQ(send("PATCH", "/v1/devices/d2", {{"size", most * 2}}), 422);
    EXPECT_EQ(send("PATCH", "/v1/devices/d1", {{"size", 4097}}), 422);
    ASSERT_EQ(send("POST", "/v1/devices",
                   {{"name", "big"}, {"type", "null"}, {"size", 8192}, {"block_size", 4096}}),
              201);
    EXPECT_EQ(send("PATCH", "/v1/devices/big", {{"size", 4608}}), 422) << last.body;
    restart_thrice();
}

TEST_F(rule_book, an_address_that_a_wildcard_covers_is_refused) {
    EXPECT_EQ(send("POST", "/v1/listeners", {{"address", "0.0.0.0"}, {"port", 4420}}), 409);
    EXPECT_EQ(send("POST", "/v1/listeners", {{"address", "::"}, {"port", 4420}}), 201);
    EXPECT_EQ(send("POST", "/v1/listeners", {{"address", "::1"}, {"port", 4420}}), 409);
    EXPECT_EQ(send("POST", "/v1/listeners", {{"address", "10.0.0.1"}, {"port", 4420}}), 201);
    restart_thrice();
}

/// One broken object of each kind beside one that is good.
const std::string with_broken = R"({
  "listeners": [{"address": "127.0.0.1", "port": 4420}, {"address": "localhost", "port": 4421}],
  "devices": [{"name": "d1", "type": "ram", "size": 4096},
              {"name": "odd", "type": "ram", "size": 4097},
              {"name": "d2", "type": "ram", "size": 4096}],
  "subsystems": [
    {"nqn": "nqn.2026-11.io.fulmar:a", "allow_any_host": true, "namespaces": [
      {"nsid": 1, "device": "d1", "uuid": "3fd11b0a-0000-4000-8000-000000000001"},
      {"nsid": 2, "device": "d2", "uuid": "3fd11b0a-0000-4000-8000-000000000001"},
      {"nsid": 3, "device": "odd"}]},
    {"nqn": "nqn.2026-11.io.fulmar:b", "allow_any_host": true,
     "hosts": ["nqn.2014-08.org.x:good", "bad\u0001host"]},
    {"nqn": "bad\u0001subsystem", "namespaces": []}],
  "referrals": [{"address": "192.0.2.1"}, {"address": "192.0.2.1"}]})";

TEST_F(rule_book, a_broken_object_keeps_nothing_else_from_being_served) {
    world.reset();
    absent.clear();
    disk.put(config_path, with_broken);
    ASSERT_FALSE(parse_config(with_broken).has_value()) << "a check and a reload refuse it";
    for (int life = 0; life < 3; ++life) {
        SCOPED_TRACE(life);
        world = std::make_unique<config_world>(disk, absent);
        ASSERT_EQ(world->refused, "");
        EXPECT_THAT(world->start_errors, IsEmpty());
        EXPECT_EQ(world->log->broken().size(), 7u);
        const json health = json::parse(world->send("GET", "/v1/health").body);
        EXPECT_EQ(health["status"], "degraded");
        ASSERT_EQ(health["broken"].size(), 7u);
        for (const json& one : health["broken"]) {
            EXPECT_TRUE(one.contains("line")) << one;
            EXPECT_TRUE(one.contains("remedy")) << one;
        }
        const core::target_spec running = sorted(world->running());
        EXPECT_EQ(running.listeners.size(), 1u);
        EXPECT_EQ(running.referrals.size(), 1u);
        ASSERT_EQ(running.subsystems.size(), 2u);
        EXPECT_TRUE(running.subsystems[0].allow_any_host);
        EXPECT_FALSE(running.subsystems[1].allow_any_host) << "a broken list never opens";
        EXPECT_THAT(running.subsystems[1].hosts, IsEmpty());
        EXPECT_TRUE(running.subsystems[1].closed) << "whoever was on it may come back";
        EXPECT_FALSE(running.subsystems[0].closed);
        const json all = json::parse(world->send("GET", of(nqn_a) + "/namespaces").body);
        ASSERT_EQ(all["namespaces"].size(), 3u) << "hosts would delete their disk";
        for (const json& ns : all["namespaces"])
            EXPECT_EQ(ns["status"]["state"] == "ready", ns["nsid"] == 1) << ns;
        // Its text is not lost by a change, by a fold, nor by a kill.
        ASSERT_EQ(send("POST", "/v1/devices",
                       {{"name", fmt::format("more{}", life)}, {"type", "null"}, {"size", 4096}}),
                  201)
            << last.body;
        if (life == 1) world->stop();
        world.reset();
    }
    world = std::make_unique<config_world>(disk, absent);
    const json file = json::parse(disk.text(config_path));
    EXPECT_NE(disk.text(config_path), with_broken) << "it was folded";
    EXPECT_EQ(file["subsystems"][1]["hosts"][1],
              "bad\x01"
              "host");
    EXPECT_EQ(file["subsystems"][1]["allow_any_host"], true);
    EXPECT_EQ(file["subsystems"][2]["nqn"],
              "bad\x01"
              "subsystem");
    EXPECT_EQ(file["devices"].size(), 6u);
    EXPECT_EQ(file["listeners"][1]["address"], "localhost");
}

TEST_F(rule_book, a_broken_object_is_mended_in_the_file_only) {
    world.reset();
    absent.clear();
    disk.put(config_path, with_broken);
    world = std::make_unique<config_world>(disk, absent);
    EXPECT_EQ(send("POST", of(nqn_b) + "/hosts", {{"host", "nqn.2014-08.org.x:h"}}), 409);
    EXPECT_NE(last.body.find("no host may connect"), std::string::npos) << last.body;
    EXPECT_EQ(send("PATCH", of(nqn_b), {{"allow_any_host", true}}), 409);
    EXPECT_EQ(send("DELETE", of(nqn_a) + "/namespaces/2", {}), 409) << last.body;
    EXPECT_EQ(send("DELETE", "/v1/devices/odd", {}), 409) << last.body;
    EXPECT_EQ(send("POST", "/v1/devices", {{"name", "odd"}, {"type", "null"}, {"size", 4096}}),
              409);
    EXPECT_EQ(send("POST", of(nqn_b) + "/namespaces", {{"device", "d2"}}), 409)
        << "the device of a broken namespace";
    EXPECT_EQ(send("DELETE", of(nqn_a) + "/namespaces/1", {}), 204) << last.body;
    EXPECT_EQ(send("DELETE", of(nqn_a) + "?force=true", {}), 204)
        << "what is broken in it goes with it";
    EXPECT_EQ(send("POST", of(nqn_b) + "/namespaces", {{"device", "d2"}}), 201) << last.body;
    world.reset();
    world = std::make_unique<config_world>(disk, absent);
    EXPECT_EQ(world->log->broken().size(), 5u);
}

// An older version accepted them, and the file that it would have folded them into was no file.
TEST_F(rule_book, what_only_the_journal_has_broken_is_set_aside_too) {
    for (const char* nqn : {"a", "b"}) {
        core::add_namespace add{"nqn.2026-11.io.fulmar:" + std::string(nqn), {}};
        add.spec.nsid = 3;
        add.spec.device = nqn[0] == 'a' ? "d1" : "d2";
        add.spec.uuid = "aa000000-0000-4000-8000-000000000001";
        add.spec.nguid = nguid;
        world->log->append(add, 1, nullptr);
    }
    world->stop();
    for (int start = 0; start < 2; ++start) {
        world.reset();
        EXPECT_TRUE(parse_config(disk.text(config_path)).has_value()) << "the file stays good";
        world = std::make_unique<config_world>(disk, absent);
        ASSERT_EQ(world->refused, "");
        ASSERT_EQ(world->log->broken().size(), 2u);
        EXPECT_EQ(world->log->broken()[0].name, "namespace 3 of " + nqn_a) << "late has that NGUID";
        EXPECT_EQ(json::parse(world->send("GET", "/v1/health").body)["status"], "degraded");
    }
}

TEST_F(rule_book, broken_syntax_and_broken_options_refuse_the_start) {
    for (
        const char* text :
        {"{", R"({"devises": []})", R"({"cores": {"data": 0}})", R"({"listeners": {}})",
         R"({"devices": [{"name": "a", "type": "ram", "size": 1}], "limits": {"io_queues": 0}})"}) {
        const auto strict = parse_config(text);
        const auto lenient = parse_config_leniently(text);
        ASSERT_FALSE(lenient.has_value()) << text;
        EXPECT_EQ(lenient.error().lines("f"), strict.error().lines("f"));
    }
}

/// Random requests over a small universe, so that names, ids and addresses meet.
class driver {
  public:
    explicit driver(std::uint64_t seed) : random_(seed) {}

    struct call {
        std::string method;
        std::string target;
        json body;
    };

    call next() {
        if (below(200) == 0) grows_ = !grows_;
        const bool adds = below(10) < (grows_ ? 7u : 3u);
        switch (below(6)) {
            case 0: return adds ? add_device() : change_device();
            case 1: return adds ? add_subsystem() : change_subsystem();
            case 2: return adds ? add_namespace() : change_namespace();
            case 3: return host(adds);
            case 4:
                return adds ? call{"POST", "/v1/listeners", endpoint(0)}
                            : call{"DELETE", "/v1/listeners/" + listener(), {}};
            default:
                return adds ? call{"POST", "/v1/referrals", endpoint(1)}
                            : call{"DELETE", "/v1/referrals/" + listener(), {}};
        }
    }
    std::uint32_t below(std::uint32_t n) {
        return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_);
    }
    template <typename T, std::size_t N>
    T any(const std::array<T, N>& of) {
        return of[below(N)];
    }

  private:
    std::string device() { return fmt::format("d{}", below(12)); }
    std::string nqn() { return fmt::format("nqn.2026-11.io.fulmar:s{}", below(8)); }
    std::string subsystem() {
        return fmt::format("/v1/subsystems/nqn.2026-11.io.fulmar%3As{}", below(8));
    }
    std::string host_name() { return fmt::format("nqn.2014-08.org.x:h{}", below(6)); }
    std::uint64_t size() {
        return any(std::array<std::uint64_t, 9>{0, 512, 4096, 8192, 4097, 4608,
                                                limits::max_device_bytes,
                                                limits::max_device_bytes + 4096, 1ull << 62});
    }
    std::string path() {
        const unsigned i = below(5);
        return any(std::array<std::string, 3>{fmt::format("p{}.img", i),
                                              fmt::format("/etc/fulmar/p{}.img", i),
                                              fmt::format("x/../p{}.img", i)});
    }
    std::string listener() {
        return fmt::format("tcp:{}:{}",
                           any(std::array<std::string, 4>{"127.0.0.1", "0.0.0.0", "[::1]", "[::]"}),
                           4420 + below(40));
    }
    json endpoint(unsigned least) {
        json out{{"address", any(std::array<std::string, 6>{"127.0.0.1", "0.0.0.0", "::1",
                                                            "::", "0:0::1", "10.0.0.1"})}};
        const unsigned port = below(20) == 0 ? least : 4420 + below(40);
        out["port"] = port;
        return out;
    }
    call add_device() {
        json out{{"name", below(30) == 0 ? std::string(126 + below(5), 'n') : device()},
                 {"type", any(std::array<std::string, 3>{"null", "file", "ram"})}};
        if (out["type"] == "file") out["path"] = path();
        out["size"] = out["type"] == "ram" ? 4096 : size();
        if (below(3) == 0) out["block_size"] = 4096;
        return {"POST", "/v1/devices", out};
    }
    call change_device() {
        const std::string target = "/v1/devices/" + device();
        if (below(3) == 0) return {"DELETE", target, {}};
        if (below(3) == 0) return {"POST", target + "/reopen", {}};
        return {"PATCH", target, {{"size", size()}}};
    }
    json namespace_body(bool numbered) {
        json out{{"device", device()}};
        const unsigned nsid = any(std::array<unsigned, 8>{0, 0, 1, 2, 3, 1024, 1025, 4});
        if (numbered || nsid != 0) out["nsid"] = numbered && nsid == 0 ? 5 : nsid;
        if (below(4) == 0)
            out["uuid"] = fmt::format("3fd11b0a-0000-4000-8000-00000000000{}", below(3));
        if (below(4) == 0)
            out["nguid"] = fmt::format("0000000000000000000000000000ab0{}", below(3));
        // What would be derived for another one.
        if (below(8) == 0)
            out["uuid"] = nvme::to_text(nvme::derive_uuid(nqn(), 1 + below(3))).view();
        if (below(4) == 0) out["on_loss"] = "hold";
        if (below(8) == 0) out["park_ms"] = any(std::array<unsigned, 3>{0, 600'000, 600'001});
        return out;
    }
    call add_subsystem() {
        json out{{"nqn", below(20) == 0
                             ? "nqn.2026-11.io.fulmar:" + std::string(200 + below(4), 's')
                             : nqn()}};
        if (below(4) == 0) out["serial"] = std::string(19 + below(3), 'S');
        if (below(4) == 0) out["model"] = std::string(39 + below(3), 'M');
        if (below(4) == 0) out["min_cntlid"] = any(std::array<unsigned, 4>{0, 1, 0xffef, 0xfff0});
        if (below(4) == 0) out["max_cntlid"] = any(std::array<unsigned, 4>{0, 1, 0xffef, 0xfff0});
        if (below(3) == 0) out["hosts"] = {host_name(), host_name()};
        if (below(4) == 0) out["paused"] = true;
        const bool put = below(3) == 0;
        out["namespaces"] = json::array();
        for (unsigned i = below(4); i > 0; --i) out["namespaces"].push_back(namespace_body(put));
        if (put && out["nqn"].get<std::string>().size() < 30)
            return {"PUT",
                    "/v1/subsystems/nqn.2026-11.io.fulmar%3A" +
                        out["nqn"].get<std::string>().substr(22),
                    out};
        return {"POST", "/v1/subsystems", out};
    }
    call change_subsystem() {
        switch (below(4)) {
            case 0: return {"DELETE", subsystem(), {}};
            case 1: return {"POST", subsystem() + (below(2) ? "/pause" : "/resume"), {}};
            default: return {"PATCH", subsystem(), {{"allow_any_host", below(2) == 0}}};
        }
    }
    call add_namespace() { return {"POST", subsystem() + "/namespaces", namespace_body(false)}; }
    call change_namespace() {
        const std::string target = fmt::format("{}/namespaces/{}", subsystem(), 1 + below(5));
        if (below(2) == 0) return {"DELETE", target, {}};
        return {"PATCH", target, {{"ana_state", below(2) ? "optimized" : "inaccessible"}}};
    }
    call host(bool adds) {
        if (adds) return {"POST", subsystem() + "/hosts", {{"host", host_name()}}};
        return {
            "DELETE", fmt::format("{}/hosts/nqn.2014-08.org.x%3Ah{}", subsystem(), below(6)), {}};
    }

    std::mt19937_64 random_;
    bool grows_ = true;
};

// A count, not a time, so that every machine proves as much: 100,000 changes, from ten seeds.
constexpr std::uint64_t seeds = 10;
#if FULMAR_ASAN || FULMAR_TSAN
constexpr unsigned usual_changes = 1'000;
#else
constexpr unsigned usual_changes = 10'000;
#endif
constexpr unsigned soak_changes = 100'000;
constexpr unsigned changes_per_life = 1'000;

struct random_changes_test : journal_test, testing::WithParamInterface<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(seeds, random_changes_test, testing::Range(std::uint64_t{1}, seeds + 1));

TEST_P(random_changes_test, whatever_rest_accepts_the_next_start_accepts) {
    const unsigned driven = std::getenv("FULMAR_SOAK") == nullptr ? usual_changes : soak_changes;
    disk.put(config_path, R"({"state_dir": ""})");
    driver random(GetParam());
    unsigned applied = 0;
    unsigned sent = 0;
    std::map<unsigned, unsigned> answers;
    std::set<std::string> absent;
    core::target_spec before;
    while (applied < driven) {
        config_world world(disk, absent);
        ASSERT_EQ(world.refused, "") << "after " << applied << " changes";
        ASSERT_EQ(sorted(world.log->configured()), sorted(before)) << "after " << applied;
        if (absent.empty()) {
            ASSERT_THAT(world.start_errors, IsEmpty()) << "after " << applied << " changes";
            core::target_spec running = world.running();
            ASSERT_EQ(sorted(running), sorted(world.found)) << "after " << applied << " changes";
        }
        for (unsigned i = 0; i < changes_per_life;) {
            const driver::call call = random.next();
            const http_response answer =
                world.send(call.method, call.target, call.body.is_null() ? "" : call.body.dump());
            ++answers[answer.status];
            ++sent;
            ASSERT_TRUE(answer.status < 500 || answer.status == 507 || answer.status == 501)
                << call.method << " " << call.target << " " << call.body << "\n"
                << answer.body;
            if (answer.status >= 300) continue;
            ++i;
            ++applied;
        }
        before = world.log->configured();
        if (random.below(4) == 0) world.stop();
        // Some devices are not there at the next start.
        absent.clear();
        if (random.below(2) == 0)
            for (unsigned i = 0; i < 3; ++i) absent.insert(fmt::format("d{}", random.below(12)));
    }
    std::printf("%u changes of %u requests, %u restarts\n", applied, sent,
                applied / changes_per_life);
    for (const unsigned status : {200u, 201u, 204u, 404u, 409u, 422u})
        EXPECT_GT(answers[status], 0u) << status;
}

}  // namespace
}  // namespace fulmar::admin
