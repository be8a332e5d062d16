// Controllers: their keep-alive, and queues of one controller on several reactors.
#include "scenario.hpp"

namespace fulmar::sim {
namespace {

TEST(keep_alive, expiry_ends_the_controller) {
    world w(options(2));
    auto admin = w.admin(host(0, one, 0), 2'000);
    auto io = w.io(*admin, 1, 1);
    for (int i = 0; i < 5; ++i) {
        w.run_for(milliseconds(1'500));
        (void)admin->keep_alive();
    }
    EXPECT_FALSE(admin->closed() || io->closed());
    w.run_for(milliseconds(2'500));
    EXPECT_TRUE(admin->closed() && io->closed());
    w.run_for(milliseconds(10));
    EXPECT_EQ(w.status_of(one).controllers, 0u);
}

TEST(keep_alive, a_stalled_home_grants_one_more) {
    world w(options(2));
    auto admin = w.admin(host(0, one, 0), 2'000);
    w.run_for(milliseconds(300));
    w.freeze(0, true);
    w.run_for(
        milliseconds(2'500));  // the home does not run: it cannot tell whether the host was silent
    w.freeze(0, false);
    w.run_for(milliseconds(1'500));
    EXPECT_FALSE(admin->closed());
    w.run_for(milliseconds(1'000));
    EXPECT_TRUE(admin->closed()) << "one more, not for ever";
}

// An I/O Connect and its controller's end, in every order that the scheduler finds.
TEST(reactors, io_connect_against_controller_teardown) {
    int joined = 0;
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        world w(options(3, seed));
        auto admin = w.admin(host(0, one, seed % 3));
        std::vector<std::unique_ptr<queue>> queues;
        std::vector<command_ref> connects(3);
        for (std::uint16_t i = 0; i < 3; ++i)
            queues.push_back(w.open_io(*admin, static_cast<std::uint16_t>(i + 1), i, connects[i]));
        for (std::uint64_t turns = w.pick(12); turns != 0; --turns) w.round();
        ticket_ref removed;
        switch (w.pick(5)) {
            case 0: admin->cut(); break;
            case 1: (void)admin->disable(); break;
            case 2: (void)admin->shut_down(); break;
            case 3: removed = w.ask(core::delete_subsystem{one}); break;
            case 4: queues[0]->cut(); break;
        }
        w.run_for(seconds(6));
        if (removed) {
            EXPECT_TRUE(removed->ok());
        }
        for (const auto& c : connects) {
            EXPECT_TRUE(c->done) << "seed " << seed;
            if (!c->answered) continue;
            ++(nvme::is_success(c->status) ? joined : refused);
        }
    }
    EXPECT_GT(joined, 0);
    EXPECT_GT(refused, 0);
}

TEST(reactors, abort_across_reactors) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        world w(options(3, seed));
        auto admin = w.admin(host(0, one, 0));
        auto io = w.io(*admin, 1, 1);
        w.disk_named("a").set_stalled(true);
        const auto at_device = io->read(1, 0);
        w.run_for(milliseconds(10));
        const auto nudge = admin->abort(1, at_device->sqe.cid.value());
        ASSERT_TRUE(w.wait(nudge, seconds(1)));
        EXPECT_TRUE(succeeded(nudge));
        EXPECT_EQ(nudge->dw0 & 1u, 1u);  // it ends in its own time
        const auto nobody = admin->abort(1, 0x7777);
        const auto no_queue = admin->abort(9, 0);
        ASSERT_TRUE(w.wait(nobody, seconds(1)) && w.wait(no_queue, seconds(1)));
        EXPECT_EQ(nobody->dw0 & 1u, 1u);
        ASSERT_TRUE(w.change(core::pause_subsystem{one}, seconds(12))->done());
        const auto parked = io->read(2, 0);
        w.run_for(milliseconds(10));
        const auto taken = admin->abort(1, parked->sqe.cid.value());
        ASSERT_TRUE(w.wait(taken, seconds(1)) && w.wait(parked, seconds(1)));
        EXPECT_EQ(taken->dw0 & 1u, 0u);
        EXPECT_TRUE(has(parked, sc::aborted_by_request));
        const auto event = admin->async_event();
        w.run_for(milliseconds(10));
        const auto of_event = admin->abort(0, event->sqe.cid.value());
        ASSERT_TRUE(w.wait(of_event, seconds(1)) && w.wait(event, seconds(1)));
        EXPECT_TRUE(has(event, sc::aborted_by_request));
    }
}

// The queue leaves while the question is on its way to it.
TEST(reactors, abort_against_a_queue_that_leaves) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        world w(options(2, seed));
        auto admin = w.admin(host(0, one, 0));
        auto io = w.io(*admin, 1, 1);
        const auto read = io->read(1, 0);
        const auto abort = admin->abort(1, read->sqe.cid.value());
        const auto more = admin->abort(1, 5);
        for (std::uint64_t turns = w.pick(6); turns != 0; --turns) w.round();
        io->cut();
        EXPECT_TRUE(w.wait(abort, seconds(1)) && w.wait(more, seconds(1)));
    }
}

TEST(reactors, reset_across_reactors) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        world w(options(3, seed));
        auto admin = w.admin(host(0, one, 0));
        std::vector<std::unique_ptr<queue>> queues;
        for (std::uint16_t i = 1; i <= 3; ++i) queues.push_back(w.io(*admin, i, i));
        const auto event = admin->async_event();
        w.disk_named("a").set_manners(
            {.delay_min = milliseconds(20), .delay_max = milliseconds(300)});
        for (const auto& q : queues)
            for (int i = 0; i < 5; ++i) (void)q->write(1, static_cast<std::uint64_t>(i));
        w.run_for(milliseconds(5));
        const auto reset = admin->disable();
        ASSERT_TRUE(w.wait(reset));
        ASSERT_TRUE(w.run_until(
            [&] {
                const auto csts = admin->property_get(nvme::register_offset::csts);
                w.wait(csts);
                return (csts->dw0 & 1u) == 0;
            },
            seconds(2)));
        EXPECT_TRUE(event->done);
        for (const auto& q : queues)
            EXPECT_TRUE(w.run_until([&] { return q->closed(); }, seconds(1)));
        const auto enabled = admin->enable();
        ASSERT_TRUE(w.wait(enabled));
        auto again = w.io(*admin, 2, 1);
        const auto read = again->read(1, 0);
        ASSERT_TRUE(w.wait(read, seconds(2)));
        EXPECT_TRUE(has(read, sc::success));
    }
}

// Issue 2955: the new connection's Connect comes before the end of the old one is known.
TEST(reactors, fast_reconnect_reuses_qid) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        world w(options(3, seed));
        auto admin = w.admin(host(0, one, 0));
        auto old = w.io(*admin, 1, 1);
        w.disk_named("a").set_manners(
            {.delay_min = milliseconds(50), .delay_max = milliseconds(900)});
        (void)old->write(1, 0);
        w.run_for(milliseconds(1));
        command_ref connect;
        std::unique_ptr<queue> fresh;
        if (seed % 2 == 0) old->cut();
        fresh = w.open_io(*admin, 1, 2, connect);
        w.run_for(milliseconds(w.pick(200)));
        old->cut();
        ASSERT_TRUE(w.wait(connect, seconds(5)));
        EXPECT_TRUE(has(connect, sc::success)) << "seed " << seed;
        const auto read = fresh->read(1, 0);
        ASSERT_TRUE(w.wait(read, seconds(2)));
        EXPECT_TRUE(has(read, sc::success));
    }
}

TEST(reactors, a_second_queue_of_one_number_is_refused) {
    world w(options(2));
    auto admin = w.admin(host(0, one, 0));
    auto first = w.io(*admin, 1, 1);
    command_ref connect;
    auto second = w.open_io(*admin, 1, 0, connect);
    ASSERT_TRUE(w.wait(connect, seconds(2)));
    EXPECT_TRUE(has(connect, sc::command_sequence_error));
    EXPECT_FALSE(first->closed());
}

TEST(reactors, a_reconnect_behind_a_stalled_queue_is_told_to_come_back) {
    world w(options(2));
    auto admin = w.admin(host(0, one, 0));
    auto old = w.io(*admin, 1, 1);
    w.disk_named("a").set_stalled(true);
    (void)old->write(1, 0);
    w.run_for(milliseconds(10));
    old->cut();
    command_ref connect;
    auto fresh = w.open_io(*admin, 1, 0, connect);
    w.run_for(milliseconds(5'500));
    EXPECT_TRUE(has(connect, sc::connect_controller_busy));
    EXPECT_FALSE(connect->status.dnr);
}

TEST(reactors, a_connect_that_waits_for_a_former_queue_may_be_cut) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        world w(options(3, seed));
        auto admin = w.admin(host(0, one, 0));
        auto old = w.io(*admin, 1, 1);
        w.disk_named("a").set_stalled(true);
        (void)old->write(1, 0);
        w.run_for(milliseconds(10));
        old->cut();
        command_ref connect;
        auto fresh = w.open_io(*admin, 1, 2, connect);
        w.run_for(milliseconds(100));
        fresh->cut();
        if (seed % 2 == 0) admin->cut();
        if (seed % 3 == 0) w.disk_named("a").set_stalled(false);
        w.run_for(seconds(16));
        EXPECT_TRUE(w.group(0).empty() == (seed % 2 == 0));
        EXPECT_TRUE(w.group(1).empty() && w.group(2).empty());
        w.disk_named("a").set_stalled(false);
    }
}

}  // namespace
}  // namespace fulmar::sim
