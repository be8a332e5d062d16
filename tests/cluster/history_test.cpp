// The checker itself: it finds what it is there to find.
#include "history.hpp"

#include <gtest/gtest.h>

namespace fulmar::cluster {
namespace {

TEST(block_history, explains_what_was_acknowledged_and_nothing_older) {
    block_history h;
    h.read(1, 0);
    h.acknowledged(1, 7);
    h.read(1, 7);
    EXPECT_EQ(h.verdict(), "");
    h.acknowledged(1, 8);
    h.read(1, 7);
    EXPECT_EQ(h.verdict(), "block 1 holds 7, possible: 8");
}

TEST(block_history, takes_either_outcome_of_a_write_that_was_given_up_but_only_one) {
    block_history landed, missing;
    for (block_history* h : {&landed, &missing}) {
        h->acknowledged(1, 7);
        h->unknown(1, 8);
    }
    landed.read(1, 8);
    landed.read(1, 8);
    EXPECT_EQ(landed.verdict(), "");
    landed.read(1, 7);
    EXPECT_NE(landed.verdict(), "");
    missing.read(1, 7);
    EXPECT_EQ(missing.verdict(), "");
    missing.read(1, 8);
    EXPECT_NE(missing.verdict(), "") << "it landed late";
}

TEST(block_history, finds_a_late_write_over_a_later_one_unless_that_is_allowed) {
    block_history strict, lenient(given_up::may_land_late);
    for (block_history* h : {&strict, &lenient}) {
        h->unknown(1, 8);
        h->acknowledged(1, 9);
        h->read(1, 8);
    }
    EXPECT_NE(strict.verdict(), "");
    EXPECT_EQ(lenient.verdict(), "");
    lenient.read(1, 7);
    EXPECT_NE(lenient.verdict(), "");
}

}  // namespace
}  // namespace fulmar::cluster
