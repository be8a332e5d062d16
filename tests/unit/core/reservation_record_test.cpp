// The record of reservations, there and back, and each way in which it can be no possible state.
#include "reservation/reservation_state.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/core/reservation_record.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <utility>

namespace fulmar::core::test {
namespace {

using nvme::reservation_type;

const std::string first_host = "00000000000000000000000000000001";
const std::string second_host = "f0000000000000000000000000000002";

reservation_record two_hosts() {
    return {.generation = 9,
            .persistent = true,
            .type = 1,
            .holder = second_host,
            .registrants = {{second_host, ~std::uint64_t{0}}, {first_host, 0}}};
}

TEST(reservation_record, is_read_as_the_state_that_it_was_made_of) {
    reservation_record record = two_hosts();
    const auto state = from_record(record);
    ASSERT_TRUE(state) << state.error().text();
    EXPECT_TRUE(is_possible(*state));
    EXPECT_EQ(state->generation, 9u);
    EXPECT_TRUE(state->persistent);
    EXPECT_EQ(state->type, reservation_type::write_exclusive);
    EXPECT_EQ(nvme::to_text(state->holder).view(), second_host);
    EXPECT_EQ(state->find(state->holder)->key, ~std::uint64_t{0});
    EXPECT_EQ(nvme::to_text(state->registrants[0].host).view(), first_host)
        << "whatever the order of the record";
    std::swap(record.registrants[0], record.registrants[1]);
    EXPECT_EQ(to_record(*state), record);
}

TEST(reservation_record, of_a_namespace_that_nobody_uses_is_empty) {
    EXPECT_EQ(to_record({}), reservation_record{});
    EXPECT_EQ(from_record({}), reservation_state{});
}

TEST(reservation_record, of_types_5_and_6_names_no_holder) {
    for (const std::uint8_t type : std::array<std::uint8_t, 2>{5, 6}) {
        reservation_record record = two_hosts();
        record.type = type;
        record.holder.clear();
        const auto state = from_record(record);
        ASSERT_TRUE(state) << state.error().text();
        EXPECT_TRUE(state->is_held_by(state->registrants[0].host));
        EXPECT_EQ(to_record(*state).holder, "");
    }
}

TEST(reservation_record, of_a_full_namespace_is_read_and_of_more_is_not) {
    reservation_record record;
    for (unsigned i = 0; i < limits::max_registrants; ++i) {
        nvme::host_id host;
        host.bytes[3] = static_cast<std::uint8_t>(i >> 8);
        host.bytes[4] = static_cast<std::uint8_t>(i);
        host.bytes[15] = 1;
        record.registrants.push_back({std::string(nvme::to_text(host).view()), i});
    }
    const auto full = from_record(record);
    ASSERT_TRUE(full) << full.error().text();
    EXPECT_EQ(full->registrants.size(), limits::max_registrants);
    record.registrants.push_back({second_host, 1});
    const auto more = from_record(record);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().where, "/registrants");
    EXPECT_EQ(more.error().message, "a namespace has at most 1024 registrants, not 1025");
}

struct impossible_record {
    const char* why;
    std::function<void(reservation_record&)> bend;
    const char* where;
    std::string message;
};

TEST(reservation_record, that_describes_no_possible_state_is_refused_with_its_place) {
    const std::string digits = "a host identifier has 32 hexadecimal digits";
    const impossible_record all[] = {
        {"short", [](auto& r) { r.registrants[1].host.pop_back(); }, "/registrants/1/host", digits},
        {"no digits", [](auto& r) { r.registrants[0].host[3] = 'x'; }, "/registrants/0/host",
         digits},
        {"nobody", [](auto& r) { r.registrants[0].host = std::string(32, '0'); },
         "/registrants/0/host", "no host has an identifier of zeroes"},
        {"twice", [](auto& r) { r.registrants[0].host = first_host; }, "/registrants",
         "host " + first_host + " is registered twice"},
        {"no type", [](auto& r) { r.type = 7; }, "/type", "there is no reservation type 7"},
        {"nobody holds", [](auto& r) { r.holder.clear(); }, "/holder", digits},
        {"a stranger holds", [](auto& r) { r.holder[5] = '7'; }, "/holder",
         "host f0000700000000000000000000000002 holds the reservation and is no registrant"},
        {"holds nothing", [](auto& r) { r.type = 0; }, "/holder",
         "a host holds the reservation, but there is none"},
        {"one of all", [](auto& r) { r.type = 6; }, "/holder",
         "every registrant holds a reservation of this type, no single host"},
        {"no registrants", [](auto& r) { r.registrants.clear(); }, "/type",
         "a reservation is held, and no host is registered"},
    };
    for (const impossible_record& one : all) {
        reservation_record record = two_hosts();
        one.bend(record);
        const auto state = from_record(record);
        ASSERT_FALSE(state) << one.why;
        EXPECT_EQ(state.error().code, errc::invalid_argument) << one.why;
        EXPECT_EQ(state.error().where, one.where) << one.why;
        EXPECT_EQ(state.error().message, one.message) << one.why;
    }
}

}  // namespace
}  // namespace fulmar::core::test
