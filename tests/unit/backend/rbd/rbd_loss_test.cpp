// Clusters that stall, answer late, fence us, and lose what was there.
#include "rbd_fixture.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
using rbd::image_look;

class rbd_loss : public test::rbd_fixture {
  protected:
    struct crowd {
        std::vector<std::unique_ptr<test::test_op>> ops;
        std::vector<std::byte> data = std::vector<std::byte>(512, std::byte{0x5a});
    };
    void submit(crowd& all, int count, io_kind kind = io_kind::write) {
        for (int i = 0; i < count; ++i) {
            auto& op = all.ops.emplace_back(std::make_unique<test::test_op>());
            op->kind = kind;
            op->first_block = static_cast<std::uint64_t>(i);
            op->block_count = 1;
            op->set_data(all.data);
            channel->submit(*op);
        }
    }
    bool all_answered() {
        return reactor.run_until([&] { return channel->outstanding() == 0; });
    }
    static constexpr duration soon = std::chrono::milliseconds(250);
};

TEST_F(rbd_loss, gives_a_silent_cluster_up_in_time_and_returns_only_when_all_has_ended) {
    open({.command_limit = soon});
    cluster.keeps = true;
    crowd all;
    submit(all, 400);
    const auto began = std::chrono::steady_clock::now();
    ASSERT_TRUE(all_answered());
    EXPECT_GE(std::chrono::steady_clock::now() - began, soon);
    for (const auto& op : all.ops) EXPECT_EQ(op->status, device_gone);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_NE(listener.reason.find("did not answer in time"), std::string::npos);
    turn(std::chrono::milliseconds(600));
    EXPECT_EQ(device->condition(), "lost");
    EXPECT_EQ(cluster.closed, 0) << "requests are still under way";
    cluster.release();  // they land
    EXPECT_EQ(cluster.content[0], std::byte{0x5a});
    ASSERT_TRUE(becomes("ready"));
    auto later = filled(512, 9);
    EXPECT_EQ(io().write(0, 1, later), sc::success);
    std::vector<std::byte> in(512);
    EXPECT_EQ(io().read(0, 1, in), sc::success);
    EXPECT_EQ(in, later);
    for (const auto& op : all.ops) EXPECT_EQ(op->answers, 1);
    EXPECT_EQ(listener.returns, 2);
}

TEST_F(rbd_loss, touches_no_memory_of_a_read_that_was_given_up) {
    open({.command_limit = soon});
    std::vector<std::byte> ones(512, std::byte{1});
    EXPECT_EQ(io().write(0, 1, ones), sc::success);
    cluster.keeps = true;
    crowd all;
    submit(all, 1, io_kind::read);
    ASSERT_TRUE(all_answered());
    cluster.release();
    turn(std::chrono::milliseconds(50));
    EXPECT_EQ(all.data[0], std::byte{0x5a});
}

TEST_F(rbd_loss, answers_each_operation_once_while_the_end_races_with_the_deadline) {
    open({.command_limit = std::chrono::milliseconds(100)});
    for (int round = 0; round < 6; ++round) {
        cluster.keeps = true;
        crowd all;
        submit(all, 300);
        std::thread late([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(95 + round * 5));
            cluster.release();
        });
        EXPECT_TRUE(all_answered());
        late.join();
        EXPECT_TRUE(becomes("ready"));
        for (const auto& op : all.ops) EXPECT_EQ(op->answers, 1);
        turn(std::chrono::milliseconds(20));
    }
}

TEST_F(rbd_loss, comes_back_as_another_client_after_it_was_fenced) {
    open();
    cluster.error = ESHUTDOWN;
    std::vector<std::byte> data(512);
    EXPECT_EQ(io().write(0, 1, data), device_gone);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_NE(listener.reason.find("fenced"), std::string::npos);
    cluster.error = 0;
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(cluster.opened, 2);
    EXPECT_EQ(cluster.former_lock, "us1");
}

