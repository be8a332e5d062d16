// What operators see while something lasts: states, numbers, places, and afterwards the flight
// recorder.
#include "scenario.hpp"

#include <gmock/gmock.h>

namespace fulmar::sim {
namespace {

TEST(visibility, a_transition_says_what_it_waits_for_and_where) {
    world w(options(2));
    auto admin = w.admin(host());
    auto first = w.io(*admin, 1, 0);
    auto second = w.io(*admin, 2, 1);
    w.disk_named("a").set_stalled(true);
    for (std::uint64_t i = 0; i < 3; ++i) (void)first->write(1, i);
    (void)second->write(1, 9);
    w.run_for(milliseconds(10));
    const auto pause = w.ask(core::pause_subsystem{one});
    w.run_for(milliseconds(500));
    for (std::uint64_t i = 0; i < 5; ++i) (void)second->read(1, i);
    (void)second->read(2, 0);
    w.run_for(milliseconds(500));

    core::subsystem_status s = w.status_of(one);
    EXPECT_EQ(s.transition.state, "pausing");
    EXPECT_GE(s.transition.in_state_ms, 900u);
    EXPECT_LE(s.transition.in_state_ms, 1'100u);
    EXPECT_EQ(s.transition.waiting_for,
              "poll group 1: quiesce-subsystem, 3 left; poll group 2: quiesce-subsystem, 1 left");
    ASSERT_EQ(s.namespaces.size(), 2u);
    EXPECT_EQ(s.namespaces[0].outstanding, 4u);
    EXPECT_EQ(s.namespaces[0].parked, 5u);
    EXPECT_EQ(s.namespaces[1].parked, 1u);
    ASSERT_EQ(s.namespaces[0].where.size(), 2u);
    EXPECT_EQ(s.namespaces[0].where[0].reactor, 1u);
    EXPECT_EQ(s.namespaces[0].where[0].outstanding, 3u);
    EXPECT_EQ(s.namespaces[0].where[1].parked, 5u);

    w.run_for(milliseconds(9'300));  // the deadline passes: who waits is answered, the device not
    ASSERT_TRUE(pause->done());
    s = w.status_of(one);
    EXPECT_EQ(s.transition.state, "paused");
    EXPECT_TRUE(s.transition.waiting_for.empty());
    EXPECT_EQ(s.namespaces[0].outstanding, 0u);
    EXPECT_EQ(s.namespaces[0].abandoned, 4u);
    EXPECT_THAT(s.transition.last_error, ::testing::HasSubstr("4 operations"));
    w.disk_named("a").set_stalled(false);
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    ASSERT_TRUE(w.run_until([&] { return first->outstanding() == 0 && second->outstanding() == 0; },
                            seconds(1)));
    s = w.status_of(one);
    EXPECT_EQ(s.namespaces[0].abandoned + s.namespaces[0].parked + s.namespaces[0].outstanding, 0u);
    EXPECT_TRUE(s.namespaces[0].where.empty());
}

TEST(visibility, a_namespace_in_transition_says_so_itself) {
    world w(options(1));
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    w.disk_named("a").set_stalled(true);
    (void)io->write(1, 0);
    w.run_for(milliseconds(10));
    (void)w.ask(core::remove_namespace{one, 1});
    w.run_for(milliseconds(100));
    const core::subsystem_status s = w.status_of(one);
    EXPECT_EQ(s.transition.state, "active");
    EXPECT_EQ(s.namespaces[0].transition.state, "detaching");
    EXPECT_EQ(s.namespaces[0].transition.waiting_for, "poll group 1: detach-namespace, 1 left");
    EXPECT_TRUE(s.namespaces[1].transition.waiting_for.empty());
    w.disk_named("a").set_stalled(false);
}

TEST(visibility, the_flight_recorder_tells_the_story_of_a_pause) {
    world w(options(2));
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1, 1);
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    const auto parked = io->read(1, 0);
    w.run_for(milliseconds(10));
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    ASSERT_TRUE(w.wait(parked));
    const auto asked = w.ask(core::query(core::get_recorder{}));
    ASSERT_TRUE(w.run_until([&] { return asked->done(); }));
    const auto& report = asked->as<core::flight_report>();
    const std::uint32_t slot = w.status_of(one).slot;
    const std::uint32_t cid = parked->sqe.cid.value();
    std::vector<std::string> states;
    std::vector<std::string> of_request;
    std::uint64_t before = 0;
    for (const core::flight_report_entry& e : report.entries) {
        EXPECT_GE(e.uptime_ns, before);
        before = e.uptime_ns;
        if (e.generation == 0 || e.slot != slot) continue;
        const bool request = e.what == "parked" || e.what == "replayed";
        if (e.what == "subsystem-state") states.push_back(e.detail);
        if (request && e.nsid == 1 && e.value == cid && e.reactor == 2)
            of_request.push_back(e.what);
    }
    EXPECT_THAT(states, ::testing::ElementsAre("activating", "active", "pausing", "paused",
                                               "resuming", "active"));
    EXPECT_THAT(of_request, ::testing::ElementsAre("parked", "replayed"));
}

// "Your deadline has passed" reaches a poll group that has just done its part: dropped, counted and
// remembered.
TEST(visibility, what_is_stale_is_counted) {
    world w(options(1));
    w.freeze(0, true);
    const auto changed = w.ask(core::add_host{one, host(7).host});  // done at once there
    w.run_for(milliseconds(10'100));
    EXPECT_FALSE(changed->done());
    w.freeze(0, false);
    ASSERT_TRUE(w.run_until([&] { return changed->done(); }));
    w.settle();
    const auto asked = w.ask(core::query(core::get_counters{}));
    const auto flown = w.ask(core::query(core::get_recorder{}));
    ASSERT_TRUE(w.run_until([&] { return asked->done() && flown->done(); }));
    double stale = 0;
    for (const core::counter_sample& s : asked->as<core::counters_report>().samples)
        if (s.name == "fulmar_stale_messages_total") stale += s.value;
    EXPECT_EQ(stale, 1);
    std::uint64_t told = 0;
    for (const core::flight_report_entry& e : flown->as<core::flight_report>().entries)
        told += e.what == "stale-escalation" ? 1 : 0;
    EXPECT_EQ(told, 1u);
    std::set<std::string> names;
    for (const core::counter_sample& s : asked->as<core::counters_report>().samples)
        names.insert(s.name);
    for (const char* wanted :
         {"fulmar_stale_messages_total", "fulmar_stale_acks_total", "fulmar_parked_requests_total",
          "fulmar_replayed_requests_total", "fulmar_abandoned_operations_total",
          "fulmar_reaped_operations_total", "fulmar_namespaces_held_by_devices"})
        EXPECT_TRUE(names.contains(wanted)) << wanted;
}

}  // namespace
}  // namespace fulmar::sim
