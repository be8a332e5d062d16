// What broke in other targets, one case for each; docs/regressions.md has the table. Cases that are
// about one thing only and have a file of their own are there.
#include "scenario.hpp"

namespace fulmar::sim {
namespace {

bool all_done(const std::vector<command_ref>& all) {
    return std::all_of(all.begin(), all.end(), [](const auto& c) { return c->done; });
}
bool all_done(const std::vector<ticket_ref>& all) {
    return std::all_of(all.begin(), all.end(), [](const auto& t) { return t->done(); });
}

// --- pause, resume, namespaces -------------------------------------------------------------------

// 3738, 3852, 3888, 3898: a resize pauses, somebody else pauses and removes, I/O goes on.
TEST(regressions, namespaces_come_go_and_grow_under_io) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_manners({.delay_max = milliseconds(30), .ignore_abort_chance = 1});
        std::vector<command_ref> commands;
        std::vector<ticket_ref> changes;
        for (int round = 0; round < 6; ++round) {
            for (std::uint64_t i = 0; i < 4; ++i) {
                commands.push_back(io->write(1, i));
                commands.push_back(io->read(2, i));
            }
            changes.push_back(
                w.ask(core::resize_device{"a", (4096 + w.pick(4) * 512) * 512, true}));
            if (w.chance(0.5)) changes.push_back(w.ask(core::pause_subsystem{one}));
            changes.push_back(w.ask(core::remove_namespace{one, 1}));
            if (w.chance(0.5)) changes.push_back(w.ask(core::resume_subsystem{one}));
            for (std::uint64_t turns = w.pick(30); turns != 0; --turns) w.round();
            ASSERT_TRUE(w.run_until([&] { return all_done(changes); }, seconds(12)));
            ASSERT_TRUE(w.change(core::add_namespace{one, on("a", 1)})->ok());
            ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
            ASSERT_TRUE(w.run_until([&] { return all_done(commands); }, seconds(2)));
        }
        for (const command_ref& c : commands)
            EXPECT_TRUE(succeeded(c) || has(c, sc::invalid_namespace_or_format));
    }
}

