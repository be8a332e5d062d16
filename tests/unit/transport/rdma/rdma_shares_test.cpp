// Who may hold what of a reactor's receive slots and buffers, by fake verbs: a device that hangs,
// with any number of its hosts, costs the hosts of others nothing.
#include "support/rdma/rdma_world.hpp"

namespace fulmar::transport::rdma::test {
namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;

constexpr std::uint32_t in_capsule = 8192;
constexpr std::uint16_t depth = 128;
constexpr std::uint32_t ram = 1, hung = 2;  // namespaces

/// Hosts of a device that has stopped, with as much on its way as their queues hold.
class rdma_shares : public ::testing::Test {
  protected:
    void flood(rdma_world& w, std::uint16_t connections) {
        w.spy().hold(true, true);
        for (std::uint16_t qid = 1; qid <= connections; ++qid)
            flooding_.push_back(w.io(qid, depth));
        for (const auto& host : flooding_)
            for (std::uint16_t cid = 0; cid < depth - 1; ++cid) send(w, *host, cid);
        for (int i = 0; i < 200; ++i) w.turn();
    }
    void send(rdma_world& w, fake_host& host, std::uint16_t cid) {
        host.send(w.in_capsule_write(cid, cid * 16u, in_capsule, hung), data_);
        ++sent_;
    }
    /// What came back: each once, as success or as "later".
    void collect(rdma_world& w, bool send_again) {
        for (const auto& host : flooding_)
            for (; !host->answers.empty(); host->answers.pop_front()) {
                const nvme::cqe& e = host->answers.front().entry;
                ++answered_;
                if (nvme::is_success(e.get_status())) continue;
                EXPECT_TRUE(e.get_status().is(sc::namespace_not_ready));
                EXPECT_FALSE(e.get_status().dnr);
                ++later_;
                if (send_again) send(w, *host, e.cid.value());
            }
    }
    /// Commands of a healthy host, a turn or a few each.
    static void expect_no_delay(rdma_world& w, fake_host& admin, fake_host& io) {
        nvme::sqe alive{};
        alive.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::keep_alive);
        alive.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        alive.cid = std::uint16_t{3};
        alive.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
        EXPECT_EQ(w.call(admin, alive), sc::success);
        std::vector<std::byte> bytes(in_capsule, std::byte{7});
        EXPECT_EQ(w.call(io, w.in_capsule_write(4, 0, in_capsule, ram), bytes), sc::success);
        host_memory& m = io.add_memory(65536);
        EXPECT_EQ(w.call(io, w.keyed(io_opcode::read, 5, 0, m, ram)), sc::success);
        EXPECT_EQ(w.call(io, w.keyed(io_opcode::write, 6, 0, m, ram)), sc::success);
        io.memory.clear();
    }

    std::vector<std::byte> data_ = std::vector<std::byte>(in_capsule, std::byte{9});
    std::vector<std::shared_ptr<fake_host>> flooding_;
    std::uint64_t sent_ = 0, answered_ = 0, later_ = 0;
};

TEST_F(rdma_shares, of_a_hung_devices_hosts_leave_others_theirs) {
    for (const std::uint16_t connections : {std::uint16_t{17}, std::uint16_t{60}}) {
        flooding_.clear();
        sent_ = answered_ = later_ = 0;
        rdma_world w(connections);
        auto admin = w.admin();
        auto io = w.io(100);
        flood(w, connections);
        EXPECT_EQ(w.fabric().violations().size(), 0u);
        // The first second is all that it may cost; keep-alives not even that.
        nvme::sqe alive{};
        alive.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::keep_alive);
        alive.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        alive.cid = std::uint16_t{9};
        alive.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
        EXPECT_EQ(w.call(*admin, alive), sc::success);
        host_memory& m = io->add_memory(4096);
        io->send(w.keyed(io_opcode::read, 1, 0, m, ram));
        EXPECT_TRUE(w.pass_until([&] { return w.take(*io, 1).has_value(); },
                                 bounds::stall_patience + 2 * bounds::stall_interval));
        // They try again at once, whatever they are told.
        for (int i = 0; i < 100; ++i) {
            collect(w, true);
            w.advance(std::chrono::milliseconds(i % 30));
            expect_no_delay(w, *admin, *io);
        }
        EXPECT_GT(later_, 0u);
        EXPECT_GE(w.counter("fulmar_rdma_turned_back_total"), static_cast<double>(later_));
        w.spy().hold(false);
        EXPECT_TRUE(w.pass_until(
            [&] {
                collect(w, false);
                return answered_ == sent_;
            },
            std::chrono::seconds(20)))
            << answered_ << " of " << sent_;
        EXPECT_EQ(w.fabric().missing_receives(), 0u);
    }
}

// What waits for a device that works is not turned back, however much it is.
TEST_F(rdma_shares, of_hosts_whose_device_is_slow_are_what_they_need) {
    rdma_world w;
    auto admin = w.admin();
    flood(w, 30);
    for (int i = 0; i < 40; ++i) {
        w.spy().hold(false);
        w.turn();
        w.spy().hold(true, true);
        for (int n = 0; n < 10; ++n) {
            w.advance(std::chrono::milliseconds(10));
            w.turn();
        }
    }
    w.spy().hold(false);
    EXPECT_TRUE(w.pass_until(
        [&] {
            collect(w, false);
            return answered_ == sent_;
        },
        std::chrono::seconds(20)));
    EXPECT_EQ(later_, 0u);
    EXPECT_EQ(w.counter("fulmar_rdma_turned_back_total"), 0.0);
}

TEST_F(rdma_shares, of_buffers_leave_half_of_them_to_other_devices) {
    rdma_world w;
    auto admin = w.admin();
    flood(w, 30);  // with guarantees of twice the pool
    EXPECT_GE(w.group().pool().free_chunks(), w.group().pool().total_chunks() / 2 - 64);
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
