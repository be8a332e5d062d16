#include "scenario.hpp"

namespace fulmar::sim {
namespace {

// Issue 3467: requests are parked when their subsystem goes, and another one takes its slot.
TEST(parking, power_off_with_parked_connect) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host(0));
        auto io = w.io(*admin, 1);
        const std::uint32_t slot = w.status_of(one).slot;
        ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
        const auto parked_write = io->write(1, 0);
        const auto parked_read = io->read(2, 0);
        auto late = w.open(host(1));
        const auto parked_connect = late->connect(0, nvme::cntlid_dynamic);
        w.run_for(milliseconds(100));
        EXPECT_FALSE(parked_write->done || parked_read->done || parked_connect->done);
        // Another one is added beside what waits; it has nothing to do with it.
        ASSERT_TRUE(
            w.change(core::create_subsystem{subsystem("nqn.2026-11.io.fulmar:beside", {})})->ok());

        const auto deleted = w.ask(core::delete_subsystem{one});
        ASSERT_TRUE(w.run_until([&] { return deleted->done(); }, seconds(5)));
        ASSERT_TRUE(deleted->ok());
        EXPECT_TRUE(parked_write->done && parked_read->done) << "a leftover got no answer";
        core::subsystem_spec spec = subsystem(two, {"a", "b"});
        const auto created = w.change(core::create_subsystem{spec});
        ASSERT_TRUE(created->ok());
        EXPECT_EQ(w.status_of(two).slot, slot);

        auto newcomer = w.admin(host(2, two));
        auto newcomers = w.io(*newcomer, 1);
        const auto read = newcomers->read(1, 0, 4);
        ASSERT_TRUE(w.wait(read, seconds(1)));
        EXPECT_TRUE(has(read, sc::success));
        ASSERT_TRUE(w.wait(parked_connect, seconds(1))) << "the parked Connect got no answer";
        EXPECT_TRUE(parked_connect->answered);
        EXPECT_FALSE(nvme::is_success(parked_connect->status));
        const auto again = newcomers->write(1, 0, 4);
        ASSERT_TRUE(w.wait(again, seconds(1)));
        EXPECT_TRUE(has(again, sc::success));
    }
}

// Its connection lives on: a closing gate owes an answer to everybody who waits at it.
TEST(parking, what_is_parked_is_answered_when_its_namespace_goes) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(options(1 + seed % 3, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
        const auto write = io->write(1, 0);
        const auto read = io->read(1, 0);
        const auto neighbour = io->read(2, 0);
        w.run_for(milliseconds(100));
        EXPECT_FALSE(write->done || read->done || neighbour->done);
        ASSERT_TRUE(w.change(core::remove_namespace{one, 1})->ok());
        w.run_for(milliseconds(100));
        EXPECT_TRUE(has(write, sc::invalid_namespace_or_format)) << "a leftover got no answer";
        EXPECT_TRUE(has(read, sc::invalid_namespace_or_format)) << "a leftover got no answer";
        EXPECT_FALSE(neighbour->done);
        ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
        ASSERT_TRUE(w.wait(neighbour, seconds(1)));
        EXPECT_TRUE(has(neighbour, sc::success));
        EXPECT_FALSE(io->closed());
    }
}

TEST(parking, pause_parks_and_resume_replays_in_order) {
    world w(options());
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    std::vector<command_ref> parked;
    std::vector<std::uint64_t> order;
    for (std::uint64_t i = 0; i < 20; ++i) {
        parked.push_back(io->write(1, i, 1, i % 2 == 0));
        if (i % 2 == 0) order.push_back(parked.back()->tag);
    }
    w.run_for(milliseconds(100));
    for (const auto& c : parked) EXPECT_FALSE(c->done);
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    for (const auto& c : parked) ASSERT_TRUE(w.wait(c, seconds(1)));
    for (const auto& c : parked) EXPECT_TRUE(has(c, sc::success));
    // Those whose data came in their capsules need nothing further: they arrive in order.
    std::vector<std::uint64_t> seen;
    for (const std::uint64_t tag : w.disk_named("a").write_order())
        if (std::find(order.begin(), order.end(), tag) != order.end()) seen.push_back(tag);
    EXPECT_EQ(seen, order);
}

TEST(parking, management_is_never_parked) {
    world w(options());
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    const auto parked = io->write(1, 0);
    w.run_for(milliseconds(10));
    const auto keep_alive = admin->keep_alive();
    const auto identify = admin->admin(nvme::admin_opcode::identify, 1, 4096);
    const auto property = admin->property_get(nvme::register_offset::csts);
    ASSERT_TRUE(w.wait(keep_alive, seconds(1)) && w.wait(identify, seconds(1)) &&
                w.wait(property, seconds(1)));
    EXPECT_TRUE(succeeded(keep_alive) && succeeded(identify) && succeeded(property));
    const auto aborted = admin->abort(1, parked->sqe.cid.value());
    ASSERT_TRUE(w.wait(aborted, seconds(1)) && w.wait(parked, seconds(1)));
    EXPECT_EQ(aborted->dw0 & 1u, 0u);
    EXPECT_TRUE(has(parked, sc::aborted_by_request));
}

