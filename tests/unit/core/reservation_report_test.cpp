// Reservation Report byte by byte (NVMe Base 2.0, section 7.5), whole and cut short.
#include "reservation/reservation_report.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace fulmar::core::test {
namespace {

using nvme::reservation_type;

reservation_state of_registrants(unsigned count) {
    reservation_state state;
    for (unsigned i = 0; i < count; ++i) {
        registrant r{.host = {}, .key = 0x0102'0304'0506'0000u + i};
        r.host.bytes[0] = static_cast<std::uint8_t>(i >> 8);
        r.host.bytes[1] = static_cast<std::uint8_t>(i);
        r.host.bytes[15] = 0xee;
        state.registrants.push_back(r);
    }
    return state;
}

std::vector<std::uint8_t> report(const reservation_state& state, std::size_t length) {
    std::vector<std::uint8_t> out(length, 0xcc);
    out.resize(write_reservation_report(state, 0, std::as_writable_bytes(std::span(out))));
    return out;
}

TEST(reservation_report, must_ask_for_the_extended_form_as_fabrics_hosts_have_128_bits) {
    nvme::sqe command{};
    nvme::encode_reservation_report(command, {.length_bytes = 4096, .extended = true});
    EXPECT_TRUE(nvme::is_success(check_reservation_report(command)));
    nvme::encode_reservation_report(command, {.length_bytes = 4096});
    EXPECT_EQ(check_reservation_report(command), nvme::sc::host_id_inconsistent.no_retry());
}

TEST(reservation_report, of_nobody_is_a_header) {
    EXPECT_EQ(reservation_report_bytes({}), 64u);
    EXPECT_EQ(report({}, 4096), std::vector<std::uint8_t>(64));
}

TEST(reservation_report, has_a_header_and_an_entry_for_each_registrant) {
    reservation_state state = of_registrants(2);
    state.generation = 0x0403'0201;
    state.type = reservation_type::exclusive_access;
    state.holder = state.registrants[1].host;
    state.persistent = true;
    const auto bytes = report(state, 4096);
    ASSERT_EQ(bytes.size(), 192u) << "no more than there is";
    std::vector<std::uint8_t> header(64);
    header[0] = 1, header[1] = 2, header[2] = 3, header[3] = 4;
    header[4] = 2, header[5] = 2, header[9] = 1;
    EXPECT_EQ(std::vector(bytes.begin(), bytes.begin() + 64), header);
    std::vector<std::uint8_t> first{0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 6, 5, 4, 3, 2, 1};
    first.resize(64);
    first[31] = 0xee;
    EXPECT_EQ(std::vector(bytes.begin() + 64, bytes.begin() + 128), first);
    std::vector<std::uint8_t> second = first;
    second[2] = 1, second[8] = 1, second[17] = 1;
    EXPECT_EQ(std::vector(bytes.begin() + 128, bytes.end()), second) << "the holder";
}

TEST(reservation_report, says_of_all_registrants_that_they_hold_types_5_and_6) {
    for (const reservation_type type :
         {reservation_type::write_exclusive_all, reservation_type::exclusive_access_all}) {
        reservation_state state = of_registrants(3);
        state.type = type;
        const auto bytes = report(state, 4096);
        for (const std::size_t at : {64, 128, 192}) EXPECT_EQ(bytes[at + 2], 1);
    }
}

TEST(reservation_report, that_is_cut_short_has_what_fits_and_the_true_count) {
    const reservation_state state = of_registrants(limits::max_registrants);
    const auto whole = report(state, reservation_report_bytes(state));
    ASSERT_EQ(whole.size(), 64u + 64u * limits::max_registrants);
    EXPECT_EQ(whole[5], 0);
    EXPECT_EQ(whole[6], 4) << "1,024";
    for (const std::size_t length : {4u, 8u, 64u, 68u, 128u, 4096u, 65'536u, 65'596u}) {
        const auto cut = report(state, length);
        EXPECT_EQ(cut, std::vector(whole.begin(), whole.begin() + static_cast<long>(length)))
            << length;
    }
}

TEST(reservation_report, may_be_written_in_pieces) {
    const reservation_state state = of_registrants(5);
    const auto whole = report(state, 4096);
    for (const std::size_t piece : {1u, 3u, 63u, 64u, 65u, 200u}) {
        std::vector<std::uint8_t> sum;
        for (std::size_t at = 0;;) {
            std::vector<std::byte> part(piece);
            const std::size_t got = write_reservation_report(state, at, part);
            for (std::size_t i = 0; i < got; ++i)
                sum.push_back(std::to_integer<std::uint8_t>(part[i]));
            at += got;
            if (got < piece) break;
        }
        EXPECT_EQ(sum, whole) << piece;
    }
    EXPECT_EQ(write_reservation_report(state, 10'000, {}), 0u);
}

}  // namespace
}  // namespace fulmar::core::test
