#include "scenario.hpp"

namespace fulmar::sim {
namespace {

TEST(operations, delete_twice_is_404) {
    world w(options());
    const auto first = w.ask(core::delete_subsystem{one});
    const auto second = w.ask(core::delete_subsystem{one});
    ASSERT_TRUE(w.run_until([&] { return first->done() && second->done(); }));
    EXPECT_TRUE(first->ok());
    ASSERT_FALSE(second->ok());
    EXPECT_EQ(second->code(), errc::not_found);
    const auto third = w.change(core::delete_subsystem{one});
    EXPECT_EQ(third->code(), errc::not_found);
}

TEST(operations, compose_in_order) {
    world w(options(2));
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    ASSERT_TRUE(w.change(device("c"))->ok());
    const std::vector<ticket_ref> all{
        w.ask(core::pause_subsystem{one}),
        w.ask(core::add_namespace{one, on("c", 3)}),
        w.ask(core::resize_device{"c", 8192 * 512}),
        w.ask(core::remove_namespace{one, 1}),
        w.ask(core::resume_subsystem{one}),
        w.ask(core::resume_subsystem{one}),
        w.ask(core::set_ana_state{one, 3, core::ana_state::non_optimized}),
    };
    ASSERT_TRUE(w.run_until([&] {
        return std::all_of(all.begin(), all.end(), [](const auto& t) { return t->done(); });
    }));
    for (const auto& t : all) EXPECT_TRUE(t->ok()) << t->text << ": " << t->outcome.error().text();
    const auto read = io->read(3, 8191);
    ASSERT_TRUE(w.wait(read));
    EXPECT_TRUE(has(read, sc::success));
    const auto gone = io->read(1, 0);
    ASSERT_TRUE(w.wait(gone));
    EXPECT_TRUE(has(gone, sc::invalid_namespace_or_format));
}

TEST(operations, remove_namespace_drains) {
    world w(options(2));
    auto admin = w.admin(host());
    auto first = w.io(*admin, 1, 0);
    auto second = w.io(*admin, 2, 1);
    w.disk_named("a").set_manners({.delay_min = milliseconds(500), .delay_max = milliseconds(900)});
    const auto write = first->write(1, 0);
    const auto read = second->read(1, 1);
    const auto other = second->read(2, 1);
    w.run_for(milliseconds(50));
    const auto removed = w.ask(core::remove_namespace{one, 1});
    w.run_for(milliseconds(200));
    EXPECT_FALSE(removed->done());
    const auto late = first->read(1, 0);
    ASSERT_TRUE(w.wait(late, milliseconds(100)));
    EXPECT_TRUE(has(late, sc::invalid_namespace_or_format));
    EXPECT_TRUE(other->done);
    ASSERT_TRUE(w.run_until([&] { return removed->done(); }, seconds(2)));
    EXPECT_TRUE(removed->ok());
    EXPECT_TRUE(write->done && read->done);
    EXPECT_TRUE(has(write, sc::success));
    EXPECT_TRUE(has(read, sc::success));
    ASSERT_TRUE(w.change(core::add_namespace{one, on("a", 1)})->ok());
    const auto fresh = first->read(1, 0);
    ASSERT_TRUE(w.wait(fresh));
    EXPECT_EQ(read_stamp(fresh->data.data()).tag, 0u);
}

TEST(operations, stop_while_pausing) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        world w(options(2, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_stalled(true);
        const auto write = io->write(1, 0);
        w.run_for(milliseconds(10));
        const auto pause = w.ask(core::pause_subsystem{one});
        w.run_for(milliseconds(100));
        EXPECT_EQ(w.status_of(one).transition.state, "pausing");
        const auto removed = w.ask(core::delete_subsystem{one});
        w.run_for(seconds(25));
        EXPECT_TRUE(pause->done()) << "seed " << seed;
        EXPECT_TRUE(removed->done()) << "seed " << seed;
        EXPECT_TRUE(write->done);
        w.disk_named("a").set_stalled(false);
    }
}

// --- devices that are lost while an operation has them ----------------------------------------

// The device goes while its namespace is being fenced for a reopen that does not work out; the
// loss must not leave the namespace between two states.
TEST(operations, a_reopen_that_fails_leaves_the_namespace_lost) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        world w(options(2, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        w.disk_named("a").set_lost(true);  // nobody has told the target yet
        w.disk_named("a").set_stalled(true);
        const auto first = w.change(core::reopen_device{"a"});
        EXPECT_FALSE(first->ok());
        EXPECT_EQ(w.status_of(one).namespaces[0].transition.state, "lost");
        EXPECT_FALSE(w.change(core::reopen_device{"a"})->ok());
        w.lose("a");  // late
        w.settle();
        const auto read = io->read(1, 0);
        ASSERT_TRUE(w.wait(read, seconds(1)));
        EXPECT_TRUE(has(read, sc::internal_error));
        w.disk_named("a").set_stalled(false);
        ASSERT_TRUE(w.change(core::reopen_device{"a"})->ok());
        const auto again = io->read(1, 0);
        ASSERT_TRUE(w.wait(again, seconds(1)));
        EXPECT_TRUE(has(again, sc::success));
    }
}

TEST(operations, a_device_that_comes_back_during_a_pause_serves_after_it) {
    world w(options(2));
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    w.lose("a");
    w.settle();
    ASSERT_TRUE(w.change(core::pause_subsystem{one})->ok());
    ASSERT_TRUE(w.change(core::reopen_device{"a"})->ok());
    const auto parked = io->read(1, 0);
    w.run_for(milliseconds(10));
    EXPECT_FALSE(parked->done);
    ASSERT_TRUE(w.change(core::resume_subsystem{one})->ok());
    ASSERT_TRUE(w.wait(parked, seconds(1)));
    EXPECT_TRUE(has(parked, sc::success));
}

// Its drive is waited for, and an operator takes it away meanwhile: then it is gone, and no host is
// told of another path to it.
TEST(operations, a_held_namespace_that_is_removed_is_gone) {
    world_options o = options(2);
    o.subsystems[0].namespaces[0].on_loss = core::loss_policy::hold;
    world w(o);
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    w.disk_named("a").set_stalled(true);
    const auto write = io->write(1, 0);
    w.run_for(milliseconds(10));
    w.lose("a");
    ASSERT_TRUE(w.wait(write, seconds(1)));
    EXPECT_TRUE(has(write, sc::namespace_not_ready));
    const auto removed = w.ask(core::remove_namespace{one, 1});
    w.run_for(milliseconds(10));
    EXPECT_FALSE(removed->done()) << "the disk still has the write";
    const auto read = io->read(1, 0);
    ASSERT_TRUE(w.wait(read, seconds(1)));
    EXPECT_TRUE(has(read, sc::invalid_namespace_or_format));
    w.disk_named("a").set_stalled(false);
    EXPECT_TRUE(w.run_until([&] { return removed->done(); }, seconds(1)));
}

// The loss is told while a reopen has the device back already: nothing is lost any more.
TEST(operations, a_loss_that_a_reopen_has_overtaken_takes_nothing_away) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        world w(options(2, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        const auto reopened = w.ask(core::reopen_device{"a"});
        for (std::uint64_t turns = seed % 5; turns != 0; --turns) w.round();
        w.lose("a");
        ASSERT_TRUE(w.run_until([&] { return reopened->done(); }));
        w.settle();
        const bool lost = w.disk_named("a").lost();
        EXPECT_EQ(w.status_of(one).namespaces[0].transition.state, lost ? "lost" : "ready");
        const auto read = io->read(1, 0);
        ASSERT_TRUE(w.wait(read, seconds(1)));
        EXPECT_TRUE(has(read, lost ? nvme::status(sc::internal_error) : nvme::status(sc::success)));
    }
}

// As at a start: it keeps its place until its disk is back.
TEST(operations, a_namespace_on_a_lost_disk_is_added_and_serves_after_a_reopen) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        world w(options(2, seed));
        auto admin = w.admin(host());
        auto io = w.io(*admin, 1);
        ASSERT_TRUE(w.change(core::remove_namespace{one, 2}, seconds(5))->ok());
        w.lose("b");
        w.settle();
        const auto added = w.ask(core::add_namespace{one, on("b", 2)});
        const auto reopened = seed % 2 == 0 ? w.ask(core::reopen_device{"b"}) : nullptr;
        ASSERT_TRUE(w.run_until([&] { return added->done(); }));
        EXPECT_TRUE(added->ok());
        if (reopened == nullptr) {
            w.settle();
            EXPECT_EQ(w.status_of(one).namespaces[1].transition.state, "lost");
            const auto read = io->read(2, 0);
            ASSERT_TRUE(w.wait(read, seconds(1)));
            EXPECT_TRUE(has(read, sc::internal_error));
            ASSERT_TRUE(w.change(core::reopen_device{"b"}, seconds(5))->ok());
        } else {
            ASSERT_TRUE(w.run_until([&] { return reopened->done(); }));
        }
        w.settle();
        EXPECT_EQ(w.status_of(one).namespaces[1].transition.state, "ready");
        const auto read = io->read(2, 0);
        ASSERT_TRUE(w.wait(read, seconds(1)));
        EXPECT_TRUE(has(read, sc::success));
    }
}

// The queue of operations is bounded for operators; what happens to a device is always taken in.
TEST(operations, a_full_queue_turns_operators_away_and_hears_of_a_loss) {
    world w(options());
    w.disk_named("a").set_stalled(true);
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    (void)io->read(1, 0);
    w.run_for(milliseconds(10));
    std::vector<ticket_ref> all{w.ask(core::pause_subsystem{one})};
    w.run_for(milliseconds(10));
    for (std::uint32_t i = 0; i < limits::pending_operations_per_subsystem; ++i)
        all.push_back(w.ask(core::resume_subsystem{one}));
    const auto refused = w.change(core::resume_subsystem{one}, seconds(1));
    ASSERT_FALSE(refused->ok());
    EXPECT_EQ(refused->code(), errc::limit_reached);
    w.lose("b");
    ASSERT_TRUE(w.run_until([&] { return all.front()->done(); }, seconds(11)));
    w.settle();
    EXPECT_EQ(w.status_of(one).namespaces[1].transition.state, "lost");
    ASSERT_TRUE(w.run_until([&] { return all.back()->done(); }));
    w.disk_named("a").set_stalled(false);
}

}  // namespace
}  // namespace fulmar::sim