TEST(connects, connect_during_pause_waits_then_goes_on) {
    world w(options(2));
    auto admin = w.admin(host(0));
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    auto late = w.open(host(1));
    const auto connect = late->connect(0, nvme::cntlid_dynamic);
    command_ref io_connect;
    auto io = w.open_io(*admin, 1, 1, io_connect);
    w.run_for(seconds(1));
    EXPECT_FALSE(connect->done || io_connect->done);
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    ASSERT_TRUE(w.wait(connect, seconds(1)) && w.wait(io_connect, seconds(1)));
    EXPECT_TRUE(has(connect, sc::success));
    EXPECT_TRUE(has(io_connect, sc::success));
}

TEST(connects, connect_wait_is_bounded) {
    world w(options());
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    auto late = w.open(host(1));
    const auto connect = late->connect(0, nvme::cntlid_dynamic);
    w.run_for(milliseconds(4500));
    EXPECT_FALSE(connect->done);
    w.run_for(seconds(1));
    EXPECT_TRUE(has(connect, sc::connect_controller_busy));
    EXPECT_FALSE(connect->status.dnr);
}

// It waits for something that will never come, and is told so; a newcomer has nothing of it.
TEST(connects, a_connect_that_waits_learns_that_its_subsystem_is_deleted) {
    world w(options(2));
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    auto late = w.open(host(1));
    const auto connect = late->connect(0, nvme::cntlid_dynamic);
    w.run_for(milliseconds(100));
    EXPECT_FALSE(connect->done);
    ASSERT_TRUE(w.change(core::delete_subsystem{one})->ok());
    w.run_for(milliseconds(10));
    EXPECT_TRUE(has(connect, sc::connect_invalid_parameters));
    EXPECT_FALSE(connect->status.dnr) << "it may be created again, and a host that is told not to "
                                         "retry gives it up for good";
}

// Whoever storms at one paused subsystem takes the room of nobody who waits for another.
TEST(connects, connects_that_wait_are_bounded_for_each_subsystem) {
    world_options o = options();
    o.subsystems.push_back(subsystem(two, {}));
    world w(o);
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    ASSERT_TRUE(w.change(core::pause_subsystem{two})->ok());
    std::vector<std::unique_ptr<queue>> storm;
    std::vector<command_ref> connects;
    for (std::uint32_t i = 0; i < limits::max_parked_connects + 3; ++i) {
        storm.push_back(w.open(host(1)));
        connects.push_back(storm.back()->connect(0, nvme::cntlid_dynamic));
    }
    w.run_for(milliseconds(500));
    std::size_t refused = 0;
    for (const auto& c : connects)
        if (c->done) {
            EXPECT_TRUE(has(c, sc::connect_controller_busy));
            ++refused;
        }
    EXPECT_EQ(refused, 3u);
    auto other = w.open(host(2, two));
    const auto waits = other->connect(0, nvme::cntlid_dynamic);
    w.run_for(milliseconds(100));
    EXPECT_FALSE(waits->done) << "there is room for those who wait for another subsystem";
    ASSERT_TRUE(w.change(core::resume_subsystem{two})->ok());
    ASSERT_TRUE(w.wait(waits, seconds(1)));
    EXPECT_TRUE(has(waits, sc::success));
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    for (const auto& c : connects) ASSERT_TRUE(w.wait(c, seconds(2)));
    EXPECT_EQ(std::count_if(connects.begin(), connects.end(), succeeded),
              static_cast<std::ptrdiff_t>(limits::max_parked_connects));
}

// The wait is for all of it: another pause does not make it start over, nor go on for ever.
TEST(connects, connect_wait_is_bounded_over_several_pauses) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        world w(options(2, seed));
        ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
        auto late = w.open(host(1));
        const auto connect = late->connect(0, nvme::cntlid_dynamic);
        w.run_for(seconds(1));
        (void)w.ask(core::resume_subsystem{one});
        (void)w.ask(core::pause_subsystem{one});
        w.run_for(seconds(6));
        EXPECT_TRUE(connect->done) << "seed " << seed;
    }
}

// Its subsystem is gone, its wait is over, and something else happens on that poll group.
TEST(connects, a_parked_connect_ends_once_when_another_subsystem_opens) {
    world w(options());
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    auto late = w.open(host(1));
    const auto connect = late->connect(0, nvme::cntlid_dynamic);
    w.run_for(milliseconds(100));
    ASSERT_TRUE(w.change(core::delete_subsystem{one})->ok());
    ASSERT_TRUE(w.change(core::create_subsystem{subsystem(two, {})})->ok());
    w.run_for(seconds(8));
    EXPECT_TRUE(connect->answered);
    EXPECT_FALSE(nvme::is_success(connect->status));
}

TEST(connects, a_connection_that_ends_while_its_connect_waits_leaves_nothing) {
    world w(options());
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    auto late = w.open(host(1));
    (void)late->connect(0, nvme::cntlid_dynamic);
    w.run_for(milliseconds(100));
    late->cut();
    w.run_for(milliseconds(100));
    EXPECT_TRUE(w.group(0).empty());
    w.run_for(seconds(6));
}

}  // namespace
}  // namespace fulmar::sim
