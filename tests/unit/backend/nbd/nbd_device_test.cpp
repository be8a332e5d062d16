// The data path of a device on an NBD server: what it asks of servers of many kinds.
#include "nbd_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <tuple>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
namespace wire = test::nbd_wire;
using test::nbd_deed;
using test::nbd_request;

constexpr std::uint16_t plain_flags = wire::has_flags | wire::send_flush;

class nbd_device : public test::nbd_fixture {};

TEST_F(nbd_device, reads_what_it_wrote) {
    start();
    open();
    EXPECT_EQ(device->geometry().block_count, (1u << 20) / 512);
    EXPECT_TRUE(device->geometry().volatile_write_cache);
    auto out = filled(16384, 1);
    EXPECT_EQ(io().write(8, 32, out, false, 4096), sc::success);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), server.content().begin() + 4096));
    std::vector<std::byte> in(16384);
    EXPECT_EQ(io().read(8, 32, in), sc::success);
    EXPECT_EQ(in, out);
    EXPECT_EQ(server.connections(), 1u);
}

TEST_F(nbd_device, asks_for_no_more_at_once_than_the_server_takes) {
    start({.least = 512, .preferred = 4096, .most = 8192});
    open();
    auto out = filled(65536, 2);
    EXPECT_EQ(io().write(0, 128, out), sc::success);
    EXPECT_EQ(server.count(wire::write), 8u);
    for (const nbd_request& r : server.seen()) EXPECT_LE(r.length, 8192u);
    std::vector<std::byte> in(65536);
    EXPECT_EQ(io().read(0, 128, in), sc::success);
    EXPECT_EQ(in, out);
}

TEST_F(nbd_device, copies_what_lies_in_odd_pieces) {
    start();
    open();
    auto out = filled(200 * 1024, 3);
    EXPECT_EQ(io().write(0, 400, out, true, 1000), sc::success);
    for (const nbd_request& r : server.seen()) EXPECT_EQ(r.length % 512, 0u);
    std::vector<std::byte> in(out.size());
    EXPECT_EQ(io().read(0, 400, in, 1000), sc::success);
    EXPECT_EQ(in, out);
}

TEST_F(nbd_device, passes_fua_and_flush_on) {
    start();
    open();
    auto out = filled(512, 4);
    EXPECT_EQ(io().write(0, 1, out), sc::success);
    EXPECT_TRUE(device->has_unflushed_writes());
    EXPECT_EQ(io().flush(), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
    EXPECT_EQ(io().write(0, 1, out, true), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
    const auto seen = server.seen();
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_EQ(seen[0].flags, 0u);
    EXPECT_EQ(seen[1].type, wire::flush);
    EXPECT_EQ(seen[2].flags, wire::flag_fua);
}

TEST_F(nbd_device, flushes_behind_a_durable_write_where_there_is_no_fua) {
    start({.flags = plain_flags});
    open();
    auto out = filled(512, 5);
    EXPECT_EQ(io().write(0, 1, out, true), sc::success);
    const auto seen = server.seen();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].flags, 0u);
    EXPECT_EQ(seen[1].type, wire::flush);
}

