// Fused Compare and Write over the RDMA transport with fake verbs: whichever data comes in the
// capsule, and whichever is fetched.
#include "support/rdma/rdma_world.hpp"

namespace fulmar::transport::rdma::test {
namespace {

namespace sc = nvme::sc;
using nvme::fuse;
using nvme::io_opcode;

constexpr std::uint16_t first_cid = 11, second_cid = 12;

class rdma_fused : public ::testing::TestWithParam<bool> {
  protected:
    struct answers {
        nvme::status first, second;
        friend bool operator==(const answers&, const answers&) = default;
    };
    using data = std::vector<std::byte>;

    rdma_fused() {
        const auto admin = world_.admin();
        admin_ = admin;
        io_ = world_.io();
    }

    void send(io_opcode opcode, fuse how, std::uint16_t cid, const data& bytes, bool in_capsule) {
        nvme::sqe c{};
        if (in_capsule) {
            c = world_.command(opcode, cid, 8, static_cast<std::uint32_t>(bytes.size()), nsid_);
            c.sgl1 = nvme::make_in_capsule_sgl(0, static_cast<std::uint32_t>(bytes.size()));
        } else {
            host_memory& m = io_->add_memory(bytes.size());
            m.bytes.assign(bytes.begin(), bytes.end());
            c = world_.keyed(opcode, cid, 8, m, nsid_);
        }
        c.flags = nvme::make_flags(how, nvme::psdt::sgl);
        io_->send(c, in_capsule ? std::span<const std::byte>(bytes) : std::span<const std::byte>{});
    }
    answers compare_and_write(const data& expected, const data& wanted, bool first_in_capsule,
                              bool second_in_capsule) {
        send(io_opcode::compare, fuse::first, first_cid, expected, first_in_capsule);
        send(io_opcode::write, fuse::second, second_cid, wanted, second_in_capsule);
        const auto first = world_.wait(*io_, first_cid);
        const auto second = world_.wait(*io_, second_cid);
        EXPECT_TRUE(first && second);
        if (!first || !second) return {};
        return {.first = first->entry.get_status(), .second = second->entry.get_status()};
    }
    data read(std::size_t size) {
        host_memory& in = io_->add_memory(size);
        EXPECT_EQ(world_.call(*io_, world_.keyed(io_opcode::read, 2, 8, in, nsid_)), sc::success);
        return {in.bytes.begin(), in.bytes.end()};
    }

    rdma_world world_{1, {.shared_receives = GetParam()}};
    std::shared_ptr<fake_host> admin_, io_;
    std::uint32_t nsid_ = 1;
};
INSTANTIATE_TEST_SUITE_P(receives, rdma_fused, ::testing::Bool(), [](const auto& p) {
    return p.param ? std::string("shared") : std::string("own");
});

TEST_P(rdma_fused, pairs_of_every_shape_write_where_the_blocks_are_as_expected) {
    const answers done{.first = sc::success, .second = sc::success};
    const answers missed{.first = sc::compare_failure.no_retry(),
                         .second = sc::aborted_failed_fused};
    std::byte value{1};
    for (const std::uint32_t nsid : {1u, 2u}) {
        nsid_ = nsid;
        for (const std::size_t size : {std::size_t{4096}, std::size_t{8192}, std::size_t{131072}}) {
            data now = read(size);
            for (const int shape : {0, 1, 2, 3}) {
                const bool fits = size <= 8192;
                const bool first = fits && (shape & 1) != 0, second = fits && (shape & 2) != 0;
                value = static_cast<std::byte>(static_cast<int>(value) + 1);
                const data next(size, value);
                EXPECT_EQ(compare_and_write(now, next, first, second), done)
                    << size << ' ' << shape;
                EXPECT_EQ(compare_and_write(now, now, first, second), missed)
                    << size << ' ' << shape;
                EXPECT_EQ(read(size), next);
                now = next;
            }
        }
    }
}

TEST_P(rdma_fused, a_pair_that_is_torn_is_answered) {
    const data zero(4096), one(4096, std::byte{1});
    send(io_opcode::compare, fuse::first, first_cid, zero, true);
    host_memory& in = io_->add_memory(4096);
    EXPECT_EQ(world_.call(*io_, world_.keyed(io_opcode::read, 2, 8, in)), sc::success);
    const auto alone = world_.wait(*io_, first_cid);
    ASSERT_TRUE(alone);
    EXPECT_EQ(alone->entry.get_status(), sc::aborted_missing_fused);
    send(io_opcode::write, fuse::second, second_cid, one, false);
    const auto late = world_.wait(*io_, second_cid);
    ASSERT_TRUE(late);
    EXPECT_EQ(late->entry.get_status(), sc::aborted_missing_fused);
    EXPECT_EQ(read(4096), zero);
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
