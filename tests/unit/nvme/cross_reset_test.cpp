#include <fulmar/nvme/cross_reset.hpp>
#include <fulmar/nvme/identify.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace fulmar::nvme {
namespace {

// The dwords that libnvme's nvme_init_cross_ctrl_reset() makes of the same arguments.
TEST(cross_reset, lies_in_the_command_as_libnvme_puts_it) {
    sqe command{};
    encode_cross_reset(command, {.icid = 0x1234, .ciu = 0xab, .cirn = 0x1122'3344'5566'7788});
    EXPECT_EQ(command.cdw10.value(), 0x00ab'1234u);
    EXPECT_EQ(command.cdw12.value(), 0x5566'7788u);
    EXPECT_EQ(command.cdw13.value(), 0x1122'3344u);
    EXPECT_EQ(static_cast<unsigned>(admin_opcode::cross_controller_reset), 0x38u);
    EXPECT_EQ(direction_of(0x38), data_direction::none);
}

TEST(cross_reset, is_read_back_as_written) {
    const cross_reset wanted{.icid = 0xffef, .ciu = 0xff, .cirn = ~std::uint64_t{1}};
    sqe command{};
    encode_cross_reset(command, wanted);
    EXPECT_EQ(decode_cross_reset(command), wanted);
    command.cdw10 = command.cdw10.value() | 0xff00'0000u;  // reserved
    EXPECT_EQ(decode_cross_reset(command), wanted);
}

TEST(cross_reset, statuses_are_those_of_libnvme) {
    EXPECT_EQ(sc::cross_reset_in_progress,
              (status{.sct = status_type::command_specific, .sc = 0x3f}));
    EXPECT_EQ(sc::cross_reset_log_full, (status{.sct = status_type::command_specific, .sc = 0x40}));
    EXPECT_EQ(sc::cross_reset_limit_exceeded,
              (status{.sct = status_type::command_specific, .sc = 0x41}));
}

TEST(cross_reset, entries_of_the_log_lie_as_in_libnvme) {
    EXPECT_EQ(offsetof(cross_reset_entry, ciu), 2u);
    EXPECT_EQ(offsetof(cross_reset_entry, acid), 4u);
    EXPECT_EQ(offsetof(cross_reset_entry, state), 6u);
    EXPECT_EQ(offsetof(cross_reset_entry, flags), 7u);
}

}  // namespace
}  // namespace fulmar::nvme
