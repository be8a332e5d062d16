// The access matrix, row by row of NVMe Base 2.0, section 8.19.1; what each opcode needs; the byte
// per host that the data path reads; and, by the same table, what write protection refuses.
#include "reservation/reservation_access.hpp"

#include "policy/reservation.hpp"
#include "policy/write_protection.hpp"
#include "reservation/reservation_access.hpp"

#include <fulmar/core/parsed_io.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;
using nvme::reservation_type;
using role = reservation_role;

/// "rw", "r", "-": what the reservation of that type lets who do.
std::string lets(reservation_type type, role who) {
    std::string out;
    if ((denied(type, who) & access::read) == 0) out += 'r';
    if ((denied(type, who) & access::write) == 0) out += 'w';
    return out.empty() ? "-" : out;
}

TEST(reservation_access, none_lets_everybody_do_everything) {
    for (const role who : {role::stranger, role::registrant, role::holder})
        EXPECT_EQ(lets(reservation_type::none, who), "rw");
}

TEST(reservation_access, write_exclusive_lets_others_read) {
    EXPECT_EQ(lets(reservation_type::write_exclusive, role::holder), "rw");
    EXPECT_EQ(lets(reservation_type::write_exclusive, role::registrant), "r");
    EXPECT_EQ(lets(reservation_type::write_exclusive, role::stranger), "r");
}

TEST(reservation_access, exclusive_access_lets_others_do_nothing) {
    EXPECT_EQ(lets(reservation_type::exclusive_access, role::holder), "rw");
    EXPECT_EQ(lets(reservation_type::exclusive_access, role::registrant), "-");
    EXPECT_EQ(lets(reservation_type::exclusive_access, role::stranger), "-");
}

TEST(reservation_access, write_exclusive_of_registrants_lets_strangers_read) {
    for (const reservation_type type :
         {reservation_type::write_exclusive_registrants, reservation_type::write_exclusive_all}) {
        EXPECT_EQ(lets(type, role::holder), "rw");
        EXPECT_EQ(lets(type, role::registrant), "rw");
        EXPECT_EQ(lets(type, role::stranger), "r");
    }
}

TEST(reservation_access, exclusive_access_of_registrants_lets_strangers_do_nothing) {
    for (const reservation_type type :
         {reservation_type::exclusive_access_registrants, reservation_type::exclusive_access_all}) {
        EXPECT_EQ(lets(type, role::holder), "rw");
        EXPECT_EQ(lets(type, role::registrant), "rw");
        EXPECT_EQ(lets(type, role::stranger), "-");
    }
}

TEST(reservation_access, every_opcode_needs_what_its_command_group_says) {
    const auto needs = [](io_opcode opcode) {
        return access_needed(static_cast<std::uint8_t>(opcode));
    };
    for (const io_opcode reads : {io_opcode::read, io_opcode::compare, io_opcode::verify,
                                  io_opcode::zone_management_receive})
        EXPECT_EQ(needs(reads), access::read);
    for (const io_opcode writes :
         {io_opcode::write, io_opcode::write_zeroes, io_opcode::write_uncorrectable,
          io_opcode::dataset_management, io_opcode::flush, io_opcode::zone_append,
          io_opcode::zone_management_send})
        EXPECT_EQ(needs(writes), access::write);
    EXPECT_EQ(needs(io_opcode::copy), access::both) << "its sources and its destination";
    for (const io_opcode checks_itself :
         {io_opcode::reservation_register, io_opcode::reservation_acquire,
          io_opcode::reservation_release, io_opcode::reservation_report})
        EXPECT_EQ(needs(checks_itself), access::none);
}

TEST(reservation_access, opcodes_without_a_row_need_all_there_is) {
    for (unsigned raw = 0; raw < 256; ++raw) {
        const auto opcode = static_cast<std::uint8_t>(raw);
        if (!nvme::parse_io_opcode(opcode)) {
            EXPECT_EQ(access_needed(opcode), access::both) << raw;
        }
    }
}

TEST(policy_of_reservation, answers_conflict_and_not_to_try_again) {
    EXPECT_EQ(policy::reservation(access::write, access::read).says, policy::word::pass);
    EXPECT_EQ(policy::reservation(access::both, access::none).says, policy::word::pass);
    EXPECT_EQ(policy::reservation(access::none, access::both).says, policy::word::pass);
    const policy::verdict refused = policy::reservation(access::write, access::both);
    EXPECT_EQ(refused.says, policy::word::answer);
    EXPECT_EQ(refused.status, sc::reservation_conflict.no_retry());
}

