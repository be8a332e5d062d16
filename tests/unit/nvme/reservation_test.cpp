// Unit tests of fulmar/nvme/reservation.hpp, and of what logs.hpp and features.hpp have for
// reservations: every field at its byte.
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace fulmar::nvme {
namespace {

/// All 0 but for the bytes named, in hexadecimal order of their offsets.
template <wire_type T>
void expect_wire(const T& wire,
                 std::initializer_list<std::pair<std::size_t, std::uint8_t>> bytes_set) {
    std::vector<std::uint8_t> expected(sizeof(T));
    for (const auto& [at, value] : bytes_set) expected[at] = value;
    std::vector<std::uint8_t> found;
    for (const std::byte b : wire_bytes(wire)) found.push_back(std::to_integer<std::uint8_t>(b));
    EXPECT_EQ(found, expected);
}

TEST(reservation, command_round_trips) {
    const reservation_command all{
        .action = 2, .ignore_existing_key = true, .type = 6, .persist = persist_change::on};
    sqe cmd{};
    encode_reservation(cmd, all);
    EXPECT_EQ(decode_reservation(cmd), all);
    EXPECT_EQ(cmd.cdw10.value(), 0xc000'060au);
    for (std::uint8_t raw = 0; raw < 8; ++raw) {
        for (const persist_change persist : {persist_change::keep, persist_change::reserved,
                                             persist_change::off, persist_change::on}) {
            const reservation_command one{
                .action = raw, .type = static_cast<std::uint8_t>(raw * 36), .persist = persist};
            encode_reservation(cmd, one);
            EXPECT_EQ(decode_reservation(cmd), one);
        }
    }
}

TEST(reservation, fields_of_dword_10_are_where_the_specification_has_them) {
    const auto dword_10 = [](const reservation_command& r) {
        sqe cmd{};
        encode_reservation(cmd, r);
        return cmd.cdw10.value();
    };
    EXPECT_EQ(dword_10({.action = 7}), 7u);
    EXPECT_EQ(dword_10({.ignore_existing_key = true}), 1u << 3);
    EXPECT_EQ(dword_10({.type = 0xff}), 0xff00u);
    EXPECT_EQ(dword_10({.persist = persist_change::off}), 2u << 30);
    EXPECT_EQ(dword_10({.persist = persist_change::on}), 3u << 30);
}

TEST(reservation, reserved_bits_of_dword_10_are_ignored) {
    sqe cmd{};
    cmd.cdw10 = 0x3fff'00f0;
    EXPECT_EQ(decode_reservation(cmd), reservation_command{});
}

TEST(reservation, enums_parse_only_when_known) {
    for (unsigned raw = 0; raw < 256; ++raw) {
        const auto byte = static_cast<std::uint8_t>(raw);
        EXPECT_EQ(parse_reservation_type(byte).has_value(), raw >= 1 && raw <= 6) << raw;
        EXPECT_EQ(parse_register_action(byte).has_value(), raw <= 2) << raw;
        EXPECT_EQ(parse_acquire_action(byte).has_value(), raw <= 2) << raw;
        EXPECT_EQ(parse_release_action(byte).has_value(), raw <= 1) << raw;
    }
}

TEST(reservation, report_command_round_trips) {
    sqe cmd{};
    encode_reservation_report(cmd, {.length_bytes = 4096, .extended = true});
    EXPECT_EQ(cmd.cdw10.value(), 1023u);
    EXPECT_EQ(cmd.cdw11.value(), 1u);
    EXPECT_EQ(decode_reservation_report(cmd).length_bytes, 4096u);
    EXPECT_TRUE(decode_reservation_report(cmd).extended);
    encode_reservation_report(cmd, {.length_bytes = 4});
    EXPECT_EQ(cmd.cdw10.value(), 0u);
    EXPECT_FALSE(decode_reservation_report(cmd).extended);
    cmd.cdw10 = 0xffff'ffff;
    EXPECT_EQ(decode_reservation_report(cmd).length_bytes, std::uint64_t{1} << 34);
}

TEST(reservation, data_has_the_current_key_first) {
    reservation_register_data keys{};
    keys.crkey = 0x0102'0304'0506'0708;
    keys.nrkey = 0xf1f2'f3f4'f5f6'f7f8;
    expect_wire(keys, {{0, 0x08},
                       {1, 0x07},
                       {2, 0x06},
                       {3, 0x05},
                       {4, 0x04},
                       {5, 0x03},
                       {6, 0x02},
                       {7, 0x01},
                       {8, 0xf8},
                       {9, 0xf7},
                       {10, 0xf6},
                       {11, 0xf5},
                       {12, 0xf4},
                       {13, 0xf3},
                       {14, 0xf2},
                       {15, 0xf1}});
    reservation_acquire_data preempt{};
    preempt.crkey = 0xaa;
    preempt.prkey = 0xbb;
    expect_wire(preempt, {{0, 0xaa}, {8, 0xbb}});
    reservation_release_data release{};
    release.crkey = 0xcc;
    expect_wire(release, {{0, 0xcc}});
}

TEST(reservation, report_header_is_24_bytes_and_64_in_the_extended_form) {
    reservation_status_extended header{};
    header.basic.generation = 0x0403'0201;
    header.basic.type = 6;
    header.basic.registrants = 0x0400;
    header.basic.ptpls = 1;
    expect_wire(header, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 6}, {6, 4}, {9, 1}});
    expect_wire(header.basic, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 6}, {6, 4}, {9, 1}});
}

TEST(reservation, extended_registrant_has_its_key_before_its_host) {
    registered_controller_extended one{};
    one.cntlid = 0xfeff;
    one.rcsts = registrant_holds_reservation;
    one.rkey = 0x1100'0000'0000'0022;
    one.hostid[0] = 0x33;
    one.hostid[15] = 0x44;
    expect_wire(one, {{0, 0xff}, {1, 0xfe}, {2, 1}, {8, 0x22}, {15, 0x11}, {16, 0x33}, {31, 0x44}});
    registered_controller shorter{};
    shorter.hostid = 0x55;
    shorter.rkey = 0x66;
    expect_wire(shorter, {{8, 0x55}, {16, 0x66}});
}

TEST(reservation, notification_page_is_64_bytes) {
    reservation_notification_log page{};
    page.log_page_count = 0x0200'0000'0000'0001;
    page.type = static_cast<std::uint8_t>(reservation_notice::reservation_preempted);
    page.available_pages = 0xff;
    page.nsid = 0x0a0b'0c0d;
    expect_wire(
        page, {{0, 1}, {7, 2}, {8, 3}, {9, 0xff}, {12, 0x0d}, {13, 0x0c}, {14, 0x0b}, {15, 0x0a}});
}

// Bit n of the mask is type n of the page.
TEST(reservation, mask_has_a_bit_for_each_notification) {
    const auto bit_of = [](reservation_notice type) { return 1u << static_cast<unsigned>(type); };
    EXPECT_EQ(reservation_mask::registration_preempted,
              bit_of(reservation_notice::registration_preempted));
    EXPECT_EQ(reservation_mask::reservation_released,
              bit_of(reservation_notice::reservation_released));
    EXPECT_EQ(reservation_mask::reservation_preempted,
              bit_of(reservation_notice::reservation_preempted));
    EXPECT_EQ(reservation_mask::all, 0xeu);
    EXPECT_EQ(reservation_persist_through_power_loss, 1u);
}

}  // namespace
}  // namespace fulmar::nvme