// 3894: while a removal waits for a device, the host's keep-alives must not starve.
TEST(regressions, keep_alives_are_answered_while_a_removal_waits_for_a_device) {
    world w(options(2));
    auto admin = w.admin(host(), 2'000);
    auto io = w.io(*admin, 1, 1);
    watch_namespaces(w, *admin);
    w.disk_named("a").set_stalled(true);
    (void)io->write(1, 0);
    const auto event = admin->async_event();
    w.run_for(milliseconds(10));
    const auto removed = w.ask(core::remove_namespace{one, 1});
    for (int i = 0; i < 6; ++i) {
        w.run_for(milliseconds(1'500));
        const auto alive = admin->keep_alive();
        const auto identify = admin->admin(nvme::admin_opcode::identify, 0, 4096, 1);
        ASSERT_TRUE(w.wait(alive, milliseconds(100)) && w.wait(identify, milliseconds(100)));
        EXPECT_TRUE(succeeded(alive) && succeeded(identify));
        EXPECT_FALSE(removed->done());
    }
    EXPECT_TRUE(event->answered) << "nobody told the host that the namespace goes";
    EXPECT_FALSE(admin->closed() || io->closed());
    w.disk_named("a").set_stalled(false);
    ASSERT_TRUE(w.run_until([&] { return removed->done(); }, seconds(1)));
    EXPECT_TRUE(removed->ok());
}

// A pause that lost its NSID on the way paused nothing.
TEST(regressions, a_pause_holds_every_namespace) {
    world_options o = options(2);
    o.subsystems[0].namespaces[1].nsid = limits::default_namespaces;
    world w(o);
    auto admin = w.admin(host());
    auto first = w.io(*admin, 1, 0);
    auto second = w.io(*admin, 2, 1);
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    std::vector<command_ref> all;
    for (const auto* q : {&first, &second})
        for (const std::uint32_t nsid : {1u, limits::default_namespaces})
            all.push_back((*q)->read(nsid, 0));
    w.run_for(seconds(1));
    for (const auto& c : all) EXPECT_FALSE(c->done);
    EXPECT_EQ(w.disk_named("a").held() + w.disk_named("b").held(), 0u);
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    ASSERT_TRUE(w.run_until([&] { return all_done(all); }, seconds(1)));
    for (const auto& c : all) EXPECT_TRUE(has(c, sc::success));
}

// 3079: two clients at once were told "busy".
TEST(regressions, operators_at_once_are_never_told_to_come_back) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        world w(options(2, seed));
        for (const char* name : {"c", "d", "e"}) ASSERT_TRUE(w.change(device(name))->ok());
        std::vector<ticket_ref> all;
        for (int round = 0; round < 10; ++round) {
            for (const std::uint32_t nsid : {3u, 4u, 5u}) {
                const std::string disk(1, static_cast<char>('a' + nsid - 1));
                all.push_back(w.ask(core::add_namespace{one, on(disk, nsid)}));
                all.push_back(w.ask(core::remove_namespace{one, nsid}));
            }
            if (w.chance(0.5)) w.round();
        }
        ASSERT_TRUE(w.run_until([&] { return all_done(all); }, seconds(5)));
        for (const ticket_ref& t : all) EXPECT_TRUE(t->ok()) << t->text;
    }
}

// 1416: an addition that fails half-way left the subsystem between two states.
TEST(regressions, an_addition_that_fails_on_one_poll_group_is_undone) {
    for (const std::uint16_t reactor : {std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{3}}) {
        world w(options(3));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        ASSERT_TRUE(w.change(device("c"))->ok());
        w.disk_named("c").set_manners({.no_channel_on = reactor});
        const auto refused = w.change(core::add_namespace{one, on("c", 3)});
        ASSERT_FALSE(refused->ok());
        EXPECT_EQ(refused->code(), errc::no_memory);
        EXPECT_EQ(w.status_of(one).transition.state, "active");
        EXPECT_EQ(w.status_of(one).namespaces.size(), 2u);
        const auto never = io->read(3, 0);
        ASSERT_TRUE(w.wait(never, seconds(1)));
        EXPECT_TRUE(has(never, sc::invalid_namespace_or_format));
        w.disk_named("c").set_manners({});
        ASSERT_TRUE(w.change(core::add_namespace{one, on("c", 3)})->ok());
        ASSERT_TRUE(w.change(core::remove_namespace{one, 3})->ok());
        ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
        ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    }
}

// 1552: devices come and go under load while hosts wait for events.
TEST(regressions, devices_come_and_go_under_load_with_events_pending) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        world w(options(2, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        watch_namespaces(w, *admin);
        for (int round = 0; round < 5; ++round) {
            const auto event = admin->async_event();
            std::vector<command_ref> load;
            for (std::uint64_t i = 0; i < 8; ++i) load.push_back(io->write(1, i));
            std::vector<ticket_ref> changes{w.ask(core::pause_subsystem{one})};
            for (std::uint64_t turns = w.pick(6); turns != 0; --turns) w.round();
            w.lose("a");
            for (std::uint64_t turns = w.pick(6); turns != 0; --turns) w.round();
            changes.push_back(w.ask(core::resume_subsystem{one}));
            changes.push_back(w.ask(core::reopen_device{"a"}));
            ASSERT_TRUE(w.run_until([&] { return all_done(changes); }, seconds(1)));
            ASSERT_TRUE(w.wait(event, seconds(1)));
            EXPECT_TRUE(has(event, sc::success));
            ASSERT_TRUE(w.run_until([&] { return all_done(load); }, seconds(1)));
            const auto log = admin->admin(nvme::admin_opcode::get_log_page, 0, 4096, 0x03ff'0004);
            ASSERT_TRUE(w.wait(log, seconds(1)));
            const auto after = io->write(1, 0);
            ASSERT_TRUE(w.wait(after, seconds(1)));
            EXPECT_TRUE(has(after, sc::success));
        }
    }
}

// 2215, and its relative of 2026: an event request that comes, is answered or ends with its
// connection during a pause left a count behind, and the next pause never ended.
TEST(regressions, event_requests_leave_nothing_that_a_pause_would_wait_for) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        world w(options(2, seed));
        auto keeper = w.admin(host(1));
        watch_namespaces(w, *keeper);
        const auto kept = keeper->async_event();
        for (int round = 0; round < 8; ++round) {
            auto admin = w.admin(host(0));
            watch_namespaces(w, *admin);
            const auto before = admin->async_event();
            const auto pause = w.change(core::pause_subsystem{one}, seconds(1));
            ASSERT_TRUE(pause->ok());
            (void)admin->async_event();
            if (round == 4) {
                ASSERT_TRUE(w.change(core::remove_namespace{one, 2})->ok());
                ASSERT_TRUE(w.wait(before, seconds(1)));
                EXPECT_TRUE(kept->done);
            }
            for (std::uint64_t turns = w.pick(5); turns != 0; --turns) w.round();
            admin->cut();
            ASSERT_TRUE(w.change(core::resume_subsystem{one}, seconds(1))->ok());
        }
    }
}

