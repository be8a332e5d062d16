#include <fulmar/backend/fault_device.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>

#include <atomic>
#include <deque>
#include <random>
#include <thread>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
using namespace std::chrono_literals;
using test::io_runner;
using test::test_op;

class fault_device_test : public ::testing::Test {
  protected:
    fault_device_test() { device->set_listener(&listener); }
    test_op& submit(io_kind kind, std::uint64_t first = 0, int value = 0) {
        test_op& op = ops.emplace_back();
        op.kind = kind;
        op.first_block = first;
        op.block_count = 1;
        auto& bytes = memory.emplace_back(512, static_cast<std::byte>(value));
        op.set_data(bytes);
        channel->submit(op);
        return op;
    }
    void turn(int turns = 3, duration passes = {}) {
        for (int i = 0; i < turns; ++i) {
            clock.advance(passes);
            reactor->run_once();
        }
    }
    std::byte stored(std::uint64_t first) {
        test_op& op = submit(io_kind::read, first);
        turn();
        EXPECT_EQ(op.status, sc::success);
        return memory.back()[0];
    }
    manual_clock clock;
    std::unique_ptr<engine::reactor> reactor =
        engine::reactor::create(
            {.id = {}, .busy_window = {}, .clock = &clock, .descriptors = false})
            .value();
    test::test_listener listener;
    std::unique_ptr<fault_device> device = make_fault_device({.size_bytes = 1 << 20}).value();
    std::unique_ptr<io_channel> channel = device->open_channel(*reactor).value();
    std::deque<test_op> ops;
    std::deque<std::vector<std::byte>> memory;
};

TEST_F(fault_device_test, is_a_plain_device_at_first) {
    EXPECT_FALSE(channel->completes_inline());
    test_op& w = submit(io_kind::write, 3, 7);
    EXPECT_FALSE(w.finished());
    turn(1);
    EXPECT_EQ(w.status, sc::success);
    EXPECT_EQ(w.answers, 1);
    EXPECT_EQ(stored(3), std::byte{7});
    EXPECT_EQ(device->submitted(), 2u);
    EXPECT_EQ(device->answered(), 2u);
}

TEST_F(fault_device_test, fails_the_next_ones) {
    device->add({.action = fault_action::fail,
                 .kind = io_kind::write,
                 .count = 2,
                 .status = sc::write_fault});
    test_op& a = submit(io_kind::write, 0, 1);
    test_op& r = submit(io_kind::read);
    test_op& b = submit(io_kind::write, 0, 2);
    test_op& c = submit(io_kind::write, 0, 3);
    turn();
    EXPECT_EQ(a.status, sc::write_fault);
    EXPECT_EQ(r.status, sc::success);
    EXPECT_EQ(b.status, sc::write_fault);
    EXPECT_EQ(c.status, sc::success);
}

TEST_F(fault_device_test, stalls_until_released_and_touches_memory_only_then) {
    device->add({.action = fault_action::stall, .count = 0});
    test_op& w = submit(io_kind::write, 5, 1);
    turn(100, 1s);
    EXPECT_FALSE(w.finished());
    EXPECT_EQ(device->held(), 1u);
    std::fill(memory[0].begin(), memory[0].end(),
              std::byte{9});  // somebody reused the buffer: that is what gets written
    device->clear();
    device->release();
    turn();
    EXPECT_EQ(w.status, sc::success);
    EXPECT_EQ(stored(5), std::byte{9});
}

TEST_F(fault_device_test, delays_by_its_clock) {
    device->add({.action = fault_action::delay, .count = 1, .delay = 100ms});
    test_op& w = submit(io_kind::write, 5, 1);
    turn(9, 10ms);
    EXPECT_FALSE(w.finished());
    turn(4, 10ms);
    EXPECT_TRUE(w.finished());
}

TEST_F(fault_device_test, loses_until_reset) {
    device->add({.action = fault_action::lose, .count = 1});
    test_op& w = submit(io_kind::write, 5, 1);
    channel->abort(w);
    device->release();
    turn(100, 1s);
    EXPECT_FALSE(w.finished());
    EXPECT_EQ(channel->outstanding(), 1u);
    device->reset();
    turn();
    EXPECT_EQ(w.status, sc::aborted_by_request);
    EXPECT_EQ(stored(5), std::byte{0});
}

TEST_F(fault_device_test, aborts_what_is_stalled) {
    device->add({.action = fault_action::stall, .count = 1});
    test_op& w = submit(io_kind::write, 5, 1);
    channel->abort(w);
    turn();
    EXPECT_EQ(w.status, sc::aborted_by_request);
    channel->abort(w);  // nothing any more
}

TEST_F(fault_device_test, vanishes_and_answers) {
    device->add({.action = fault_action::stall, .count = 1});
    device->add({.action = fault_action::lose, .count = 1});
    test_op& stalled = submit(io_kind::write, 5, 1);
    test_op& lost = submit(io_kind::write, 5, 1);
    test_op& under_way = submit(io_kind::write, 5, 1);
    device->vanish(held_fate::answered);
    EXPECT_EQ(device->state(), device_state::lost);
    EXPECT_EQ(listener.losses, 1);
    turn();
    for (const test_op* op : {&stalled, &lost, &under_way})
        EXPECT_TRUE(op->status.is(sc::internal_error));
    test_op& late = submit(io_kind::read);
    turn();
    EXPECT_TRUE(late.status.is(sc::internal_error));
    device->vanish(held_fate::answered);
    EXPECT_EQ(listener.losses, 1);
    ASSERT_TRUE(device->reopen());
    EXPECT_EQ(stored(5), std::byte{0});
}

