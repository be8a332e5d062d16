// Servers that go, come back, stall, lie, and are not what they were.
#include "nbd_fixture.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
namespace wire = test::nbd_wire;
using test::nbd_deed;
using test::nbd_request;

class nbd_loss : public test::nbd_fixture {
  protected:
    struct crowd {
        std::vector<std::unique_ptr<test::test_op>> ops;
        std::vector<std::byte> data = std::vector<std::byte>(4096);
    };
    void submit(crowd& all, int count) {
        for (int i = 0; i < count; ++i) {
            auto& op = all.ops.emplace_back(std::make_unique<test::test_op>());
            op->kind = i % 2 == 0 ? io_kind::read : io_kind::write;
            op->first_block = static_cast<std::uint64_t>(i) * 8 % 2048;
            op->block_count = 8;
            op->set_data(all.data);
            channel->submit(*op);
        }
    }
    bool all_answered() {
        return reactor.run_until([&] { return channel->outstanding() == 0; });
    }
};

TEST_F(nbd_loss, answers_each_operation_once_whatever_the_server_does) {
    for (const nbd_deed deed : {nbd_deed::cut, nbd_deed::cut_short, nbd_deed::answer_other,
                                nbd_deed::answer_twice, nbd_deed::talk_nonsense}) {
        SCOPED_TRACE(static_cast<int>(deed));
        std::atomic<int> good{40};
        start({.deed = [&](const nbd_request&) { return good-- > 0 ? nbd_deed::serve : deed; }});
        open();
        const int before = listener.losses;
        crowd all;
        submit(all, 400);
        ASSERT_TRUE(all_answered());
        for (const auto& op : all.ops) {
            EXPECT_EQ(op->answers, 1);
            EXPECT_TRUE(nvme::is_success(op->status) || op->status == device_gone);
        }
        EXPECT_EQ(all.ops.back()->status, device_gone);
        ASSERT_TRUE(reactor.run_until([&] { return listener.losses == before + 1; }));
        good = 1000000;
        ASSERT_TRUE(becomes("ready"));
        std::vector<std::byte> block(512);
        EXPECT_EQ(io().read(0, 1, block), sc::success);
        close();
    }
}

TEST_F(nbd_loss, gives_a_silent_server_up_in_time_and_keeps_nothing_of_it) {
    std::atomic<bool> silent{true};
    start({.deed = [&](const nbd_request&) {
        return silent ? nbd_deed::keep_silent : nbd_deed::serve;
    }});
    open({.command_limit = std::chrono::milliseconds(300)});
    crowd all;
    submit(all, 20);
    const auto began = std::chrono::steady_clock::now();
    ASSERT_TRUE(all_answered());
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_GE(took, std::chrono::milliseconds(300));
    EXPECT_LE(took, std::chrono::seconds(3));
    for (const auto& op : all.ops) EXPECT_EQ(op->status, device_gone);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_NE(listener.reason.find("did not answer in time"), std::string::npos);
    silent = false;
    ASSERT_TRUE(becomes("ready"));
    for (const auto& op : all.ops) EXPECT_EQ(op->answers, 1);
}

TEST_F(nbd_loss, waits_longer_for_one_answer_while_others_come) {
    std::atomic<bool> first{true};
    start({.deed = [&](const nbd_request&) {
        return first.exchange(false) ? nbd_deed::keep_silent : nbd_deed::serve;
    }});
    open({.command_limit = std::chrono::milliseconds(200)});
    crowd slow;
    submit(slow, 1);
    std::vector<std::byte> block(512);
    const auto began = std::chrono::steady_clock::now();
    while (listener.losses == 0) {
        ASSERT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
        static_cast<void>(io().read(0, 1, block));
        reactor->run_once();
    }
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1100));
    EXPECT_EQ(slow.ops[0]->status, device_gone);
}

TEST_F(nbd_loss, comes_back_with_its_data_by_itself) {
    start();
    open();
    auto out = filled(4096, 1);
    EXPECT_EQ(io().write(0, 8, out, true), sc::success);
    server.stop();
    ASSERT_TRUE(becomes("lost"));
    EXPECT_NE(device->trouble(), "");
    std::vector<std::byte> in(4096);
    EXPECT_EQ(io().read(0, 8, in), device_gone);
    start();
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(listener.returns, 2);
    EXPECT_EQ(io().read(0, 8, in), sc::success);
    EXPECT_EQ(in, out);
    EXPECT_EQ(device->trouble(), "");
}

TEST_F(nbd_loss, is_missing_until_its_server_comes_for_the_first_time) {
    make({});
    const auto refused = device->open(opening::asked_for);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::unavailable);
    close();
    make({});
    EXPECT_TRUE(device->open(opening::configured));
    EXPECT_EQ(device->condition(), "missing");
    start();
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(device->geometry().block_count, 2048u);
}

TEST_F(nbd_loss, stays_away_after_a_failed_flush_until_an_operator_says_so) {
    std::atomic<bool> bad{true};
    start({.deed = [&](const nbd_request& r) {
        return r.type == wire::flush && bad ? nbd_deed::refuse : nbd_deed::serve;
    }});
    open();
    auto out = filled(512, 2);
    EXPECT_EQ(io().write(0, 1, out), sc::success);
    EXPECT_EQ(io().flush(), sc::write_fault.no_retry());
    ASSERT_TRUE(becomes("lost"));
    EXPECT_TRUE(device->lost_data());
    bad = false;
    EXPECT_FALSE(reactor.run_until([&] { return device->condition() == "ready"; },
                                   std::chrono::milliseconds(500)));
    EXPECT_FALSE(device->reopen()) << "it is being asked again";
    ASSERT_TRUE(becomes("ready"));
    EXPECT_FALSE(device->lost_data());
    EXPECT_FALSE(device->has_unflushed_writes());
}