// 738 and many others: the drive is pulled with everything outstanding.
TEST(regressions, a_device_pulled_under_load_answers_everything_once) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        std::vector<std::unique_ptr<queue>> queues;
        for (std::uint16_t i = 1; i <= 3; ++i) queues.push_back(w.io(*admin, i));
        w.disk_named("a").set_manners(
            {.delay_max = milliseconds(5), .error_chance = 0.05, .ignore_abort_chance = 0.5});
        const bool silent = seed % 2 == 0;
        std::vector<command_ref> all;
        for (const auto& q : queues)
            for (std::uint64_t i = 0; i < 20; ++i)
                all.push_back(i % 2 == 0 ? q->write(1, i, 4, i % 4 == 0) : q->read(1, i, 64));
        for (std::uint64_t turns = w.pick(20); turns != 0; --turns) w.round();
        w.disk_named("a").set_stalled(silent);  // it answers what it has, or keeps it
        w.lose("a");
        w.run_for(milliseconds(50));
        EXPECT_TRUE(all_done(all)) << "seed " << seed;
        for (const auto& q : queues) EXPECT_FALSE(q->closed());
        const auto late = queues[0]->read(1, 0);
        const auto other = queues[1]->write(2, 0);
        ASSERT_TRUE(w.wait(late, milliseconds(10)) && w.wait(other, milliseconds(100)));
        EXPECT_TRUE(has(late, sc::internal_error));
        EXPECT_TRUE(late->status.dnr);
        EXPECT_TRUE(has(other, sc::success));
    }
}

// 3759: the aborted command waits for memory, not at a device.
TEST(regressions, an_abort_ends_a_request_that_waits_for_buffers) {
    world w(options());
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    w.disk_named("b").set_stalled(true);
    std::vector<command_ref> all;
    for (int i = 0; i < 8; ++i) all.push_back(io->read(2, 0, 2048));
    w.run_for(milliseconds(10));
    const auto waits = io->read(1, 0, 2048);
    w.run_for(milliseconds(10));
    const auto aborted = admin->abort(1, waits->sqe.cid.value());
    ASSERT_TRUE(w.wait(aborted, seconds(1)) && w.wait(waits, seconds(1)));
    EXPECT_EQ(aborted->dw0 & 1u, 0u);
    EXPECT_TRUE(has(waits, sc::aborted_by_request));
    w.disk_named("b").set_stalled(false);
    ASSERT_TRUE(w.run_until([&] { return all_done(all); }, seconds(1)));
    EXPECT_EQ(w.status_of(one).namespaces[0].outstanding, 0u);
}

