// What an admin command may move is known from the command alone.
#include "admin_data.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>

#include <gtest/gtest.h>

namespace fulmar::core {
namespace {

constexpr admin_data_rules io{.namespace_limit = 1024, .max_transfer_bytes = 1u << 20};
constexpr admin_data_rules discovery{
    .discovery = true, .namespace_limit = 0, .max_transfer_bytes = 1u << 20};

nvme::sqe command(nvme::admin_opcode opcode, std::uint32_t cdw10 = 0) {
    nvme::sqe made{};
    made.opcode = static_cast<std::uint8_t>(opcode);
    made.cdw10 = cdw10;
    return made;
}

nvme::sqe log(std::uint8_t page, std::uint64_t bytes) {
    nvme::sqe made = command(nvme::admin_opcode::get_log_page);
    const std::uint64_t dwords = bytes / 4 - 1;
    made.cdw10 = page | static_cast<std::uint32_t>(dwords & 0xffff) << 16;
    made.cdw11 = static_cast<std::uint32_t>(dwords >> 16);
    return made;
}

std::uint32_t length(const nvme::sqe& what, const admin_data_rules& rules = io) {
    return admin_data_length(what, rules);
}

TEST(admin_data, of_identify_is_a_page_whatever_is_asked) {
    for (std::uint32_t cns = 0; cns < 0x20; ++cns)
        EXPECT_EQ(length(command(nvme::admin_opcode::identify, cns)), nvme::identify_bytes);
}

TEST(admin_data, of_features_is_what_the_feature_has) {
    for (std::uint32_t id = 0; id < 256; ++id) {
        const std::uint32_t behavior = id == 0x16 ? sizeof(nvme::host_behavior_support) : 0;
        const std::uint32_t both = id == 0x81 ? 16 : behavior;
        EXPECT_EQ(length(command(nvme::admin_opcode::set_features, id)), both) << id;
        EXPECT_EQ(length(command(nvme::admin_opcode::get_features, id)), both) << id;
        EXPECT_EQ(length(command(nvme::admin_opcode::get_features, id | 3u << 8)), 0u) << id;
        EXPECT_EQ(length(command(nvme::admin_opcode::set_features, id), discovery), 0u) << id;
    }
}

TEST(admin_data, of_a_log_is_what_is_asked_for_up_to_a_bound_of_the_page) {
    EXPECT_EQ(length(log(0x02, 512)), 512u);
    EXPECT_EQ(length(log(0x02, 64 * 1024)), 64u * 1024u);
    EXPECT_EQ(length(log(0x02, 64 * 1024 + 4)), 0u);
    EXPECT_EQ(length(log(0x0c, 16 + 1024 * 36)), 16u + 1024u * 36u);
    EXPECT_EQ(length(log(0x0c, 64 * 1024 + 4)), 0u);
    EXPECT_EQ(length(log(0x70, 1024)), 0u) << "not on an I/O controller";
    EXPECT_EQ(length(log(0x70, 64 * 1024), discovery), 64u * 1024u);
    EXPECT_EQ(length(log(0x70, 64 * 1024 + 4), discovery), 0u);
    EXPECT_EQ(length(log(0x70, std::uint64_t{16} << 30), discovery), 0u);
}

// Whatever bytes come, no more than the bound, and nothing for what is not carried out.
TEST(admin_data, of_any_opcode_is_bounded) {
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
        nvme::sqe any{};
        any.opcode = static_cast<std::uint8_t>(opcode);
        any.cdw10 = 0xffff'ffffu;
        any.cdw11 = 0xffff'ffffu;
        EXPECT_LE(length(any), limits::max_admin_bytes) << opcode;
        EXPECT_LE(length(any, discovery), limits::max_discovery_bytes) << opcode;
    }
    for (const auto opcode :
         {nvme::admin_opcode::keep_alive, nvme::admin_opcode::abort,
          nvme::admin_opcode::async_event_request, nvme::admin_opcode::firmware_download,
          nvme::admin_opcode::security_send})
        EXPECT_EQ(length(command(opcode)), 0u);
}

}  // namespace
}  // namespace fulmar::core