/// What a command of that opcode, which is of good form, is read as. Nothing: no device does it.
std::optional<parsed_io> read_as(io_opcode opcode, bool with_hints_only = false) {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(opcode);
    command.nsid = 1u;
    std::uint32_t bytes = 0;
    switch (opcode) {
        case io_opcode::dataset_management:
            nvme::encode_dataset_management(
                command,
                {.ranges = 1, .attributes = with_hints_only ? 0 : nvme::dsm_attribute::deallocate});
            bytes = sizeof(nvme::dsm_range);
            break;
        case io_opcode::copy:
            nvme::encode_copy(command, {.sdlba = 8, .ranges = 1});
            bytes = sizeof(nvme::copy_range);
            break;
        case io_opcode::reservation_report:
            nvme::encode_reservation_report(command, {.length_bytes = 64, .extended = true});
            bytes = 64;
            break;
        case io_opcode::reservation_register:
        case io_opcode::reservation_acquire:
        case io_opcode::reservation_release: bytes = sizeof(nvme::reservation_register_data); break;
        default: nvme::encode_block_range(command, {.slba = 0, .blocks = 1}); bytes = 512;
    }
    const backend::geometry able{.block_count = 64,
                                 .deallocate = true,
                                 .copy = {.ranges = 4, .range_blocks = 8, .blocks = 8}};
    parsed_io out;
    const nvme::status wrong = parse_io(
        command, {.device = able, .max_transfer_bytes = 1u << 20, .sgl_bytes = bytes}, out);
    if (!nvme::is_success(wrong)) return std::nullopt;
    return out;
}

// The one table says which opcodes write; all of them but Flush change blocks. Each is asked in
// every state of protection.
TEST(write_protection, refuses_every_opcode_that_changes_blocks_in_every_state_but_none) {
    unsigned refused_opcodes = 0;
    for (const access_row& row : access_rows) {
        const auto read = read_as(row.opcode);
        if (!read) continue;
        const bool writes = (row.needs & access::write) != 0 && row.opcode != io_opcode::flush;
        refused_opcodes += writes ? 1 : 0;
        for (const auto state :
             {nvme::write_protection::none, nvme::write_protection::write_protect,
              nvme::write_protection::until_power_cycle}) {
            SCOPED_TRACE("opcode " + std::to_string(static_cast<int>(row.opcode)) + ", " +
                         std::string(to_string(state)));
            const bool is_protected = state != nvme::write_protection::none;
            const policy::verdict v = policy::write_protection(is_protected, read->changes_blocks);
            if (is_protected && writes)
                EXPECT_EQ(v.status, sc::namespace_write_protected.no_retry());
            else
                EXPECT_EQ(v.says, policy::word::pass);
        }
    }
    EXPECT_EQ(refused_opcodes, 4u) << "Write, Write Zeroes, Dataset Management, Copy";
}

TEST(write_protection, lets_hints_through) {
    EXPECT_TRUE(read_as(io_opcode::dataset_management)->changes_blocks);
    EXPECT_FALSE(read_as(io_opcode::dataset_management, true)->changes_blocks);
}

TEST(write_protection, until_a_power_cycle_is_not_lifted_by_hosts) {
    using enum nvme::write_protection;
    for (const auto from : {none, write_protect, until_power_cycle})
        for (const auto to : {none, write_protect, until_power_cycle}) {
            const nvme::status wanted = from == until_power_cycle && to != from
                                            ? nvme::status(sc::feature_not_changeable.no_retry())
                                            : nvme::status(sc::success);
            EXPECT_EQ(policy::may_protect(from, to), wanted)
                << to_string(from) << " to " << to_string(to);
        }
    EXPECT_FALSE(policy::can_become(permanent));
    EXPECT_FALSE(policy::can_become(static_cast<nvme::write_protection>(4)));
}

nvme::host_id host_ending_in(std::uint8_t number) {
    nvme::host_id id;
    id.bytes[15] = number;
    return id;
}

TEST(reservation_access, is_taken_from_whoever_is_denied_more_than_before) {
    reservation_state before;
    before.registrants = {{host_ending_in(1), 10}, {host_ending_in(2), 20}};
    const auto with = [&](reservation_type type, std::uint8_t holder) {
        reservation_state state = before;
        state.type = type;
        if (holder != 0) state.holder = host_ending_in(holder);
        return state;
    };
    const reservation_state exclusive = with(reservation_type::write_exclusive, 2);
    EXPECT_FALSE(takes_access(before, before));
    EXPECT_TRUE(takes_access(before, exclusive));
    EXPECT_FALSE(takes_access(exclusive, before)) << "a release";
    EXPECT_TRUE(takes_access(exclusive, with(reservation_type::write_exclusive, 1)))
        << "the former holder may not write any more";
    EXPECT_TRUE(takes_access(exclusive, with(reservation_type::exclusive_access, 2)))
        << "strangers may not read any more";
    const reservation_state all = with(reservation_type::write_exclusive_all, 0);
    EXPECT_FALSE(takes_access(exclusive, all));
    reservation_state fewer = all;
    fewer.registrants.erase(fewer.registrants.begin());
    EXPECT_TRUE(takes_access(all, fewer)) << "a registrant becomes a stranger";
    EXPECT_FALSE(takes_access(fewer, all)) << "a stranger registers";
}

}  // namespace
}  // namespace fulmar::core::test