TEST_F(rbd_loss, sees_without_any_operation_that_its_lock_is_gone) {
    for (const image_look what : {image_look::lock_lost, image_look::fenced, image_look::gone}) {
        open();
        const int before = listener.losses;
        cluster.look = what;
        ASSERT_TRUE(reactor.run_until([&] { return listener.losses == before + 1; }));
        cluster.look = image_look::ours;
        ASSERT_TRUE(becomes("ready"));
        close();
    }
}

TEST_F(rbd_loss, takes_a_failed_write_for_a_lost_lock_when_the_image_became_read_only) {
    open();
    std::vector<std::byte> data(512);
    cluster.error = EROFS;
    EXPECT_EQ(io().write(0, 1, data), device_gone);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_NE(listener.reason.find("exclusive lock"), std::string::npos);
    cluster.error = 0;
    ASSERT_TRUE(becomes("ready"));
}

TEST_F(rbd_loss, waits_for_an_image_that_somebody_else_has_locked) {
    cluster.locked_by = "somebody";
    make();
    EXPECT_TRUE(device->open(opening::configured));
    EXPECT_EQ(device->condition(), "refused");
    EXPECT_NE(device->trouble().find("somebody"), std::string::npos);
    cluster.locked_by = "";
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(listener.returns, 1);
}

TEST_F(rbd_loss, refuses_whoever_asks_for_it_now_and_leaves_nothing_open) {
    cluster.locked_by = "somebody";
    make();
    const auto opened = device->open(opening::asked_for);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, errc::conflict);
}

TEST_F(rbd_loss, is_retired_while_it_is_opened) {
    cluster.opens_late = true;
    make();
    device->prepare();
    turn(std::chrono::milliseconds(30));
    device.reset();
    turn(std::chrono::milliseconds(30));
    cluster.opens_late = false;
    reactor.bring_home();
    EXPECT_EQ(cluster.opened, 1);
    EXPECT_EQ(cluster.closed, 1);
}

TEST_F(rbd_loss, is_retired_while_the_cluster_keeps_what_it_was_sent) {
    open({.command_limit = soon});
    cluster.keeps = true;
    crowd all;
    submit(all, 20);
    ASSERT_TRUE(all_answered());
    channel.reset();
    device.reset();
    turn(std::chrono::milliseconds(100));
    EXPECT_EQ(cluster.closed, 0);
    cluster.release();
    reactor.bring_home();
    EXPECT_EQ(cluster.closed, 1);
}

TEST_F(rbd_loss, is_lost_while_it_is_linked) {
    open();
    EXPECT_TRUE(device->reopen());
    ASSERT_TRUE(reactor.run_until([&] { return cluster.opened == 2; }));
    cluster.error = ESHUTDOWN;
    std::vector<std::byte> data(512);
    ASSERT_TRUE(reactor.run_until([&] {
        if (channel->outstanding() == 0) static_cast<void>(io().write(0, 1, data));
        return listener.losses == 2;
    }));
    cluster.error = 0;
    ASSERT_TRUE(becomes("ready"));
}

TEST_F(rbd_loss, takes_a_larger_image_up_while_it_serves_and_no_smaller_one) {
    open();
    cluster.resize(2 * image_bytes);
    ASSERT_TRUE(reactor.run_until([&] { return listener.resizes == 1; }));
    EXPECT_EQ(device->geometry().block_count, 2 * image_bytes / 512);
    EXPECT_EQ(listener.losses, 0);
    cluster.resize(image_bytes);
    ASSERT_TRUE(becomes("refused"));
    EXPECT_FALSE(device->accept());
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(device->geometry().block_count, image_bytes / 512);
}

TEST_F(rbd_loss, serves_no_other_image_under_the_same_name) {
    open();
    close();
    cluster.facts.id = "2";
    make();
    EXPECT_TRUE(device->open(opening::configured));
    EXPECT_EQ(device->condition(), "refused");
    EXPECT_NE(device->trouble().find("another image"), std::string::npos);
    EXPECT_FALSE(device->accept());
    ASSERT_TRUE(becomes("ready"));
}

}  // namespace
}  // namespace fulmar::backend