// 3055: transfers that each want a large part of a small pool must not wait for one another.
TEST(regressions, large_transfers_share_the_smallest_pool) {
    world w(options());
    auto admin = w.admin(host(0));
    auto other = w.admin(host(1));
    std::vector<std::unique_ptr<queue>> queues;
    for (std::uint16_t i = 1; i <= 2; ++i) {
        queues.push_back(w.io(*admin, i));
        queues.push_back(w.io(*other, i));
    }
    w.disk_named("a").set_manners({.delay_max = milliseconds(2)});
    std::vector<command_ref> all;
    for (int i = 0; i < 12; ++i)
        for (const auto& q : queues)
            all.push_back(i % 2 == 0 ? q->read(1, 0, 2048) : q->write(1, 2048, 2048, false));
    ASSERT_TRUE(w.run_until([&] { return all_done(all); }, seconds(10)));
    for (const auto& c : all) EXPECT_TRUE(has(c, sc::success));
}

// 2194: a shutdown of the controller with I/O that never ends.
TEST(regressions, a_controller_shutdown_ends_although_a_device_is_silent) {
    world w(options(3));
    auto admin = w.admin(host(0, one, 0));
    auto io = w.io(*admin, 1, 1);
    w.disk_named("a").set_stalled(true);
    (void)io->write(1, 0);
    w.run_for(milliseconds(10));
    (void)admin->shut_down();
    const auto early = admin->property_get(nvme::register_offset::csts);
    ASSERT_TRUE(w.wait(early));
    EXPECT_EQ(early->dw0 >> 2 & 3u, 1u) << "it is said to be complete with I/O at a device";
    w.run_for(milliseconds(10'600));
    const auto late = admin->property_get(nvme::register_offset::csts);
    ASSERT_TRUE(w.wait(late));
    EXPECT_EQ(late->dw0 >> 2 & 3u, 2u);
    w.disk_named("a").set_stalled(false);
}

// --- create, delete, connect ---------------------------------------------------------------------

// 3100: hosts that never give up meet a subsystem that comes and goes.
TEST(regressions, hosts_reconnect_while_their_subsystem_comes_and_goes) {
    int served = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        world w(options(1 + seed % 3, seed));
        std::unique_ptr<queue> admin;
        command_ref waiting;
        bool connecting = false;
        std::vector<ticket_ref> changes;
        for (int i = 0; i < 400; ++i) {
            if (admin == nullptr || admin->closed() || (waiting->done && !succeeded(waiting))) {
                admin = w.open(host());
                waiting = admin->connect(0, nvme::cntlid_dynamic);
                connecting = true;
            } else if (waiting->done && connecting) {
                ++served;
                connecting = false;
                waiting = admin->enable();
            }
            if (i % 25 == 0) {
                changes.push_back(w.ask(core::delete_subsystem{one}));
                changes.push_back(w.ask(core::create_subsystem{subsystem(one, {"a", "b"})}));
            }
            w.round();
        }
        ASSERT_TRUE(w.run_until([&] { return all_done(changes); }, seconds(1)));
    }
    EXPECT_GT(served, 0);
}

// 3316: a Connect that comes before its subsystem is up everywhere.
TEST(regressions, a_connect_during_activation_waits) {
    int waited = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        world w(options(2, seed));
        ASSERT_TRUE(w.change(device("c"))->ok());
        w.freeze(1, true);  // so that the activation takes its time
        const auto created = w.ask(core::create_subsystem{subsystem(two, {"c"})});
        w.run_for(milliseconds(5));
        auto early = w.open(host(0, two, 0));
        const auto connect = early->connect(0, nvme::cntlid_dynamic);
        w.run_for(milliseconds(20));
        waited += connect->done ? 0 : 1;
        w.freeze(1, false);
        ASSERT_TRUE(w.run_until([&] { return created->done() && connect->done; }, seconds(1)));
        EXPECT_TRUE(created->ok());
        EXPECT_TRUE(has(connect, sc::success));
        const auto enabled = early->enable();
        ASSERT_TRUE(w.wait(enabled));
        auto io = w.io(*early, 1, 1);
        const auto read = io->read(1, 0);
        ASSERT_TRUE(w.wait(read, seconds(1)));
        EXPECT_TRUE(has(read, sc::success));
    }
    EXPECT_EQ(waited, 60);
}