TEST_F(nbd_device, goes_through_the_cache_when_it_is_told_to) {
    start();
    open({.write_through = true});
    EXPECT_FALSE(device->geometry().volatile_write_cache);
    auto out = filled(512, 6);
    EXPECT_EQ(io().write(0, 1, out), sc::success);
    EXPECT_EQ(io().write_zeroes(1, 1), sc::success);
    EXPECT_EQ(io().deallocate({{2, 1}}), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
    for (const nbd_request& r : server.seen()) EXPECT_EQ(r.flags, wire::flag_fua) << r.type;
}

TEST_F(nbd_device, zeroes_and_deallocates_as_the_server_can) {
    start();
    open();
    EXPECT_TRUE(device->geometry().deallocate);
    EXPECT_EQ(io().write_zeroes(0, 8), sc::success);
    EXPECT_EQ(io().deallocate({{8, 8}, {32, 0}, {64, 1}}), sc::success);
    EXPECT_EQ(server.count(wire::zero), 1u);
    EXPECT_EQ(server.count(wire::trim), 2u);
    EXPECT_EQ(server.count(wire::write), 0u);
}

TEST_F(nbd_device, writes_zeros_where_the_server_knows_nothing_better) {
    start({.flags = plain_flags});
    open();
    EXPECT_FALSE(device->geometry().deallocate);
    auto out = filled(1024 * 1024, 7);
    EXPECT_EQ(io().write(0, 2048, out), sc::success);
    EXPECT_EQ(io().write_zeroes(0, 2040), sc::success);
    const auto content = server.content();
    EXPECT_TRUE(test::all_zero(std::span(content).first(2040 * 512)));
    EXPECT_TRUE(std::equal(content.begin() + 2040 * 512, content.end(), out.begin() + 2040 * 512));
    EXPECT_EQ(io().deallocate({{0, 8}}), sc::success);
    EXPECT_EQ(server.count(wire::trim), 0u);
}

TEST_F(nbd_device, compares_verifies_and_copies) {
    start();
    open();
    auto out = filled(300 * 1024, 8);
    EXPECT_EQ(io().write(0, 600, out), sc::success);
    EXPECT_EQ(io().compare(0, 600, out), sc::success);
    EXPECT_EQ(io().verify(0, 600), sc::success);
    EXPECT_EQ(io().copy({{0, 300}, {400, 100}}, 1000, true), sc::success);
    std::vector<std::byte> in(400 * 512);
    EXPECT_EQ(io().read(1000, 400, in), sc::success);
    EXPECT_TRUE(std::equal(in.begin(), in.begin() + 300 * 512, out.begin()));
    EXPECT_TRUE(std::equal(in.begin() + 300 * 512, in.end(), out.begin() + 400 * 512));
    out[299 * 1024] ^= std::byte{1};
    EXPECT_EQ(io().compare(0, 600, out), sc::compare_failure.no_retry());
}

TEST_F(nbd_device, changes_nothing_of_a_read_only_export) {
    start({.flags = wire::has_flags | wire::read_only | wire::multi_conn});
    open();
    EXPECT_TRUE(device->geometry().read_only);
    EXPECT_FALSE(device->geometry().volatile_write_cache);
    auto data = filled(512, 9);
    EXPECT_EQ(io().write(0, 1, data), sc::namespace_write_protected.no_retry());
    EXPECT_EQ(io().write_zeroes(0, 1), sc::namespace_write_protected.no_retry());
    EXPECT_EQ(io().read(0, 1, data), sc::success);
    EXPECT_EQ(io().flush(), sc::success);
    EXPECT_EQ(server.count(wire::write) + server.count(wire::flush), 0u);
}

TEST_F(nbd_device, tells_what_the_server_says_went_wrong) {
    for (const auto& [error, of_read, of_write] :
         {std::tuple(5u, sc::unrecovered_read_error.no_retry(), sc::write_fault.no_retry()),
          std::tuple(28u, sc::capacity_exceeded.no_retry(), sc::capacity_exceeded.no_retry()),
          std::tuple(12u, sc::command_interrupted, sc::command_interrupted),
          std::tuple(1u, sc::namespace_write_protected.no_retry(),
                     sc::namespace_write_protected.no_retry())}) {
        start({.error = error, .deed = [](const nbd_request&) { return nbd_deed::refuse; }});
        open();
        auto data = filled(512, 10);
        EXPECT_EQ(io().read(0, 1, data), of_read) << error;
        EXPECT_EQ(io().write(0, 1, data), of_write) << error;
        EXPECT_EQ(device->state(), device_state::ready) << error;
        close();
    }
}

TEST_F(nbd_device, ends_a_waiting_operation_and_no_other_when_it_is_asked_to) {
    std::atomic<bool> silent{true};
    start({.deed = [&](const nbd_request&) {
        return silent ? nbd_deed::keep_silent : nbd_deed::serve;
    }});
    open();
    auto data = filled(512, 11);
    std::vector<std::unique_ptr<test::test_op>> ops;
    for (int i = 0; i < 300; ++i) {
        auto& op = ops.emplace_back(std::make_unique<test::test_op>());
        op->block_count = 1;
        op->set_data(data);
        channel->submit(*op);
    }
    channel->abort(*ops[299]);
    EXPECT_EQ(ops[299]->status, sc::aborted_by_request);
    channel->abort(*ops[0]);
    EXPECT_FALSE(ops[0]->finished()) << "the server has it";
    EXPECT_EQ(channel->outstanding(), 299u);
    ASSERT_TRUE(reactor.run_until([&] { return server.count(wire::read) == 256; }));
    server.stop();
    ASSERT_TRUE(reactor.run_until([&] { return channel->outstanding() == 0; }));
    for (const auto& op : ops) EXPECT_EQ(op->answers, 1);
}

TEST_F(nbd_device, has_as_many_connections_as_were_asked_for_where_a_flush_covers_them) {
    start();
    open({.connections = 3});
    EXPECT_EQ(server.connections(), 3u);
    auto data = filled(512, 12);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(io().write(0, 1, data), sc::success);
    std::vector<int> by(3);
    for (const nbd_request& r : server.seen()) ++by[r.connection];
    EXPECT_EQ(by, (std::vector<int>{2, 2, 2}));
}

TEST_F(nbd_device, has_one_connection_where_a_flush_covers_no_other) {
    start({.flags = plain_flags});
    open({.connections = 3});
    EXPECT_EQ(server.connections(), 1u);
}

TEST_F(nbd_device, shares_one_connection_among_reactors) {
    test::hand_reactor other{true};
    start({.flags = plain_flags});
    device =
        make_nbd_device({.uri = uri}, {.control = &*reactor, .data = {&*reactor, &*other}}).value();
    device->set_listener(&listener);
    ASSERT_TRUE(device->open(opening::asked_for));
    const auto turn = [&](auto&& condition) {
        return reactor.run_until([&] {
            other->run_once();
            return condition();
        });
    };
    ASSERT_TRUE(turn([&] { return device->condition() == "ready"; }));
    auto here = device->open_channel(*reactor).value();
    auto there = device->open_channel(*other).value();
    auto data = filled(512, 13);
    for (io_channel* one : {here.get(), there.get()}) {
        test::test_op op;
        op.kind = io_kind::write;
        op.block_count = 1;
        op.set_data(data);
        one->submit(op);
        ASSERT_TRUE(turn([&] { return op.finished(); }));
        EXPECT_EQ(op.status, sc::success);
    }
    EXPECT_EQ(server.count(wire::write), 2u);
    EXPECT_EQ(server.connections(), 1u);
    server.stop();
    ASSERT_TRUE(turn([&] { return listener.losses == 1; }));
    here.reset();
    there.reset();
    device.reset();
    for (int i = 0; i < 100; ++i) {
        reactor->run_once();
        other->run_once();
    }
}

TEST_F(nbd_device, takes_the_block_size_that_the_server_works_in) {
    start({.least = 1, .preferred = 4096, .most = 1 << 25});
    open({.block_bytes = 0});
    EXPECT_EQ(device->geometry().block_bytes, 4096u);
    EXPECT_EQ(device->geometry().block_count, 256u);
    close();
    start({.least = 4096, .preferred = 4096, .most = 1 << 25});
    make({.block_bytes = 512});
    const auto refused = device->open(opening::asked_for);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("4096"), std::string::npos) << refused.error().text();
}

TEST_F(nbd_device, refuses_what_is_no_uri_and_tls_settings_without_tls) {
    const nbd_environment environment{.control = &*reactor, .data = {&*reactor}};
    for (const char* bad : {"", "disk", "ssh://x/y", "nbd+vsock://2/x", "http://x"})
        EXPECT_EQ(make_nbd_device({.uri = bad}, environment).error().code, errc::invalid_argument)
            << bad;
    EXPECT_EQ(
        make_nbd_device({.uri = "nbd://x", .tls_certificates = "/x"}, environment).error().code,
        errc::invalid_argument);
}

}  // namespace
}  // namespace fulmar::backend
