// Bounds: time, connections, memory; and what happens at each of them.
#include "suite.hpp"

#include <fulmar/base/limits.hpp>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <filesystem>
#include <string>
#include <thread>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(bounds_test);

std::uint32_t present(testing::running_target& t) {
    return static_cast<std::uint32_t>(t.listener().connections);
}

CONFORMANCE(bounds_test, time_to_connect, "E/handshake") {
    setup.limits.first_pdu_timeout_ms = 200;
    host::raw_session silent = must(host::raw_session::connect(target().endpoint()));
    host::raw_session half = must(host::raw_session::connect(target().endpoint()));
    const host::raw_bytes hello = host::make_ic_req();
    must(half.send(std::span(hello).first(50)));
    host::raw_session shaken = raw();
    host::raw_session refused = raw();
    host::connect_parameters p = parameters();
    p.subnqn = "nqn.2026-01.io:none";
    EXPECT_FALSE(nvme::is_success(must(refused.connect_queue(p)).status()));
    const auto c = connect();
    for (host::raw_session* s : {&silent, &half, &shaken, &refused})
        EXPECT_TRUE(s->await_end().has_value());
    must(c->keep_alive());
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 1; }));
}

host::raw_session connected(const host::endpoint& to, const host::connect_parameters& p) {
    auto s = must(host::raw_session::open(to));
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
    return s;
}

std::size_t ended_of(std::vector<host::raw_session>& all) {
    std::size_t ended = 0;
    for (host::raw_session& s : all)
        if (s.await_end(std::chrono::milliseconds(50)).has_value()) ++ended;
    return ended;
}

// Whoever has none yet can have one; a host that has most of them loses those that are silent for
// longest.
CONFORMANCE(bounds_test, one_host_cannot_have_every_connection_of_a_listener, "E/connections") {
    setup.limits.max_connections_per_listener = 8;
    std::vector<host::raw_session> held;
    for (int i = 0; i < 8; ++i) held.push_back(connected(target().endpoint(), parameters()));
    EXPECT_STATUS(must(raw().connect_queue(parameters())), sc::connect_controller_busy)
        << "it may try again: somebody may leave";
    EXPECT_EQ(target().count("fulmar_connections_gave_way_total"), 0u);
    host::connect_parameters other = parameters();
    other.hostnqn = other_nqn;
    std::vector<host::raw_session> others;
    others.push_back(connected(target().endpoint(), other));
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 8; }));
    EXPECT_EQ(target().count("fulmar_connections_gave_way_total"), 1u);
    EXPECT_EQ(ended_of(held), 1u);
    others.push_back(connected(target().endpoint(), other));
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 8; }));
    EXPECT_FALSE(others.front().await_end(std::chrono::milliseconds(50)).has_value());
}

CONFORMANCE(bounds_test, hosts_that_have_their_share_of_a_listener_keep_it, "E/connections") {
    setup.limits.max_connections_per_listener = 8;
    std::vector<host::raw_session> held;
    for (int i = 0; i < 8; ++i) {
        host::connect_parameters p = parameters();
        p.hostnqn = fmt::format("nqn.2026-01.io.fulmar:host{}", i / 2);
        held.push_back(connected(target().endpoint(), p));
    }
    host::connect_parameters p = parameters();
    p.hostnqn = other_nqn;
    EXPECT_STATUS(must(raw().connect_queue(p)), sc::connect_controller_busy);
    EXPECT_EQ(target().count("fulmar_connections_gave_way_total"), 0u);
    held.pop_back();
    EXPECT_TRUE(testing::eventually(
        [&] { return nvme::is_success(must(raw().connect_queue(p)).status()); }));
}

CONFORMANCE(bounds_test, one_host_cannot_have_every_controller, "E/connections") {
    offered().max_cntlid = 8;
    std::vector<host::raw_session> held;
    for (int i = 0; i < 8; ++i) held.push_back(connected(target().endpoint(), parameters()));
    EXPECT_STATUS(must(raw().connect_queue(parameters())), sc::connect_controller_busy);
    host::connect_parameters other = parameters();
    other.hostnqn = other_nqn;
    const host::raw_session newcomer = connected(target().endpoint(), other);
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 8; }));
    EXPECT_EQ(ended_of(held), 1u);
}

// 256 connections that have not said who they are, and no more; those that have do not count.
// Somebody who has something to say gets in: the oldest of those that say nothing goes.
CONFORMANCE(bounds_test, silent_connections_keep_nobody_out, "E/connections") {
    std::vector<host::raw_session> held;
    for (int i = 0; i < 300; ++i)
        held.push_back(must(host::raw_session::connect(target().endpoint())));
    const auto c = connect();
    ASSERT_TRUE(c);
    EXPECT_TRUE(held.front().await_end().has_value());
    EXPECT_TRUE(testing::eventually([&] { return present(target()) <= 257; }));
    EXPECT_GE(target().count("fulmar_connections_gave_way_total"), 44u);
    must(c->keep_alive());
    held.clear();
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 1; }));
}

