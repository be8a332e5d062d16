// Each policy by itself, and their order in a whole target (nothing there is write-protected yet).
#include "policy/ana.hpp"
#include "policy/visibility.hpp"
#include "policy/write_protection.hpp"
#include "small_world.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
using policy::word;

TEST(policy_of_ana, lets_io_through_where_the_path_serves) {
    for (const bool follows : {false, true}) {
        EXPECT_EQ(policy::ana(ana_state::optimized, false, follows).says, word::pass);
        EXPECT_EQ(policy::ana(ana_state::non_optimized, false, follows).says, word::pass);
        const auto refused = [&](ana_state state) {
            const policy::verdict v = policy::ana(state, false, follows);
            EXPECT_EQ(v.says, word::answer);
            return v.status;
        };
        EXPECT_EQ(refused(ana_state::inaccessible), sc::ana_inaccessible);
        EXPECT_EQ(refused(ana_state::persistent_loss), sc::ana_persistent_loss);
        EXPECT_EQ(refused(ana_state::change), sc::ana_transition);
    }
}

TEST(policy_of_ana, lets_the_gate_keep_io_of_a_lost_device_for_hosts_that_do_not_follow_it) {
    EXPECT_EQ(policy::ana(ana_state::inaccessible, true, false).says, word::pass);
    EXPECT_EQ(policy::ana(ana_state::inaccessible, true, true).status, sc::ana_inaccessible);
}

TEST(policy_of_write_protection, stops_what_changes_blocks_and_nothing_else) {
    EXPECT_EQ(policy::write_protection(true, true).status,
              sc::namespace_write_protected.no_retry());
    EXPECT_EQ(policy::write_protection(true, false).says, word::pass);
    EXPECT_EQ(policy::write_protection(false, true).says, word::pass);
}

TEST(policy_of_visibility, answers_what_is_not_seen_like_what_is_not_there) {
    EXPECT_EQ(policy::visibility(true, false).says, word::pass);
    EXPECT_EQ(policy::visibility(false, false).status, sc::invalid_namespace_or_format.no_retry());
}

TEST(policies, are_asked_in_their_order) {
    small_world world;
    world.connect_admin();
    host_queue& q = world.new_queue();
    ASSERT_TRUE(
        nvme::is_success(world.connect(q, subsystem_nqn, 1, world.controller_number()).status));
    const std::vector<std::byte> block(512);
    const auto write = [&](std::uint32_t number, std::uint64_t lba) {
        nvme::sqe made{};
        made.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
        made.nsid = number;
        nvme::encode_block_range(made, {.slba = lba, .blocks = 1});
        return world.call(q, made, 0, block).status;
    };
    const std::uint64_t beyond = 1u << 20;
    EXPECT_EQ(write(1, 0), sc::success);
    EXPECT_EQ(write(1, beyond), sc::lba_out_of_range.no_retry());
    EXPECT_EQ(write(9, beyond), sc::invalid_namespace_or_format.no_retry());
    world.change(set_ana_state{std::string(subsystem_nqn), 1, ana_state::inaccessible});
    EXPECT_EQ(write(1, beyond), sc::ana_inaccessible) << "before anything of its blocks";
    EXPECT_EQ(write(2, 0), sc::success) << "of that namespace only";
    world.change(set_ana_state{std::string(subsystem_nqn), 1, ana_state::optimized});
    EXPECT_EQ(write(1, 0), sc::success);
}

}  // namespace
}  // namespace fulmar::core::test
