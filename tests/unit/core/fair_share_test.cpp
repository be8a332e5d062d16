// Unit tests of fulmar/core/fair_share.hpp: who gives way when places are used up.
#include <fulmar/core/fair_share.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace fulmar::core {
namespace {

constexpr share_rule established{.modest_host = 16, .modest_address = 64, .factor = 2};
constexpr share_rule handshakes{.factor = 1, .own_too = true};

instant at(int second) { return instant{} + std::chrono::seconds(second); }

struct room {
    std::vector<seat> seats;
    room& take(std::uint64_t host, std::uint64_t address, int count, int from_second = 0) {
        for (int i = 0; i < count; ++i)
            seats.push_back({.host = host, .address = address, .heard = at(from_second + i)});
        return *this;
    }
};

TEST(fair_share, a_host_that_has_everything_gives_way_to_any_other) {
    room r;
    r.take(1, 1, 1024, 100);
    const auto went = seat_that_gives_way(r.seats, {.host = 2, .address = 2}, established);
    ASSERT_TRUE(went);
    EXPECT_EQ(*went, 0u) << "its place that has been silent for longest";
    EXPECT_FALSE(seat_that_gives_way(r.seats, {.host = 1, .address = 1}, established))
        << "but not to itself";
}

TEST(fair_share, hosts_that_hold_little_are_never_asked) {
    room r;
    for (std::uint64_t host = 1; host <= 64; ++host) r.take(host, host, 16);
    EXPECT_FALSE(seat_that_gives_way(r.seats, {.host = 99, .address = 99}, established));
}

TEST(fair_share, hosts_that_need_the_same_do_not_take_places_from_each_other) {
    room r;
    r.take(1, 1, 500).take(2, 2, 524);
    EXPECT_FALSE(seat_that_gives_way(r.seats, {.host = 1, .address = 1}, established));
    EXPECT_FALSE(seat_that_gives_way(r.seats, {.host = 2, .address = 2}, established));
}

// Whoever was asked comes back and asks in turn: that must end.
TEST(fair_share, taking_places_from_each_other_comes_to_an_end) {
    room r;
    r.take(1, 1, 1000).take(2, 2, 24);
    int moved = 0;
    for (int round = 0; round < 5000; ++round)
        for (const std::uint64_t who : {1u, 2u})
            if (const auto went =
                    seat_that_gives_way(r.seats, {.host = who, .address = who}, established)) {
                r.seats[*went] = {.host = who, .address = who, .heard = at(round)};
                ++moved;
            }
    EXPECT_LT(moved, 1000);
    EXPECT_GT(moved, 300) << "and each has a share";
}

TEST(fair_share, one_peer_with_many_names_is_asked_by_its_address) {
    room r;
    for (std::uint64_t host = 1; host <= 100; ++host) r.take(host, 7, 10);
    r.take(200, 8, 10);
    const auto went = seat_that_gives_way(r.seats, {.host = 300, .address = 9}, established);
    ASSERT_TRUE(went);
    EXPECT_EQ(r.seats[*went].address, 7u);
}

TEST(fair_share, many_hosts_behind_one_address_are_left_alone_while_they_are_few) {
    room r;
    for (std::uint64_t host = 1; host <= 6; ++host) r.take(host, 7, 10);
    EXPECT_FALSE(seat_that_gives_way(r.seats, {.host = 300, .address = 9}, established));
}

TEST(fair_share, silent_handshakes_go_oldest_first_from_the_address_with_most) {
    room r;
    r.take(0, 1, 3, 0).take(0, 2, 250, 10);
    auto went = seat_that_gives_way(r.seats, {.address = 1}, handshakes);
    ASSERT_TRUE(went);
    EXPECT_EQ(*went, 3u) << "the oldest of the address that has most";
    went = seat_that_gives_way(r.seats, {.address = 2}, handshakes);
    ASSERT_TRUE(went);
    EXPECT_EQ(*went, 3u) << "a newcomer from there takes the place of its own oldest";
    went = seat_that_gives_way(r.seats, {.address = 3}, handshakes);
    ASSERT_TRUE(went);
    EXPECT_EQ(r.seats[*went].address, 2u);
}

TEST(fair_share, places_that_belong_to_nobody_we_know_are_not_given_away) {
    room r;
    r.take(0, 0, 300);
    EXPECT_FALSE(seat_that_gives_way(r.seats, {.host = 1, .address = 1}, established));
    EXPECT_FALSE(seat_that_gives_way(r.seats, {}, handshakes));
    EXPECT_FALSE(seat_that_gives_way({}, {.host = 1, .address = 1}, established));
}

}  // namespace
}  // namespace fulmar::core
