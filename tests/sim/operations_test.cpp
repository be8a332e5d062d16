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
    GTEST_SKIP() << "a delete still waits for a device that never answers: the second stage of the "
                    "deadline (the claim stays, everybody else goes on) is not there yet";
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

}  // namespace
}  // namespace fulmar::sim