TEST_F(nbd_loss, stays_away_after_a_failed_durable_write) {
    start({.deed = [](const nbd_request& r) {
        return r.type == wire::write ? nbd_deed::refuse : nbd_deed::serve;
    }});
    open({.write_through = true});
    auto out = filled(512, 3);
    EXPECT_EQ(io().write(0, 1, out), sc::write_fault.no_retry());
    ASSERT_TRUE(becomes("lost"));
    EXPECT_TRUE(device->lost_data());
}

TEST_F(nbd_loss, asks_before_it_serves_without_what_was_not_flushed) {
    listener.takes_back_without_data = false;
    start();
    open();
    auto out = filled(512, 4);
    EXPECT_EQ(io().write(0, 1, out), sc::success);
    server.stop();
    ASSERT_TRUE(becomes("lost"));
    EXPECT_TRUE(device->lost_data());
    start();
    ASSERT_TRUE(reactor.run_until([&] { return listener.back_without_data == 1; }));
    EXPECT_FALSE(reactor.run_until([&] { return device->condition() == "ready"; },
                                   std::chrono::milliseconds(500)));
    server.stop();  // what an operator has accepted is accepted also when the server is away then
    static_cast<void>(device->reopen());
    EXPECT_FALSE(device->lost_data());
    start();
    ASSERT_TRUE(becomes("ready"));
    EXPECT_FALSE(device->has_unflushed_writes());
    EXPECT_EQ(listener.back_without_data, 1);
}

TEST_F(nbd_loss, owes_nothing_where_every_write_is_durable) {
    listener.takes_back_without_data = false;
    start();
    open({.write_through = true});
    auto out = filled(512, 5);
    EXPECT_EQ(io().write(0, 1, out), sc::success);
    server.stop();
    ASSERT_TRUE(becomes("lost"));
    EXPECT_FALSE(device->lost_data());
    start();
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(listener.back_without_data, 0);
}

TEST_F(nbd_loss, takes_a_larger_export_up_and_refuses_a_smaller_one) {
    start();
    open();
    server.stop();
    ASSERT_TRUE(becomes("lost"));
    start({.size = 2 << 20});
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(device->geometry().block_count, 4096u);
    EXPECT_EQ(listener.resizes, 1);
    server.stop();
    ASSERT_TRUE(becomes("lost"));
    start({.size = 1 << 20});
    ASSERT_TRUE(becomes("refused"));
    EXPECT_NE(device->trouble().find("it has 1048576 bytes and had 2097152"), std::string::npos);
    static_cast<void>(device->accept());
    ASSERT_TRUE(becomes("ready"));
    EXPECT_EQ(device->geometry().block_count, 2048u);
}

TEST_F(nbd_loss, serves_no_other_export_in_its_place) {
    start({.description = "accounts"});
    open();
    server.stop();
    ASSERT_TRUE(becomes("lost"));
    start({.description = "scratch"});
    ASSERT_TRUE(becomes("refused"));
    EXPECT_NE(device->trouble().find("described as \"scratch\" and was \"accounts\""),
              std::string::npos)
        << device->trouble();
    start({.description = "accounts"});
    ASSERT_TRUE(becomes("ready"));
}

TEST_F(nbd_loss, knows_after_a_restart_what_was_there) {
    start();
    open();
    close();
    start({.size = 1 << 19});
    make({});
    EXPECT_TRUE(device->open(opening::configured));
    EXPECT_EQ(device->condition(), "refused");
    EXPECT_EQ(device->geometry().block_count, 2048u) << "hosts are shown its former size";
}

TEST_F(nbd_loss, refuses_a_server_that_makes_nothing_durable) {
    start({.flags = wire::has_flags});
    make({});
    const auto refused = device->open(opening::asked_for);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("promises no flush"), std::string::npos);
    EXPECT_EQ(device->condition(), "refused");
}

TEST_F(nbd_loss, does_not_believe_in_exbibytes) {
    start({.size = 4096});
    server.stop();
    test::fake_nbd_server::options absurd{.size = 4096};
    absurd.told_size = std::uint64_t{1} << 62;
    start(absurd);
    make({});
    EXPECT_FALSE(device->open(opening::asked_for));
    EXPECT_EQ(device->condition(), "refused");
}

TEST_F(nbd_loss, uses_of_a_larger_export_the_beginning_and_needs_all_of_its_size) {
    start();
    open({.size_bytes = 1 << 19});
    EXPECT_EQ(device->geometry().block_count, 1024u);
    std::vector<std::byte> block(512);
    EXPECT_EQ(io().read(1024, 1, block), sc::lba_out_of_range.no_retry());
    close();
    memory.known.clear();
    make({.size_bytes = 2 << 20});
    EXPECT_FALSE(device->open(opening::asked_for));
}

TEST_F(nbd_loss, connects_anew_when_an_operator_asks) {
    start();
    open();
    const std::size_t before = server.connections();
    EXPECT_TRUE(device->reopen());
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
    EXPECT_EQ(server.connections(), before + 1);
}

// A socket that listens, and nobody who accepts.
TEST_F(nbd_loss, waits_for_no_server_that_does_not_greet) {
    const unique_fd deaf(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    socket.copy(at.sun_path, sizeof at.sun_path - 1);
    ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    ASSERT_EQ(::listen(deaf.get(), 16), 0);
    make({});
    const auto began = std::chrono::steady_clock::now();
    const auto refused = device->open(opening::asked_for);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::timed_out);
    EXPECT_LE(std::chrono::steady_clock::now() - began, 2 * limits::storage_patience);
}

}  // namespace
}  // namespace fulmar::backend