// 1192 and its relative of 2026: a creation that fails late took its NQN with it.
TEST(regressions, a_creation_that_fails_can_be_repeated) {
    world w(options(2));
    core::subsystem_spec bad = subsystem(two, {});
    bad.min_cntlid = 9;
    bad.max_cntlid = 8;
    EXPECT_EQ(w.change(core::create_subsystem{bad})->code(), errc::invalid_argument);
    ASSERT_TRUE(w.change(device("c"))->ok());
    w.disk_named("c").set_manners({.no_channel_on = 2});
    EXPECT_EQ(w.change(core::create_subsystem{subsystem(two, {"c"})})->code(), errc::no_memory);
    EXPECT_EQ(w.change(core::create_subsystem{subsystem(two, {"c", "a"})})->code(),
              errc::no_memory);
    w.disk_named("c").set_manners({});
    EXPECT_EQ(w.change(core::create_subsystem{subsystem(two, {"c", "a"})})->code(), errc::conflict);
    ASSERT_TRUE(w.change(core::create_subsystem{subsystem(two, {"c"})})->ok());
    auto admin = w.admin(host(0, two));
    auto io = w.io(*admin, 1, 1);
    const auto read = io->read(1, 0);
    ASSERT_TRUE(w.wait(read, seconds(1)));
    EXPECT_TRUE(has(read, sc::success));
}

// 2590: a deletion may come in any state.
TEST(regressions, a_subsystem_is_deleted_whatever_it_is_doing) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        for (std::uint64_t i = 0; i < 5; ++i) (void)io->write(1, i);
        std::vector<ticket_ref> changes;
        const auto some = [&] {
            switch (w.pick(5)) {
                case 0: return changes.push_back(w.ask(core::pause_subsystem{one}));
                case 1: return changes.push_back(w.ask(core::resume_subsystem{one}));
                case 2: return changes.push_back(w.ask(core::remove_namespace{one, 1}));
                case 3: return changes.push_back(w.ask(core::resize_device{"b", 8192 * 512}));
                default:
                    changes.push_back(
                        w.ask(core::set_ana_state{one, 2, core::ana_state::inaccessible}));
            }
        };
        some();
        for (std::uint64_t turns = w.pick(8); turns != 0; --turns) w.round();
        some();
        const auto deleted = w.ask(core::delete_subsystem{one});
        some();
        ASSERT_TRUE(w.run_until([&] { return deleted->done() && all_done(changes); }, seconds(1)));
        EXPECT_TRUE(deleted->ok());
        EXPECT_EQ(changes.back()->code(), errc::not_found);
        EXPECT_EQ(io->outstanding(), 0u);
    }
}

// 3391, 2560, 1578: connections are listed while they come and go.
TEST(regressions, connections_are_listed_at_any_moment) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        world w(options(3, seed));
        std::vector<ticket_ref> questions;
        auto admin = w.open(host());
        const auto connect = admin->connect(0, nvme::cntlid_dynamic);
        for (int i = 0; i < 30; ++i) {
            questions.push_back(w.ask(core::query(core::list_connections{})));
            if (i == 12 + static_cast<int>(seed % 6)) admin->cut();
            w.round();
        }
        ASSERT_TRUE(w.run_until([&] { return all_done(questions); }, seconds(1)));
        EXPECT_TRUE(connect->done);
    }
}

// --- listeners, shutdown -------------------------------------------------------------------------

