// A host connects over fake verbs, writes and reads, and each allocation on the target's way fails
// once: the request is rejected, the connection ends or the host is told; nothing is left, and the
// next host is served.
#include "support/failing_memory.hpp"
#include "support/rdma/rdma_world.hpp"

namespace fulmar::transport::rdma::test {
namespace {

using nvme::io_opcode;
using state = fake_host::state;

class one_host {
  public:
    explicit one_host(rdma_world& w) : world_(w) {}

    /// True when everything worked; stops at the first thing that did not.
    bool run() {
        if (!open(admin_, 0)) return false;
        host_memory& m = admin_->add_memory(sizeof(nvme::connect_data));
        const auto data = world_.connect_data(nvme::cntlid_dynamic);
        std::memcpy(m.bytes.data(), &data, sizeof data);
        const auto granted = ask(
            *admin_, world_.connect_command(0, 32, nvme::make_keyed_sgl(m.address, 1024, m.key)));
        if (!granted) return false;
        if (!ask(*admin_, rdma_world::enable_command()) ||
            !ask(*admin_, rdma_world::identify_command(9, admin_->add_memory(4096))))
            return false;
        return open(io_, 1) && move(static_cast<std::uint16_t>(granted->dw0.value()));
    }
    void leave() {
        for (const auto& h : {admin_, io_})
            if (h != nullptr) world_.fabric().kill(*h);
    }

  private:
    bool open(std::shared_ptr<fake_host>& host, std::uint16_t qid) {
        host = world_.fabric().connect(world_.request(qid));
        EXPECT_TRUE(world_.turn_until([&] { return host->now != state::connecting; }))
            << "neither accepted nor rejected";
        return host->now == state::connected;
    }
    /// The answer when it is a success.
    std::optional<nvme::cqe> ask(fake_host& host, const nvme::sqe& command,
                                 std::span<const std::byte> extra = {}) {
        host.send(command, extra);
        std::optional<host_answer> got;
        EXPECT_TRUE(world_.turn_until([&] {
            got = world_.take(host, command.cid.value());
            return got || host.now != state::connected;
        })) << "neither an answer nor an end";
        if (!got || !nvme::is_success(got->entry.get_status())) return std::nullopt;
        return got->entry;
    }
    bool move(std::uint16_t cntlid) {
        const auto data = world_.connect_data(cntlid);
        if (!ask(*io_, world_.connect_command(1, 32, nvme::make_in_capsule_sgl(0, 1024)),
                 nvme::wire_bytes(data)))
            return false;
        const std::vector<std::byte> block(512, std::byte{3});
        if (!ask(*io_, world_.in_capsule_write(1, 0, 512), block)) return false;
        host_memory& m = io_->add_memory(64 << 10);
        return ask(*io_, world_.keyed(io_opcode::write, 2, 0, m)).has_value() &&
               ask(*io_, world_.keyed(io_opcode::read, 3, 0, m)).has_value();
    }

    rdma_world& world_;
    std::shared_ptr<fake_host> admin_;
    std::shared_ptr<fake_host> io_;
};

void expect_empty(rdma_world& w) {
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 0; }, std::chrono::seconds(10)));
    for (int i = 0; i < 20; ++i) w.turn();
    w.watch_memory(false);  // what is asked from here on is the test's own question
    EXPECT_EQ(w.group().hosts().size(), 0u);
    EXPECT_EQ(w.group().load, 0u);
    EXPECT_EQ(w.listener().connections, 0u);
    for (mem::buffer_pool* p :
         {&w.group().pool(), &w.group().admin_pool(), &w.group().newcomer_pool()}) {
        EXPECT_EQ(p->waiters(), 0u);
        const bool lends = p == &w.group().pool();  // for the device's queues
        EXPECT_EQ(p->free_chunks(), lends ? w.free_at_rest() : p->total_chunks());
    }
}

class rdma_without_memory : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(receives, rdma_without_memory, ::testing::Bool(), [](const auto& p) {
    return p.param ? std::string("shared") : std::string("own");
});

// A fresh target each time: the first host brings the device's queues with it.
TEST_P(rdma_without_memory, ends_in_an_answer_or_an_end_and_the_next_host_is_served) {
    std::uint64_t tried = 0;
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        rdma_world w(1, {.shared_receives = GetParam()});
        w.watch_memory(true);
        one_host first(w);
        (void)first.run();
        first.leave();
        expect_empty(w);
        w.watch_memory(false);
        w.advance(bounds::part_interval);  // queues that could not be made are not tried at once
        one_host second(w);
        EXPECT_TRUE(second.run());
        second.leave();
        expect_empty(w);
        ++tried;
    });
    EXPECT_EQ(tried, failed + 1);
    EXPECT_GT(failed, 12u) << "a part of the device, queues, slots, two connections, a controller";
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
