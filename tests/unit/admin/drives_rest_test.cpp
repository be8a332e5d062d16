// /v1/drives and /v1/events over drives that are data.
#include "event_ring.hpp"
#include "rest_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <set>
#include <vector>

namespace fulmar::admin {
namespace {

using nlohmann::json;
using test::eventually;
using test::fake_drives;

struct drives_rest : testing_support::rest_fixture {
    void SetUp() override {
        rest_fixture::SetUp();
        start();
    }
    test::http_answer ask(const std::string& method, const std::string& target,
                          const std::string& body = {}) {
        return connect().send(method, target, body);
    }
    /// A device of Fulmar stands on the first drive.
    void configure() {
        ASSERT_EQ(
            ask("POST", "/v1/devices", R"({"name":"d1","type":"pcie","address":"0000:0b:00.0"})")
                .status,
            201);
        drives.edit(0, [](drive_report& one) {
            one.names = {"d1"};
            one.state = "ready";
            one.driver = "vfio-pci";
        });
    }
    const std::string at = "/v1/drives/0000:0b:00.0";
};

TEST_F(drives_rest, tells_what_a_drive_is_by_place_and_by_serial_number) {
    const json by_place = json::parse(ask("GET", at).body);
    EXPECT_EQ(by_place["slot"], "11");
    EXPECT_EQ(by_place["iommu_group"], 14);
    EXPECT_TRUE(by_place["device"].is_null());
    EXPECT_EQ(by_place["history"][0]["event"], "arrived");
    EXPECT_EQ(by_place["history"][0]["time"], "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(json::parse(ask("GET", "/v1/drives/SER%201").body), by_place);
    EXPECT_EQ(ask("GET", "/v1/drives/SER9").status, 404);
    const json all = json::parse(ask("GET", "/v1/drives").body);
    EXPECT_EQ(all["drives"].size(), 2u);
    EXPECT_TRUE(all["drives"][1]["iommu_group"].is_null());
}

TEST_F(drives_rest, moves_a_drive_and_says_who_uses_the_other) {
    const auto bound = ask("POST", at + "/bind");
    ASSERT_EQ(bound.status, 200) << bound.body;
    EXPECT_EQ(json::parse(bound.body)["driver"], "vfio-pci");
    EXPECT_EQ(ask("POST", at + "/bind").status, 200) << "it has that driver already";
    EXPECT_EQ(json::parse(ask("POST", at + "/unbind").body)["driver"], "nvme");
    const auto used = ask("POST", "/v1/drives/SER2/bind");
    EXPECT_EQ(used.status, 409);
    EXPECT_NE(used.body.find("mounted on /data"), std::string::npos);
}

TEST_F(drives_rest, a_drive_that_is_bound_by_its_serial_number_is_shown) {
    const auto bound = ask("POST", "/v1/drives/SER%201/bind");
    ASSERT_EQ(bound.status, 200) << bound.body;
    EXPECT_EQ(json::parse(bound.body)["driver"], "vfio-pci");
}

TEST_F(drives_rest, a_drive_of_a_device_is_not_unbound_and_one_without_is_not_attached) {
    const auto none = ask("POST", at + "/attach");
    EXPECT_EQ(none.status, 409);
    EXPECT_NE(none.body.find("POST /v1/devices"), std::string::npos) << none.body;
    configure();
    const auto held = ask("POST", at + "/unbind");
    EXPECT_EQ(held.status, 409);
    EXPECT_NE(held.body.find("d1"), std::string::npos);
    drives.edit(0, [](drive_report& one) {
        one.state = "absent";
        one.detached = true;
    });
    EXPECT_EQ(ask("POST", at + "/unbind").status, 200);
}

TEST_F(drives_rest, a_detach_is_answered_when_the_kernel_has_the_drive) {
    configure();
    drives.edit(0, [](drive_report& one) { one.state = "releasing"; });
    for (const char* verb : {"/detach", "/drain"}) {
        auto answer = std::async(std::launch::async, [&] { return ask("POST", at + verb); });
        ASSERT_TRUE(eventually([&] { return fake.spec().devices[0].detached; }));
        EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
        server_->publish(fake_drives::event(1, "lost"));  // an event, and still it is open
        EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
        drives.edit(0, [](drive_report& one) { one.state = "absent"; });
        server_->publish(fake_drives::event(2, "released"));
        EXPECT_EQ(answer.get().status, 200);
        EXPECT_EQ(ask("POST", at + "/attach").status, 200);
        EXPECT_FALSE(fake.spec().devices[0].detached);
        drives.edit(0, [](drive_report& one) { one.state = "releasing"; });
    }
}

TEST_F(drives_rest, all_devices_of_a_drive_are_taken_away_and_come_back_together) {
    configure();
    ASSERT_EQ(ask("POST", "/v1/devices",
                  R"({"name":"d2","type":"pcie","address":"0000:0b:00.0","drive_nsid":2})")
                  .status,
              201);
    drives.edit(0, [](drive_report& one) {
        one.names = {"d1", "d2"};
        one.state = "absent";
    });
    const auto detached = ask("POST", at + "/detach");
    ASSERT_EQ(detached.status, 200) << detached.body;
    EXPECT_EQ(json::parse(detached.body)["device"]["names"], (json{"d1", "d2"}));
    for (const auto& device : fake.spec().devices) EXPECT_TRUE(device.detached) << device.name;
    EXPECT_EQ(ask("POST", at + "/attach").status, 200);
    for (const auto& device : fake.spec().devices) EXPECT_FALSE(device.detached) << device.name;
}

TEST_F(drives_rest, lights_its_slot) {
    EXPECT_EQ(ask("POST", at + "/locate", R"({"indicator":"blink"})").status, 200);
    EXPECT_EQ(drives.indicator(), "blink");
    EXPECT_EQ(ask("POST", at + "/locate", R"({"indicator":"red"})").status, 422);
    EXPECT_EQ(ask("POST", at + "/locate").status, 411);
}

TEST_F(drives_rest, events_come_when_they_happen) {
    EXPECT_EQ(json::parse(ask("GET", "/v1/events").body)["next"], 0);
    auto first = std::async(std::launch::async, [&] { return ask("GET", "/v1/events?after=0"); });
    EXPECT_EQ(first.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
    server_->publish(fake_drives::event(1, "lost"));
    const json told = json::parse(first.get().body);
    ASSERT_EQ(told["events"].size(), 1u);
    EXPECT_EQ(told["events"][0]["event"], "lost");
    EXPECT_EQ(told["next"], 1);
    EXPECT_FALSE(told["gap"]);
    server_->publish({.sequence = 2,
                      .what = "preempted",
                      .subsystem = "nqn.2026-11.io.fulmar:s",
                      .nsid = 7,
                      .host = "nqn.2014-08.x:h",
                      .detail = "nothing held"});
    const json second = json::parse(ask("GET", "/v1/events?after=1").body)["events"];
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0]["subsystem"], "nqn.2026-11.io.fulmar:s");
    EXPECT_EQ(second[0]["nsid"], 7);
    EXPECT_EQ(second[0]["host"], "nqn.2014-08.x:h");
    EXPECT_EQ(second[0]["event"], "preempted");
    EXPECT_FALSE(second[0].contains("address"));
    EXPECT_EQ(ask("GET", "/v1/events?after=one").status, 422);
    EXPECT_EQ(ask("GET", "/v1/events?before=1").status, 400);
}

TEST_F(drives_rest, who_waits_for_events_does_not_keep_the_server) {
    std::vector<std::future<test::http_answer>> waiting;
    for (std::uint32_t i = 0; i < limits::max_event_waiters + 1; ++i)
        waiting.push_back(
            std::async(std::launch::async, [&] { return ask("GET", "/v1/events?after=0"); }));
    const auto answered = [](const auto& one) {
        return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    // There is room for all but one.
    ASSERT_TRUE(
        eventually([&] { return std::count_if(waiting.begin(), waiting.end(), answered) == 1; }));
    server_->stop(std::chrono::minutes(10));  // which nobody uses up: then this test is too slow
    std::multiset<unsigned> statuses;
    for (auto& one : waiting) statuses.insert(one.get().status);
    EXPECT_EQ(statuses.count(200), limits::max_event_waiters);
    EXPECT_EQ(statuses.count(507), 1u);
}

TEST(event_ring, keeps_the_last_and_tells_of_a_gap) {
    event_ring ring(4);
    EXPECT_FALSE(ring.after(0).gap);
    for (std::uint64_t i = 1; i <= 6; ++i) ring.add(fake_drives::event(i, "lost"));
    const auto behind = ring.after(1);
    EXPECT_TRUE(behind.gap);
    ASSERT_EQ(behind.events.size(), 4u);
    EXPECT_EQ(behind.events.front().sequence, 3u);
    EXPECT_EQ(behind.next, 6u);
    const auto right_behind = ring.after(2);
    EXPECT_FALSE(right_behind.gap);
    EXPECT_EQ(right_behind.events.size(), 4u);
    EXPECT_TRUE(ring.after(6).events.empty());
    EXPECT_FALSE(ring.after(6).gap);
    EXPECT_FALSE(ring.has_after(6));
    const auto of_another_life = ring.after(99);
    EXPECT_TRUE(of_another_life.gap);
    EXPECT_EQ(of_another_life.events.size(), 4u);
    EXPECT_TRUE(ring.has_after(99));
    ring.add(fake_drives::event(9, "lost"));  // some were lost on the way
    EXPECT_TRUE(ring.after(6).gap);
}

}  // namespace
}  // namespace fulmar::admin