// 3208 (and 2948, where the I/O is slow): a listener goes with queues that came through it.
TEST(regressions, a_listener_goes_with_its_connections) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_manners({.delay_max = milliseconds(200), .ignore_abort_chance = 1});
        for (std::uint64_t i = 0; i < 10; ++i) (void)io->write(1, i);
        auto late = w.open(host(1));
        const auto connect = late->connect(0, nvme::cntlid_dynamic);
        for (std::uint64_t turns = w.pick(10); turns != 0; --turns) w.round();
        ASSERT_TRUE(w.change(core::remove_listener{"loopback:sim:4420"})->ok());
        w.run_for(milliseconds(400));
        EXPECT_TRUE(io->closed() && admin->closed() && late->closed()) << "seed " << seed;
        EXPECT_TRUE(connect->done);
        EXPECT_EQ(w.status_of(one).controllers, 0u);
        EXPECT_EQ(w.change(core::remove_listener{"loopback:sim:4420"})->code(), errc::not_found);
        ASSERT_TRUE(w.change(core::add_listener{{"loopback", "sim", 4420}})->ok());
        auto again = w.admin(host());
        auto more = w.io(*again, 1);
        const auto read = more->read(1, 0);
        ASSERT_TRUE(w.wait(read, seconds(1)));
        EXPECT_TRUE(has(read, sc::success));
    }
}

// 3784, 3656, 1780, 2765: the end, with as much outstanding as there can be; and 3273: with hosts
// that connect all the while.
TEST(regressions, shutdown_under_load_with_hosts_that_connect) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        world_options o = options(1 + seed % 3, seed);
        o.fault_profile.delay_max = milliseconds(20);
        o.fault_profile.ignore_abort_chance = 1;
        o.fault_profile.answers_inline = seed % 4 == 0;
        world w(o);
        auto admin = w.admin(host());
        std::vector<std::unique_ptr<queue>> queues;
        for (std::uint16_t i = 1; i <= 4; ++i) {
            command_ref connect;
            identity who = admin->who();
            queues.push_back(w.open(who));
            connect = queues.back()->connect(i, admin->controller(), 0, 256);
            ASSERT_TRUE(w.wait(connect) && succeeded(connect));
        }
        for (const auto& q : queues)
            for (std::uint64_t i = 0; i < 250; ++i)
                (void)(i % 3 == 0 ? q->write(1, i % 64, 1, i % 2 == 0) : q->read(2, i % 64, 16));
        for (std::uint64_t turns = w.pick(10); turns != 0; --turns) w.round();
        bool stopped = false;
        w.target().shut_down([&] { stopped = true; });
        std::vector<std::unique_ptr<queue>> late;
        for (int number = 1; number <= 20 && !stopped; ++number) {
            late.push_back(w.open(host(number)));
            (void)late.back()->connect(0, nvme::cntlid_dynamic);
            w.round();
        }
        ASSERT_TRUE(w.run_until([&] { return stopped; }, seconds(2))) << "seed " << seed;
        EXPECT_TRUE(w.run_until([&] { return w.target().at_rest(); }, seconds(1)));
    }
}

// 2789: the aborted write waits for the data that it asked its host for.
TEST(regressions, an_abort_of_a_write_that_awaits_its_data_costs_no_connection) {
    world w(options(2));
    auto admin = w.admin(host(0, one, 0));
    auto io = w.io(*admin, 1, 1);
    io->connection().set_sending_data(false);
    const auto owed = io->write(1, 0, 64, false);
    w.run_for(milliseconds(10));
    const auto aborted = admin->abort(1, owed->sqe.cid.value());
    ASSERT_TRUE(w.wait(aborted, seconds(1)));
    EXPECT_EQ(aborted->dw0 & 1u, 1u) << "its data is on the way: it has to be taken in";
    io->connection().set_sending_data(true);
    ASSERT_TRUE(w.wait(owed, seconds(1)));
    EXPECT_TRUE(has(owed, sc::success));
    EXPECT_FALSE(io->closed() || admin->closed());
}

}  // namespace
}  // namespace fulmar::sim