TEST_F(fault_device_test, vanishes_and_goes_silent) {
    device->add({.action = fault_action::stall, .count = 1});
    test_op& stalled = submit(io_kind::write, 5, 1);
    device->vanish(held_fate::kept);
    turn(100, 1s);
    EXPECT_FALSE(stalled.finished());
    device->come_back();
    device->reset(sc::internal_error);
    turn();
    EXPECT_EQ(stalled.status, sc::internal_error);
    EXPECT_EQ(stored(5), std::byte{0});
}

TEST_F(fault_device_test, the_last_answer_may_destroy_the_channel) {
    struct suicidal final : io_op {
        std::unique_ptr<io_channel>* channel = nullptr;
    } op;
    op.channel = &channel;
    op.done = [](io_op& o, nvme::status) noexcept { static_cast<suicidal&>(o).channel->reset(); };
    op.kind = io_kind::flush;
    channel->submit(op);
    turn();
    EXPECT_EQ(channel, nullptr);
}

TEST_F(fault_device_test, understands_commands) {
    EXPECT_TRUE(device->command("fail write 1"));
    EXPECT_TRUE(device->command("  delay   read 1  250 "));
    EXPECT_TRUE(device->command("stall any 0"));
    test_op& w = submit(io_kind::write);
    test_op& s = submit(io_kind::write);
    turn();
    EXPECT_TRUE(w.status.is(sc::internal_error));
    EXPECT_FALSE(s.finished());
    for (const char* good : {"clear", "release", "vanish answered", "come_back", "reset",
                             "random 7 10 10 0", "lose flush 1"})
        EXPECT_TRUE(device->command(good)) << good;
    for (const char* bad :
         {"", " ", "fail", "fail write", "fail wrote 1", "fail write x", "delay read 1",
          "stall any 0 5", "vanish", "vanish now", "random 1", "clear all", "fail write -1"})
        EXPECT_EQ(device->command(bad).error().code, errc::invalid_argument) << bad;
    turn();
}

// Same seed, same story; and every operation is answered once.
TEST(fault_device_at_random, can_be_replayed) {
    const auto play = [](std::uint64_t seed) {
        manual_clock clock;
        auto reactor = engine::reactor::create(
                           {.id = {}, .busy_window = {}, .clock = &clock, .descriptors = false})
                           .value();
        auto device = make_fault_device({.size_bytes = 1 << 20}).value();
        auto channel = device->open_channel(*reactor).value();
        device->randomise(seed, {.fail = 100,
                                 .delay = 300,
                                 .lose = 20,
                                 .max_delay = 5ms,
                                 .shuffle = true,
                                 .inline_answers = true});
        std::deque<test_op> ops;
        std::vector<std::byte> data(512);
        std::string story;
        for (int i = 0; i < 500; ++i) {
            test_op& op = ops.emplace_back();
            op.kind = i % 2 == 0 ? io_kind::read : io_kind::write;
            op.block_count = 1;
            op.set_data(data);
            channel->submit(op);
            clock.advance(1ms);
            reactor->run_once();
            for (const test_op& o : ops) story += static_cast<char>('0' + o.answers);
        }
        device->reset();
        for (int i = 0; i < 5; ++i) reactor->run_once();
        EXPECT_EQ(channel->outstanding(), 0u);
        EXPECT_EQ(device->held(), 0u);
        for (const test_op& op : ops) {
            EXPECT_EQ(op.answers, 1);
            story += std::to_string(op.status.sc);
        }
        return story;
    };
    EXPECT_EQ(play(1), play(1));
    EXPECT_NE(play(1), play(2));
}

// Orders reach reactors that sleep.
TEST(fault_device_shared, orders_reach_every_reactor) {
    monotonic_clock clock;
    auto device = make_fault_device({.size_bytes = 1 << 20}).value();
    device->add({.action = fault_action::stall, .count = 0});
    auto reactor =
        engine::reactor::create({.id = {}, .busy_window = 100us, .clock = &clock}).value();
    auto channel = device->open_channel(*reactor).value();
    struct counted final : io_op {
        std::atomic<int>* answers = nullptr;
    };
    std::atomic<int> answers{0};
    std::deque<counted> ops(8);
    for (counted& op : ops) {
        op.answers = &answers;
        op.kind = io_kind::flush;
        op.done = [](io_op& o, nvme::status) noexcept { ++*static_cast<counted&>(o).answers; };
        channel->submit(op);
    }
    std::jthread thread([&] { reactor->run(); });
    std::this_thread::sleep_for(30ms);
    EXPECT_EQ(answers, 0);
    device->release();
    for (int i = 0; i < 500 && answers != 8; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(answers, 8);
    reactor->stop();
    thread.join();
    channel.reset();
}

}  // namespace
}  // namespace fulmar::backend
