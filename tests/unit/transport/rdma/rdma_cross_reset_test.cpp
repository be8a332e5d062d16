// Cross-Controller Reset over the RDMA transport with fake verbs: the queue pairs of the controller
// that ends go with it, and what its host had lent the target is not touched any more.
#include "support/rdma/rdma_world.hpp"

#include <fulmar/nvme/cross_reset.hpp>
#include <fulmar/nvme/identify.hpp>

namespace fulmar::transport::rdma::test {
namespace {

namespace sc = nvme::sc;

constexpr std::uint16_t write_cid = 21, reset_cid = 22;

class rdma_cross_reset : public ::testing::TestWithParam<bool> {
  protected:
    /// Which instance the controller of that admin queue is.
    nvme::cross_reset name_of(fake_host& admin) {
        host_memory& page = admin.add_memory(4096);
        EXPECT_EQ(world_.call(admin, rdma_world::identify_command(3, page)), sc::success);
        const auto told = *nvme::read_wire<nvme::identify_controller>(page.bytes);
        return {.icid = told.cntlid.value(), .ciu = told.ciu, .cirn = told.cirn.value()};
    }
    static nvme::sqe reset_command(const nvme::cross_reset& which) {
        nvme::sqe c{};
        c.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::cross_controller_reset);
        c.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        c.cid = reset_cid;
        c.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
        nvme::encode_cross_reset(c, which);
        return c;
    }

    rdma_world world_{1, {.shared_receives = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(receives, rdma_cross_reset, ::testing::Bool(), [](const auto& p) {
    return p.param ? std::string("shared") : std::string("own");
});

TEST_P(rdma_cross_reset, is_answered_when_what_the_lost_path_had_at_a_device_is_over) {
    const auto lost = world_.admin();
    const nvme::cross_reset which = name_of(*lost);
    const auto lost_io = world_.io();
    world_.spy().hold(true);
    host_memory& lent = lost_io->add_memory(4096);
    lost_io->send(world_.keyed(nvme::io_opcode::write, write_cid, 8, lent, 2), {});
    ASSERT_TRUE(world_.turn_until([&] { return world_.spy().held() == 1; }));

    const auto other = world_.admin();
    other->send(reset_command(which), {});
    ASSERT_TRUE(world_.turn_until([&] {
        return lost->now == fake_host::state::ended && lost_io->now == fake_host::state::ended;
    })) << "both queue pairs of the controller go";
    EXPECT_FALSE(world_.take(*other, reset_cid)) << "the write may land still";

    world_.spy().hold(false);
    const auto over = world_.wait(*other, reset_cid);
    ASSERT_TRUE(over);
    EXPECT_EQ(over->entry.get_status(), sc::success);
    namespace result = nvme::cross_reset_result;
    EXPECT_EQ(over->entry.dw0.value(), result::immediate | result::validated | result::initiated);
    EXPECT_FALSE(world_.take(*lost_io, write_cid)) << "nobody is there to be answered";
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
