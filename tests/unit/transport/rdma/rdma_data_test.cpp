// Data over the RDMA transport with fake verbs: every way that a command can describe it.
#include "support/rdma/rdma_world.hpp"

namespace fulmar::transport::rdma::test {
namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;

class rdma_data : public ::testing::TestWithParam<bool> {
  protected:
    [[nodiscard]] static fake_manners fault_profile() { return {.shared_receives = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(receives, rdma_data, ::testing::Bool(), [](const auto& p) {
    return p.param ? std::string("shared") : std::string("own");
});

TEST_P(rdma_data, what_is_written_by_key_is_read_by_key) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    auto io = w.io();
    for (const std::uint32_t nsid : {1u, 2u}) {
        host_memory& out = io->add_memory(4096);
        fill(out, nsid);
        EXPECT_EQ(w.call(*io, w.keyed(io_opcode::write, 1, 8, out, nsid)), sc::success);
        host_memory& in = io->add_memory(4096);
        EXPECT_EQ(w.call(*io, w.keyed(io_opcode::read, 2, 8, in, nsid)), sc::success);
        EXPECT_EQ(in.bytes, out.bytes);
    }
}

TEST_P(rdma_data, data_in_the_capsule_is_written) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    auto io = w.io();
    host_memory data;
    data.bytes.resize(8192);
    fill(data, 3);
    for (const std::uint32_t nsid : {1u, 2u}) {
        nvme::sqe c = w.command(io_opcode::write, 1, 0, 8192, nsid);
        c.sgl1 = nvme::make_in_capsule_sgl(0, 8192);
        EXPECT_EQ(w.call(*io, c, data.bytes), sc::success);
        host_memory& in = io->add_memory(8192);
        EXPECT_EQ(w.call(*io, w.keyed(io_opcode::read, 2, 0, in, nsid)), sc::success);
        EXPECT_EQ(in.bytes, data.bytes);
    }
}

TEST_P(rdma_data, a_megabyte_goes_in_as_many_parts_as_the_device_needs) {
    fake_manners m = fault_profile();
    m.max_pieces = 3;
    m.max_message_bytes = 40'000;
    m.read_depth = 2;
    rdma_world w(1, m);
    auto admin = w.admin();
    auto io = w.io();
    host_memory& out = io->add_memory(1 << 20);
    fill(out, 5);
    EXPECT_EQ(w.call(*io, w.keyed(io_opcode::write, 1, 0, out)), sc::success);
    host_memory& in = io->add_memory(1 << 20);
    EXPECT_EQ(w.call(*io, w.keyed(io_opcode::read, 2, 0, in)), sc::success);
    EXPECT_EQ(in.bytes, out.bytes);
    EXPECT_GE(out.reads, (1u << 20) / 40'000);
    EXPECT_LE(w.fabric().most_reads(), 2u) << "no more READs outstanding than agreed";
}

TEST_P(rdma_data, several_keys_in_one_command) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    auto io = w.io();
    constexpr std::uint32_t sizes[] = {100, 7000, 1, 51, 8192 - 7152};
    std::vector<nvme::sgl_descriptor> to, from;
    std::vector<std::uint32_t> out_keys, in_keys;
    for (const std::uint32_t n : sizes) {
        host_memory& o = io->add_memory(n);
        fill(o, n);
        out_keys.push_back(o.key);
        from.push_back(nvme::make_keyed_sgl(o.address, n, o.key));
        host_memory& i = io->add_memory(n);
        in_keys.push_back(i.key);
        to.push_back(nvme::make_keyed_sgl(i.address, n, i.key));
    }
    const auto list = [](const nvme::sqe& c, const std::vector<nvme::sgl_descriptor>& keys) {
        nvme::sqe with = c;
        with.sgl1 = nvme::make_sgl(
            nvme::sgl_identifier(nvme::sgl_type::last_segment, nvme::sgl_subtype::offset), 0,
            static_cast<std::uint32_t>(keys.size() * sizeof keys[0]));
        return with;
    };
    EXPECT_EQ(w.call(*io, list(w.command(io_opcode::write, 1, 0, 8192), from),
                     std::as_bytes(std::span(from))),
              sc::success);
    EXPECT_EQ(
        w.call(*io, list(w.command(io_opcode::read, 2, 0, 8192), to), std::as_bytes(std::span(to))),
        sc::success);
    for (std::size_t i = 0; i < std::size(sizes); ++i)
        EXPECT_EQ(io->memory[in_keys[i]].bytes, io->memory[out_keys[i]].bytes) << i;
}

TEST_P(rdma_data, the_answer_takes_the_key_away_when_the_host_asks_for_it) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    auto io = w.io();
    host_memory& in = io->add_memory(512);
    const std::uint32_t key = in.key;
    io->send(w.keyed(io_opcode::read, 3, 0, in, 1, true));
    const auto a = w.wait(*io, 3);
    ASSERT_TRUE(a);
    EXPECT_EQ(a->invalidated, key);
    EXPECT_EQ(io->memory.count(key), 0u);
}

TEST_P(rdma_data, a_device_that_cannot_invalidate_answers_plainly) {
    fake_manners m = fault_profile();
    m.invalidates = false;
    m.inline_bytes = 64;
    rdma_world w(1, m);
    auto admin = w.admin();
    auto io = w.io();
    host_memory& in = io->add_memory(512);
    io->send(w.keyed(io_opcode::read, 3, 0, in, 1, true));
    const auto a = w.wait(*io, 3);
    ASSERT_TRUE(a);
    EXPECT_FALSE(a->invalidated);
}

TEST_P(rdma_data, a_full_queue_of_everything_is_answered_once_each) {
    rdma_world w(7, fault_profile());
    auto admin = w.admin();
    auto io = w.io(1, 32);
    std::vector<host_memory*> memory;
    for (std::uint16_t round = 0; round < 20; ++round) {
        for (std::uint16_t i = 0; i < 31; ++i) {
            host_memory& m = io->add_memory(512u << (i % 5));
            fill(m, i);
            io->send(
                w.keyed(i % 2 == 0 ? io_opcode::write : io_opcode::read, i, i * 64u, m, 1 + i % 2));
        }
        std::vector<bool> seen(31);
        std::size_t count = 0;
        ASSERT_TRUE(w.turn_until([&] {
            for (; !io->answers.empty(); io->answers.pop_front(), ++count) {
                const auto& e = io->answers.front().entry;
                EXPECT_EQ(e.get_status(), sc::success);
                EXPECT_FALSE(seen.at(e.cid.value()));
                seen[e.cid.value()] = true;
            }
            return count == 31;
        }));
        io->memory.clear();
    }
}

TEST_P(rdma_data, identify_tells_of_keys) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    host_memory& page = admin->add_memory(4096);
    ASSERT_EQ(w.call(*admin, rdma_world::identify_command(4, page)), sc::success);
    const auto id = nvme::read_wire<nvme::identify_controller>(page.bytes).value();
    EXPECT_NE(id.sgls.value() & nvme::sgls::keyed, 0u);
    EXPECT_NE(id.sgls.value() & nvme::sgls::offset_in_address, 0u);
    EXPECT_EQ(id.sgls.value() & nvme::sgls::transport, 0u);
    EXPECT_EQ(id.msdbd, max_segments);
    EXPECT_EQ(id.icdoff.value(), 0u);
}

TEST_P(rdma_data, a_command_that_describes_too_little_is_refused_and_nothing_is_fetched) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    auto io = w.io();
    host_memory& m = io->add_memory(1024);
    nvme::sqe c = w.keyed(io_opcode::write, 1, 0, m);
    c.cdw12 = 7u;  // 4096 bytes
    EXPECT_EQ(w.call(*io, c), sc::data_sgl_length_invalid.no_retry());
    EXPECT_EQ(m.reads, 0u);
}

TEST_P(rdma_data, more_capsules_than_buffers_wait_and_none_is_lost) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    auto io = w.io(1, 128);
    std::vector<std::byte> data(8192, std::byte{9});
    for (std::uint16_t i = 0; i < 127; ++i) {  // each wants a chunk to be kept in: the disk holds
        nvme::sqe c = w.command(io_opcode::write, i, i * 16u, 8192, 2);
        c.sgl1 = nvme::make_in_capsule_sgl(0, 8192);
        io->send(c, data);
    }
    w.spy().hold(true);
    for (int i = 0; i < 50; ++i) w.turn();
    w.spy().hold(false);
    ASSERT_TRUE(w.turn_until([&] { return io->answers.size() == 127; }, 2000));
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
