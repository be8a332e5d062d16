// Unit tests of transport/common/request_table.hpp.
#include "common/request_table.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace fulmar::transport::common {
namespace {

struct connection {};
struct tagged {
    connection* owner = nullptr;
    bool in_use = false;
    std::uint16_t tag = 0;
    list_hook free_hook{};
    bool kept = false;  // busy although it is not in use
};
using table = request_table<tagged>;

std::vector<tagged*> take_all(table& t) {
    std::vector<tagged*> out;
    while (tagged* r = t.take()) out.push_back(r);
    return out;
}

TEST(request_table, has_two_from_the_start_and_the_rest_when_the_depth_is_known) {
    connection c;
    table t(c);
    EXPECT_EQ(t.size(), 2u);
    EXPECT_EQ(take_all(t).size(), 2u);
    EXPECT_TRUE(t.grow(4));
    EXPECT_EQ(t.size(), 6u);
    EXPECT_EQ(take_all(t).size(), 4u);
}

TEST(request_table, each_request_knows_its_owner_and_is_found_by_its_tag) {
    connection c;
    table t(c);
    ASSERT_TRUE(t.grow(3));
    std::set<std::uint16_t> tags;
    for (tagged* r : take_all(t)) {
        EXPECT_EQ(r->owner, &c);
        EXPECT_TRUE(r->in_use);
        EXPECT_EQ(t.find(r->tag), r);
        tags.insert(r->tag);
    }
    EXPECT_EQ(tags, (std::set<std::uint16_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(t.find(5), nullptr);
    EXPECT_EQ(t.find(0xffff), nullptr);
}

TEST(request_table, takes_the_warmest_first) {
    connection c;
    table t(c);
    tagged* const one = t.take();
    tagged* const other = t.take();
    t.give_back(*one);
    t.give_back(*other);
    EXPECT_EQ(t.take(), other);
    EXPECT_EQ(t.take(), one);
    EXPECT_EQ(t.take(), nullptr);
}

TEST(request_table, one_that_retires_is_not_taken_again) {
    connection c;
    table t(c);
    tagged* const one = t.take();
    t.retire(*one);
    EXPECT_FALSE(one->in_use);
    EXPECT_NE(t.take(), one);
    EXPECT_EQ(t.take(), nullptr);
}

TEST(request_table, shows_those_in_use_and_each_may_end) {
    connection c;
    table t(c);
    ASSERT_TRUE(t.grow(4));
    const auto all = take_all(t);
    t.give_back(*all[1]);
    t.give_back(*all[4]);
    int seen = 0;
    t.each_in_use([&](tagged& r) {
        ++seen;
        t.give_back(r);
    });
    EXPECT_EQ(seen, 4);
    EXPECT_FALSE(t.any_in_use([](const tagged&) { return true; }));
    EXPECT_EQ(take_all(t).size(), 6u);
}

// A Connect that fails later on has made room; the next one may ask for more, or for less.
TEST(request_table, grows_again_when_nothing_of_the_former_room_is_in_use) {
    connection c;
    table t(c);
    ASSERT_TRUE(t.grow(2));
    EXPECT_TRUE(t.grow(1));
    EXPECT_EQ(t.size(), 4u);
    EXPECT_TRUE(t.grow(8));
    EXPECT_EQ(t.size(), 10u);
    EXPECT_EQ(take_all(t).size(), 10u);
}

TEST(request_table, refuses_to_grow_while_the_one_that_asks_is_in_the_former_room) {
    connection c;
    table t(c);
    ASSERT_TRUE(t.grow(2));
    tagged* const asks = t.take();
    ASSERT_GE(asks->tag, table::first_count);
    EXPECT_FALSE(t.grow(8));
    EXPECT_EQ(t.size(), 4u);
    t.give_back(*asks);
    EXPECT_TRUE(t.grow(8));
}

TEST(request_table, the_transport_says_what_cannot_go_yet) {
    connection c;
    table t(c);
    ASSERT_TRUE(t.grow(2));
    t.find(2)->kept = true;
    const auto busy = [](const tagged& r) { return r.in_use || r.kept; };
    EXPECT_FALSE(t.grow(8, busy));
    t.find(2)->kept = false;
    EXPECT_TRUE(t.grow(8, busy));
}

TEST(request_table, does_without_tags) {
    struct plain {
        connection* owner = nullptr;
        bool in_use = false;
        list_hook free_hook{};
    };
    connection c;
    request_table<plain> t(c);
    plain* const one = t.take();
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(one->owner, &c);
    t.give_back(*one);
}

}  // namespace
}  // namespace fulmar::transport::common
