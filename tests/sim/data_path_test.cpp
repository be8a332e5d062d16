#include "scenario.hpp"

namespace fulmar::sim {
namespace {

TEST(hosts, read_what_they_wrote) {
    world w(options());
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    const auto write = io->write(1, 7, 8);
    ASSERT_TRUE(w.wait(write));
    EXPECT_TRUE(has(write, sc::success));
    const auto fetched = io->write(1, 100, 64, false);
    ASSERT_TRUE(w.wait(fetched));
    EXPECT_TRUE(has(fetched, sc::success));
    const auto read = io->read(1, 7, 8);
    ASSERT_TRUE(w.wait(read));
    ASSERT_TRUE(has(read, sc::success));
    EXPECT_EQ(read_stamp(read->data.data()).tag, write->tag);
}

TEST(hosts, that_stop_reading_are_closed_and_cost_nobody_else) {
    world w(options());
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    auto other = w.admin(host(1));
    auto others = w.io(*other, 1);
    io->connection().set_reading(false);
    for (int i = 0; i < 30; ++i) (void)io->read(1, 0, 8);
    w.run_for(seconds(5));
    const auto read = others->read(1, 0, 8);
    EXPECT_TRUE(w.wait(read, seconds(1)));
    io->connection().set_reading(true);
    EXPECT_TRUE(w.run_until([&] { return io->outstanding() == 0; }, seconds(1)));
    io->connection().set_reading(false);
    for (int i = 0; i < 30; ++i) (void)io->read(1, 0, 8);
    w.run_for(seconds(40));  // send_stall_s is 30
    io->connection().set_reading(true);
    w.run_for(seconds(1));
    EXPECT_TRUE(io->closed());
    EXPECT_FALSE(others->closed());
}

TEST(hosts, that_owe_data_are_closed) {
    world w(options());
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    io->connection().set_sending_data(false);
    const auto write = io->write(1, 0, 64, false);
    w.run_for(seconds(10));
    EXPECT_FALSE(write->done);
    w.run_for(seconds(25));
    EXPECT_TRUE(io->closed());
}

TEST(hosts, whose_data_breaks_may_send_it_again) {
    world_options o = options();
    world w(o);
    auto admin = w.admin(host(0));
    auto io = w.io(*admin, 1);
    w.fabric().options().corrupt_chance = 1;
    const auto in_capsule = io->write(1, 0, 8);
    const auto fetched = io->write(1, 8, 64, false);
    ASSERT_TRUE(w.wait(in_capsule) && w.wait(fetched));
    EXPECT_TRUE(has(in_capsule, sc::transient_transport_error));
    EXPECT_TRUE(has(fetched, sc::transient_transport_error));
    w.fabric().options().corrupt_chance = 0;
    const auto again = io->write(1, 8, 64, false);
    ASSERT_TRUE(w.wait(again));
    EXPECT_TRUE(has(again, sc::success));
}

}  // namespace
}  // namespace fulmar::sim
