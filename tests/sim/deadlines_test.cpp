// Everything has a deadline: devices that fall silent, hosts that owe data, and what operators are
// told when a promise cannot be kept in time.
#include "scenario.hpp"

namespace fulmar::sim {
namespace {

TEST(deadlines, stalled_device_hits_the_deadline_and_hosts_get_answers) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_stalled(true);
        const auto write = io->write(1, 0, 8);
        const auto read = io->read(1, 8, 8);
        const auto other = io->read(2, 0);
        w.run_for(milliseconds(100));
        EXPECT_TRUE(other->done);
        const auto removed = w.ask(core::remove_namespace{one, 1});
        w.run_for(milliseconds(9'900));
        EXPECT_FALSE(removed->done() || write->done || read->done);
        w.run_for(milliseconds(500));
        ASSERT_TRUE(removed->done());
        ASSERT_FALSE(removed->ok());
        EXPECT_EQ(removed->code(), errc::quiesce_incomplete);
        EXPECT_TRUE(has(write, sc::internal_error));
        EXPECT_TRUE(has(read, sc::internal_error));

        // The namespace is gone, and the device is claimed by what it still holds.
        EXPECT_EQ(w.status_of(one).namespaces.size(), 1u);
        const auto again = w.change(core::add_namespace{one, on("a", 1)});
        ASSERT_FALSE(again->ok());
        EXPECT_EQ(again->code(), errc::conflict);
        EXPECT_EQ(w.change(core::delete_device{"a"})->code(), errc::conflict);
        EXPECT_NE(w.chunks_missing(), 0u) << "what the device may still write is lent out again";
        const auto alive = io->write(2, 0, 8);
        ASSERT_TRUE(w.wait(alive, milliseconds(100)));
        EXPECT_TRUE(has(alive, sc::success));

        w.disk_named("a").set_stalled(false);
        w.run_for(milliseconds(100));
        ASSERT_TRUE(w.change(core::add_namespace{one, on("a", 1)})->ok());
        const auto fresh = io->read(1, 0, 1);
        ASSERT_TRUE(w.wait(fresh, milliseconds(100)));
        ASSERT_TRUE(has(fresh, sc::success));
        EXPECT_EQ(read_stamp(fresh->data.data()).tag, 0u);
    }
}

TEST(deadlines, a_subsystem_on_a_stalled_device_can_be_deleted_and_its_slot_reused) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_stalled(true);
        const auto write = io->write(1, 0, 8);
        w.run_for(milliseconds(100));
        const std::uint32_t slot = w.status_of(one).slot;
        const auto removed = w.ask(core::delete_subsystem{one});
        w.run_for(milliseconds(10'600));
        ASSERT_TRUE(removed->done());
        ASSERT_FALSE(removed->ok());
        EXPECT_EQ(removed->code(), errc::quiesce_incomplete);
        EXPECT_TRUE(write->done);
        EXPECT_TRUE(io->closed() && admin->closed());

        ASSERT_TRUE(w.change(core::create_subsystem{subsystem(two, {"b"})})->ok());
        EXPECT_EQ(w.status_of(two).slot, slot);
        auto newcomer = w.admin(host(1, two));
        auto newcomers = w.io(*newcomer, 1);
        const auto read = newcomers->read(1, 0, 8);
        ASSERT_TRUE(w.wait(read, milliseconds(100)));
        EXPECT_TRUE(has(read, sc::success));
        EXPECT_EQ(w.change(core::create_subsystem{subsystem(one, {"a"})})->code(), errc::conflict);
        w.disk_named("a").set_stalled(false);
        w.run_for(milliseconds(100));
        EXPECT_TRUE(w.change(core::create_subsystem{subsystem(one, {"a"})})->ok());
    }
}

TEST(deadlines, a_pause_on_a_stalled_device_ends_and_says_so) {
    world w(options(2));
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    w.disk_named("a").set_stalled(true);
    const auto write = io->write(1, 0);
    w.run_for(milliseconds(10));
    const auto pause = w.ask(core::pause_subsystem{one});
    w.run_for(milliseconds(10'300));
    ASSERT_TRUE(pause->done());
    ASSERT_FALSE(pause->ok());
    EXPECT_EQ(pause->code(), errc::quiesce_incomplete);
    EXPECT_EQ(w.status_of(one).transition.state, "paused");
    EXPECT_TRUE(has(write, sc::internal_error));
    w.disk_named("a").set_stalled(false);
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    const auto again = io->write(1, 0);
    ASSERT_TRUE(w.wait(again, milliseconds(100)));
    EXPECT_TRUE(has(again, sc::success));
}

TEST(deadlines, who_pauses_again_hears_again_what_may_still_land) {
    world w(options(2));
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    w.disk_named("a").set_stalled(true);
    const auto write = io->write(1, 0);
    w.run_for(milliseconds(10));
    ASSERT_EQ(w.change(core::pause_subsystem{one})->code(), errc::quiesce_incomplete);
    const auto second = w.change(core::pause_subsystem{one});
    ASSERT_FALSE(second->ok()) << "the write is at the disk still";
    EXPECT_EQ(second->code(), errc::quiesce_incomplete);
    const auto third = w.ask(core::pause_subsystem{one});
    w.run_for(milliseconds(10));
    EXPECT_FALSE(third->done()) << "it waits for the device, as the first did";
    w.disk_named("a").set_stalled(false);
    ASSERT_TRUE(w.run_until([&] { return third->done(); }));
    EXPECT_TRUE(third->ok());
    EXPECT_EQ(w.status_of(one).transition.state, "paused");
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    const auto again = io->write(1, 0);
    ASSERT_TRUE(w.wait(again, milliseconds(100)));
    EXPECT_TRUE(has(again, sc::success));
}

TEST(deadlines, a_host_that_owes_data_does_not_hold_up_a_pause) {
    world_options o = options(2);
    o.limits.data_stall_s = 300;
    world w(o);
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    auto other = w.admin(host(1));
    auto others = w.io(*other, 1);
    io->connection().set_sending_data(false);
    const auto owed = io->write(1, 0, 64, false);
    w.run_for(milliseconds(100));
    const auto pause = w.ask(core::pause_subsystem{one});
    w.run_for(milliseconds(10'300));
    ASSERT_TRUE(pause->done());
    EXPECT_TRUE(pause->ok()) << pause->outcome.error().text();
    EXPECT_TRUE(owed->done);
    EXPECT_FALSE(others->closed());
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
}

// Every connection has its credit, but many of them at one device that is silent would still take
// the whole pool.
TEST(deadlines, a_stalled_device_leaves_buffers_to_the_others) {
    world w(options());
    std::vector<std::unique_ptr<queue>> queues;
    std::vector<command_ref> stuck;
    w.disk_named("b").set_stalled(true);
    for (unsigned i = 0; i < 6; ++i) {
        queues.push_back(w.admin(host(i)));
        queues.push_back(w.io(*queues.back(), 1));
        for (int n = 0; n < 2; ++n) stuck.push_back(queues.back()->read(2, 0, 2048));
    }
    w.run_for(milliseconds(10));
    auto admin = w.admin(host(6));
    auto io = w.io(*admin, 1);
    for (int i = 0; i < 16; ++i) {
        const auto read = io->read(1, 0, 2048);
        ASSERT_TRUE(w.wait(read, milliseconds(100)));
        EXPECT_TRUE(has(read, sc::success));
    }
    // Nor do those who give up and come again.
    for (unsigned round = 0; round < 4; ++round) {
        for (auto& q : queues) q->cut();
        queues.clear();
        w.run_for(milliseconds(10'600));
        for (unsigned i = 0; i < 6; ++i) {
            queues.push_back(w.admin(host(i)));
            queues.push_back(w.io(*queues.back(), 1));
            (void)queues.back()->read(2, 0, 2048);
        }
        w.run_for(milliseconds(10));
        if (round != 0) {
            admin = w.admin(host(6));
            io = w.io(*admin, 1);
        }
        const auto read = io->read(1, 0, 2048);
        ASSERT_TRUE(w.wait(read, milliseconds(100)));
        EXPECT_TRUE(has(read, sc::success));
    }
    w.disk_named("b").set_stalled(false);
    w.run_for(milliseconds(100));
    for (auto& q : queues) q->cut();
    admin->cut();
    io->cut();
    w.run_for(milliseconds(100));
    EXPECT_EQ(w.chunks_missing(), 0u);
}

TEST(deadlines, requests_that_wait_for_buffers_do_not_hold_up_a_removal) {
    world_options o = options();
    world w(o);
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    w.disk_named("b").set_stalled(true);
    std::vector<command_ref> all;
    for (int i = 0; i < 8; ++i)
        all.push_back(io->read(2, 0, 2048));  // 1 MiB each: more than the pool has
    w.run_for(milliseconds(10));
    all.push_back(io->read(1, 0, 2048));
    w.run_for(milliseconds(10));
    EXPECT_FALSE(all.back()->done);
    const auto removed = w.ask(core::remove_namespace{one, 1});
    w.run_for(milliseconds(10'300));
    ASSERT_TRUE(removed->done());
    EXPECT_TRUE(removed->ok()) << removed->outcome.error().text();
    EXPECT_TRUE(all.back()->answered);
}

TEST(deadlines, a_controller_on_a_stalled_device_ends_all_the_same) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host(0));
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_stalled(true);
        (void)io->write(1, 0);
        w.run_for(milliseconds(10));
        io->cut();
        admin->cut();
        w.run_for(milliseconds(10'600));
        EXPECT_EQ(w.status_of(one).controllers, 0u);
        for (std::size_t i = 0; i < w.data_reactors(); ++i) EXPECT_TRUE(w.group(i).empty());
        w.disk_named("a").set_stalled(false);
    }
}

TEST(deadlines, a_reset_on_a_stalled_device_ends_all_the_same) {
    world w(options(3));
    auto admin = w.admin(host(0, one, 0));
    auto io = w.io(*admin, 1, 1);
    w.disk_named("a").set_stalled(true);
    (void)io->write(1, 0);
    w.run_for(milliseconds(10));
    (void)admin->disable();
    const auto early = admin->property_get(nvme::register_offset::csts);
    ASSERT_TRUE(w.wait(early));
    EXPECT_EQ(early->dw0 & 1u, 1u) << "ready although an I/O queue is there";
    w.run_for(milliseconds(10'600));
    const auto late = admin->property_get(nvme::register_offset::csts);
    ASSERT_TRUE(w.wait(late));
    EXPECT_EQ(late->dw0 & 1u, 0u);
    EXPECT_FALSE(admin->closed());
}

TEST(deadlines, shutdown_with_a_stalled_device_is_bounded) {
    world w(options(2));
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    w.disk_named("a").set_stalled(true);
    (void)io->write(1, 0);
    w.run_for(milliseconds(10));
    const auto pending = w.ask(core::remove_namespace{one, 1});
    const auto behind = w.ask(core::remove_namespace{one, 2});
    w.run_for(seconds(1));
    bool stopped = false;
    w.target().shut_down([&] { stopped = true; });
    w.run_for(milliseconds(10'200));
    EXPECT_TRUE(stopped);
    EXPECT_TRUE(pending->done() && behind->done());
    EXPECT_FALSE(w.target().at_rest());
    w.disk_named("a").set_stalled(false);
    w.run_for(milliseconds(200));
    EXPECT_TRUE(w.target().at_rest());
}

// --- a host's removal is a fence -----------------------------------------------------------------

world_options listed(std::uint64_t data_reactors, std::uint64_t seed) {
    world_options o = options(data_reactors, seed);
    o.subsystems[0].allow_any_host = false;
    o.subsystems[0].hosts = {host(0).host, host(1).host};
    return o;
}

TEST(host_removal, waits_for_the_writes_of_that_host) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(listed(1 + seed % 3, seed));
        auto admin = w.admin(host(0));
        auto io = w.io(*admin, 1);
        auto other = w.admin(host(1));
        auto others = w.io(*other, 1);
        w.disk_named("a").set_manners({.delay_min = milliseconds(700),
                                       .delay_max = milliseconds(800),
                                       .ignore_abort_chance = 1});
        (void)io->write(1, 0);
        const auto stays = others->write(1, 1);
        w.run_for(milliseconds(100));
        const auto removed = w.ask(core::remove_host{one, host(0).host});
        w.run_for(milliseconds(300));
        EXPECT_FALSE(removed->done());
        ASSERT_TRUE(w.run_until([&] { return removed->done(); }, seconds(1)));
        EXPECT_TRUE(removed->ok());
        ASSERT_TRUE(w.wait(stays, seconds(1)));
        EXPECT_TRUE(has(stays, sc::success));
        EXPECT_TRUE(io->closed() && admin->closed());
        EXPECT_FALSE(others->closed() || other->closed());
    }
}

TEST(host_removal, that_cannot_be_kept_in_time_says_so_and_harms_no_other_host) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(listed(1 + seed % 3, seed));
        auto admin = w.admin(host(0));
        auto io = w.io(*admin, 1);
        auto other = w.admin(host(1));
        auto others = w.io(*other, 1);
        w.disk_named("a").set_stalled(true);
        (void)io->write(1, 0);
        const auto stays = others->write(1, 1);
        w.run_for(milliseconds(100));
        const auto removed = w.ask(core::remove_host{one, host(0).host});
        w.run_for(milliseconds(10'600));
        ASSERT_TRUE(removed->done());
        ASSERT_FALSE(removed->ok());
        EXPECT_EQ(removed->code(), errc::quiesce_incomplete);
        EXPECT_FALSE(stays->done) << "it is not his I/O that was removed";
        w.disk_named("a").set_stalled(false);
        ASSERT_TRUE(w.wait(stays, seconds(1)));
        EXPECT_TRUE(has(stays, sc::success));
    }
}

// Who may connect no longer, since only listed hosts may, is removed like one that was taken off
// the list; those on the list stay.
TEST(host_removal, is_what_the_end_of_allow_any_host_means) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world_options o = listed(1 + seed % 3, seed);
        o.subsystems[0].allow_any_host = true;
        o.subsystems[0].hosts = {host(1).host};
        world w(o);
        auto admin = w.admin(host(0));
        auto io = w.io(*admin, 1);
        auto other = w.admin(host(1));
        auto others = w.io(*other, 1);
        w.disk_named("a").set_manners({.delay_min = milliseconds(700),
                                       .delay_max = milliseconds(800),
                                       .ignore_abort_chance = 1});
        (void)io->write(1, 0);
        const auto stays = others->write(1, 1);
        w.run_for(milliseconds(100));
        const auto closed = w.ask(core::set_allow_any_host{one, false});
        w.run_for(milliseconds(300));
        EXPECT_FALSE(closed->done());
        ASSERT_TRUE(w.run_until([&] { return closed->done(); }, seconds(1)));
        EXPECT_TRUE(closed->ok());
        ASSERT_TRUE(w.wait(stays, seconds(1)));
        EXPECT_TRUE(has(stays, sc::success));
        EXPECT_TRUE(io->closed() && admin->closed());
        EXPECT_FALSE(others->closed() || other->closed());
    }
}

// His writes of a former incarnation are his, too: the device still has them.
TEST(host_removal, tells_of_what_a_deleted_subsystem_of_that_name_left_behind) {
    world w(listed(2, 1));
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    w.disk_named("a").set_stalled(true);
    (void)io->write(1, 0);
    w.run_for(milliseconds(100));
    EXPECT_EQ(w.change(core::delete_subsystem{one})->code(), errc::quiesce_incomplete);
    core::subsystem_spec again = subsystem(one, {"b"});
    again.allow_any_host = false;
    again.hosts = {host(0).host, host(1).host};
    ASSERT_TRUE(w.change(core::create_subsystem{again})->ok());
    EXPECT_TRUE(w.change(core::remove_host{one, host(1).host})->ok());
    const auto removed = w.change(core::remove_host{one, host(0).host});
    ASSERT_FALSE(removed->ok());
    EXPECT_EQ(removed->code(), errc::quiesce_incomplete);
    w.disk_named("a").set_stalled(false);
    w.run_for(milliseconds(100));
    ASSERT_TRUE(w.change(core::add_host{one, host(0).host})->ok());
    EXPECT_TRUE(w.change(core::remove_host{one, host(0).host})->ok());
}

// The Connect was let through by its poll group, and the host is removed while it travels.
TEST(host_removal, holds_for_connects_on_their_way) {
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        world w(listed(2, seed));
        auto late = w.open(host(0));
        const auto connect = late->connect(0, nvme::cntlid_dynamic);
        for (std::uint64_t turns = seed % 12; turns != 0; --turns) w.round();
        const auto removed = w.ask(core::remove_host{one, host(0).host});
        ASSERT_TRUE(w.run_until([&] { return removed->done(); }));
        w.settle();
        EXPECT_TRUE(connect->done);
        EXPECT_EQ(w.status_of(one).controllers, 0u) << "seed " << seed;
        refused += connect->answered && !nvme::is_success(connect->status) ? 1 : 0;
    }
    EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace fulmar::sim
