// Unit tests of transport/rdma/receive_class.hpp.
#include "receive_class.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace fulmar::transport::rdma {
namespace {

constexpr std::uint32_t slots = 1024;

void look(receive_class& c, const std::vector<std::uint32_t>& held) {
    c.begin_look();
    for (const std::uint32_t h : held) c.add_stalled(h);
    c.end_look();
}

TEST(rdma_receive_class, limits_nobody_while_those_that_wait_hold_half) {
    receive_class c;
    c.count = slots;
    look(c, {});
    EXPECT_EQ(c.allowance(), receive_class::unlimited);
    look(c, {400, 112});
    EXPECT_EQ(c.allowance(), receive_class::unlimited);
    look(c, {400, 113});
    EXPECT_EQ(c.allowance(), 256u);
}

TEST(rdma_receive_class, limits_until_what_they_hold_is_little) {
    receive_class c;
    c.count = slots;
    look(c, {1024});
    EXPECT_EQ(c.allowance(), 512u);
    look(c, {512});
    EXPECT_EQ(c.allowance(), 512u) << "it would fill up again until the next look";
    look(c, {256});
    EXPECT_EQ(c.allowance(), receive_class::unlimited);
}

TEST(rdma_receive_class, leaves_half_to_others_whoever_has_stalled) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 2000; ++round) {
        receive_class c;
        c.count = slots;
        std::vector<std::uint32_t> held(1 + random() % 2000);
        std::uint32_t free = slots;
        for (std::uint32_t& h : held)
            free -= (h = static_cast<std::uint32_t>(random() % (free + 1)));
        look(c, held);
        std::uint32_t sum = 0;
        for (const std::uint32_t h : held) sum += std::min(h, c.allowance());
        ASSERT_LE(sum, slots / 2);
    }
}

TEST(rdma_receive_class, has_its_own_slots) {
    receive_class c;
    c.first = 256;
    c.count = slots;
    EXPECT_FALSE(c.has(255));
    EXPECT_TRUE(c.has(256));
    EXPECT_TRUE(c.has(256 + slots - 1));
    EXPECT_FALSE(c.has(256 + slots));
}

}  // namespace
}  // namespace fulmar::transport::rdma
