// What both transports' hosts make of the SQ head that comes with each answer.
#include <fulmar/host/sq_head.hpp>

#include <gtest/gtest.h>

namespace fulmar::host {
namespace {

constexpr std::uint16_t entries = 4;

struct sq_head_test : testing::Test {
    void take(std::uint16_t head) {
        nvme::cqe with = nvme::make_cqe(7, nvme::sc::success);
        with.sqhd = head;
        of.take(with, told);
        told.answered();
    }
    void send(int count) {
        for (int i = 0; i < count; ++i) {
            of.sent();
            told.sent();
        }
    }
    void connect() {
        send(1);
        take(1);
    }
    sq_head of{entries, true};
    protocol_checker told;
};

TEST_F(sq_head_test, a_queue_takes_one_command_less_than_it_has_entries) {
    connect();
    EXPECT_EQ(of.room(100), 3u);
    send(2);
    EXPECT_EQ(of.room(100), 1u);
    EXPECT_EQ(of.room(0), 0u) << "and no more than there are identifiers";
    take(3);
    EXPECT_EQ(of.room(100), 3u);
    EXPECT_EQ(of.value(), 3);
    EXPECT_EQ(told.violations(), 0u);
}

TEST_F(sq_head_test, a_head_goes_round) {
    connect();
    for (std::uint16_t i = 0; i < 10; ++i) {
        send(1);
        take(static_cast<std::uint16_t>((2 + i) % entries));
    }
    EXPECT_EQ(told.violations(), 0u);
}

TEST_F(sq_head_test, a_head_outside_of_the_queue_or_past_what_was_sent_is_recorded) {
    connect();
    send(1);
    take(entries);
    EXPECT_EQ(told.violations(), 1u);
    take(3);
    EXPECT_EQ(told.violations(), 2u) << "one was sent, and two would have been taken";
}

TEST_F(sq_head_test, a_head_behind_what_has_been_answered_is_recorded) {
    connect();
    send(2);
    take(1);
    EXPECT_EQ(told.violations(), 1u);
}

TEST_F(sq_head_test, without_flow_control_a_head_is_ffffh) {
    of = sq_head(entries, false);
    connect();
    EXPECT_EQ(of.room(100), 100u);
    EXPECT_EQ(of.value(), nvme::sqhd_no_flow_control);
    send(1);
    take(nvme::sqhd_no_flow_control);
    EXPECT_EQ(told.violations(), 0u);
    send(1);
    take(2);
    EXPECT_EQ(told.violations(), 1u);
}

}  // namespace
}  // namespace fulmar::host