// The same when they say hello, and no more.
CONFORMANCE(bounds_test, connections_that_only_say_hello_keep_nobody_out, "E/connections") {
    std::vector<host::raw_session> held;
    for (int i = 0; i < 300; ++i) held.push_back(raw());
    const auto c = connect();
    EXPECT_TRUE(held.front().await_end().has_value());
    must(c->keep_alive());
}

CONFORMANCE(bounds_test, a_storm_of_hosts_that_connect, "E/connections") {
    std::vector<host::raw_session> all;
    for (int i = 0; i < 300; ++i) {
        all.push_back(raw());
        ASSERT_EQ(must(all.back().connect_queue(parameters())).status(), sc::success);
    }
    EXPECT_EQ(target().listener().rejected_total, 0u);
}

CONFORMANCE(bounds_test, a_host_that_stops_reading, "E/stall") {
    setup.limits.send_stall_s = 1;
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 128);
    const int small = 4096;
    ::setsockopt(s.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (std::uint16_t cid = 0; cid < 32; ++cid) {
        const nvme::block_range range{.blocks = 2048};
        must(s.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::read, range), cid,
                                               nvme::make_transport_sgl(1u << 20)))));
    }
    host::queue& q = *must(c->open_io_queue(2, 8));
    bytes got(65536);
    EXPECT_TRUE(testing::eventually([&] {
        EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
        return present(target()) == 2;
    })) << "the connection that takes no byte ends, the others go on";
}

CONFORMANCE(bounds_test, a_host_that_owes_its_data, "E/stall") {
    setup.limits.data_stall_s = 1;
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    must(s.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), 1,
                                           nvme::make_transport_sgl(4096)))));
    EXPECT_TRUE(s.await_end().has_value());
    must(c->keep_alive());
}

/// The target's end of `peer`, which is in this process.
int other_end(int peer) {
    sockaddr_in wanted{};
    socklen_t length = sizeof wanted;
    ::getsockname(peer, reinterpret_cast<sockaddr*>(&wanted), &length);
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int fd = std::stoi(entry.path().filename().string());
        sockaddr_in at{};
        length = sizeof at;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&at), &length) == 0 &&
            at.sin_family == AF_INET && at.sin_port == wanted.sin_port)
            return fd;
    }
    return -1;
}

// A host with KATO 0 that has vanished: the kernel finds it out.
CONFORMANCE(bounds_test, the_kernel_looks_for_hosts_that_have_vanished, "E/kato") {
    setup.limits.send_stall_s = 90;
    const auto c = connect();
    const host::raw_session io = raw_io(*c);
    const int ours = other_end(io.fd());
    ASSERT_GE(ours, 0);
    const auto option = [ours](int level, int which) {
        int value = -1;
        socklen_t length = sizeof value;
        EXPECT_EQ(::getsockopt(ours, level, which, &value, &length), 0);
        return value;
    };
    EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), limits::keepalive_idle.count());
    EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 90'000);
}

CONFORMANCE(bounds_test, keep_alive_time_out, "E/kato", "D3/18", "D7/0F") {
    host::raw_session s = raw();
    host::connect_parameters p = parameters();
    p.keep_alive_ms = 200;
    const host::raw_reply connected = must(s.connect_queue(p));
    EXPECT_STATUS(connected, sc::success);
    const nvme::controller_configuration on{
        .en = true, .iosqes = nvme::io_sq_entry_size_log2, .iocqes = nvme::io_cq_entry_size_log2};
    must(s.run(raw_sqe(
        host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, on.pack()),
        1)));
    const auto other = connect();
    EXPECT_TRUE(s.await_end().has_value()) << "the association ends";
    must(other->keep_alive());
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 1; }));
}

CONFORMANCE(bounds_test, keep_alive_keeps_alive, "E/kato", "D3/18") {
    host::controller_options options = host_options();
    options.keep_alive_ms = 400;
    const auto c = connect(options);
    host::queue& q = *must(c->open_io_queue(1, 8));
    const host::deadline until(std::chrono::milliseconds(1500));
    while (!until.passed()) {
        ASSERT_TRUE(c->poll());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    bytes got(512);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_TRUE(await_end(q)) << "and when it stops, the I/O queues end with the association";
}

CONFORMANCE(bounds_test, no_keep_alive_no_time_out, "E/kato", "D7/0F") {
    const auto c = connect();
    must(c->set_features({.fid = 0x0f, .cdw11 = 100}));
    EXPECT_TRUE(await_end(*c)) << "set by the feature, not by Connect";
    const auto other = connect();
    must(other->set_features({.fid = 0x0f, .cdw11 = 100}));
    must(other->set_features({.fid = 0x0f, .cdw11 = 0}));
    for (int i = 0; i < 3; ++i) {  // others are silent as long, and end
        const auto witness = connect();
        must(witness->set_features({.fid = 0x0f, .cdw11 = 100}));
        EXPECT_TRUE(await_end(*witness));
    }
    EXPECT_TRUE(other->keep_alive().has_value());
}

CONFORMANCE(bounds_test, a_controllers_end_ends_its_queues, "E/kato") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    c->admin().close();
    EXPECT_TRUE(await_end(q));
    EXPECT_TRUE(testing::eventually([&] { return present(target()) == 0; }));
}

}  // namespace
}  // namespace fulmar::conformance
