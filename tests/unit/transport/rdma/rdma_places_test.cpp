// Who has a place at an RDMA listener, and for how long, by fake verbs: the same rules as at a TCP
// listener. Nobody keeps others out, by silence or by number, and what arrives from a host does not
// settle what it owes.
#include "support/rdma/rdma_world.hpp"

#include <algorithm>

namespace fulmar::transport::rdma::test {
namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;
using state = fake_host::state;
using std::chrono::seconds;

using hosts = std::vector<std::shared_ptr<fake_host>>;

std::size_t with(const hosts& all, state s) {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const auto& h) { return h->now == s; }));
}

TEST(rdma_places, silent_connections_keep_nobody_out) {
    rdma_world w;
    hosts silent;
    w.fabric().connect_from(66);
    for (std::uint32_t i = 0; i < limits::max_pending_handshakes; ++i) {
        silent.push_back(w.open(0));
        w.advance(std::chrono::milliseconds(5));  // the oldest for more than a second
    }
    ASSERT_EQ(with(silent, state::connected), limits::max_pending_handshakes);
    w.fabric().connect_from(7);
    const auto admin = w.admin();
    const auto io = w.io();
    EXPECT_EQ(admin->now, state::connected);
    EXPECT_EQ(with(silent, state::ended), 1u) << "the Connect of the first made a place";
    EXPECT_EQ(silent.front()->now, state::ended) << "the oldest";
    host_memory& m = io->add_memory(4096);
    EXPECT_EQ(w.call(*io, w.keyed(io_opcode::read, 1, 0, m)), sc::success);
}

TEST(rdma_places, one_host_cannot_have_every_connection_of_a_listener) {
    core::target_options o;
    o.max_connections_per_listener = 8;
    rdma_world w(1, {}, o);
    const auto first = w.admin();
    hosts held;
    for (std::uint16_t qid = 1; qid < 8; ++qid) {
        w.advance(std::chrono::milliseconds(10));
        held.push_back(w.io(qid));
    }
    w.advance(std::chrono::milliseconds(10));
    nvme::sqe alive{};
    alive.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::keep_alive);
    alive.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    alive.cid = std::uint16_t{3};
    alive.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
    EXPECT_EQ(w.call(*first, alive), sc::success);
    w.fabric().connect_from(7);
    w.be(other_host_nqn);
    const auto other = w.admin();
    EXPECT_EQ(other->now, state::connected);
    EXPECT_TRUE(w.turn_until([&] { return w.rdma().connection_count() == 8; }));
    EXPECT_EQ(held.front()->now, state::ended) << "silent for longest";
    EXPECT_EQ(with(held, state::ended), 1u);
    EXPECT_EQ(first->now, state::connected);
}

TEST(rdma_places, of_connections_that_came_to_nothing_are_free_again) {
    rdma_world w;
    for (std::uint32_t i = 0; i < 2 * limits::max_pending_handshakes + 8; ++i) {
        w.fabric().refuse_queue_pairs(i % 2 == 0);
        const auto host = w.open(0);
        EXPECT_EQ(host->now, i % 2 == 0 ? state::rejected : state::connected);
        w.fabric().kill(*host);
        w.turn();
    }
    w.fabric().refuse_queue_pairs(false);
    EXPECT_EQ(w.admin()->now, state::connected);
}

TEST(rdma_owes, commands_that_arrive_do_not_extend_the_time_of_an_answer) {
    rdma_world w;
    const auto admin = w.admin();
    const auto io = w.io(1, 64);
    host_memory& m = io->add_memory(4096);
    w.fabric().hold(true);
    const instant began = w.now();
    std::uint16_t cid = 0;
    while (io->now == state::connected && w.now() < began + seconds(60)) {
        io->send(w.keyed(io_opcode::read, cid++, 0, m));
        for (int i = 0; i < 20; ++i) {
            w.advance(std::chrono::milliseconds(100));
            w.turn();
        }
    }
    EXPECT_EQ(io->now, state::ended);
    EXPECT_LE(w.now() - began, seconds(core::target_options{}.send_stall_s + 4));
}

// An answer now and then is not enough: each has its time.
TEST(rdma_owes, a_trickle_only_bounds_how_long_it_goes_on) {
    rdma_world w;
    const auto admin = w.admin();
    const auto io = w.io(1, 64);
    host_memory& m = io->add_memory(128 << 10);
    w.fabric().hold(true);
    for (std::uint16_t cid = 0; cid < 30; ++cid) io->send(w.keyed(io_opcode::read, cid, 0, m));
    const instant began = w.now();
    while (io->now == state::connected && w.now() < began + seconds(180)) {
        for (int i = 0; i < 100; ++i) {
            w.advance(std::chrono::milliseconds(100));
            w.turn();
        }
        w.fabric().hold(false);
        w.fabric().step();
        w.fabric().hold(true);
    }
    EXPECT_EQ(io->now, state::ended);
    constexpr auto by_size = seconds(30 * (128 << 10) / limits::slowest_peer_bytes_per_s);
    EXPECT_LE(w.now() - began, seconds(core::target_options{}.send_stall_s + 12) + by_size);
}

// A host that takes everything at the slowest rate there may be keeps its connection.
TEST(rdma_owes, nothing_that_is_not_due) {
    rdma_world w;
    const auto admin = w.admin();
    const auto io = w.io(1, 64);
    host_memory& m = io->add_memory(4096);
    for (std::uint16_t n = 0; n < 20; ++n) {
        w.fabric().hold(true);
        io->send(w.keyed(io_opcode::read, n, 0, m));
        for (int i = 0; i < 250; ++i) {
            w.advance(std::chrono::milliseconds(100));
            w.turn();
        }
        w.fabric().hold(false);
        ASSERT_TRUE(w.wait(*io, n).has_value()) << n;
    }
    EXPECT_EQ(io->now, state::connected);
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
