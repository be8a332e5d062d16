// Unit tests of transport/rdma/send_queue_tracker.hpp.
#include "send_queue_tracker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace fulmar::transport::rdma {
namespace {

struct owner {
    int posted = 0;
};
using account = send_queue_tracker<owner>;

TEST(rdma_work_account, a_completion_retires_what_was_posted_before) {
    account a;
    ASSERT_TRUE(a.create(8));
    owner one, two;
    a.add(one, work_kind::write);
    a.add(one, work_kind::send);
    const std::uint32_t read = a.add(two, work_kind::read);
    std::vector<std::pair<owner*, bool>> seen;
    EXPECT_TRUE(a.retire(
        read, [&](const account::entry& e, bool named) { seen.emplace_back(e.owner, named); }));
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_EQ(seen[0], (std::pair{&one, false}));
    EXPECT_EQ(seen[1], (std::pair{&one, false}));
    EXPECT_EQ(seen[2], (std::pair{&two, true}));
    EXPECT_EQ(a.outstanding(), 0u);
}

TEST(rdma_work_account, a_completion_of_nothing_is_told_and_changes_nothing) {
    account a;
    ASSERT_TRUE(a.create(4));
    owner one;
    const auto nothing = [](const account::entry&, bool) { FAIL(); };
    EXPECT_FALSE(a.retire(0, nothing));
    const std::uint32_t s = a.add(one, work_kind::send);
    EXPECT_FALSE(a.retire(s + 1, nothing));
    EXPECT_FALSE(a.retire(s - 1, nothing));
    EXPECT_EQ(a.outstanding(), 1u);
    EXPECT_TRUE(a.retire(s, [](const account::entry&, bool) {}));
    EXPECT_FALSE(a.retire(s, nothing)) << "the same one twice";
}

TEST(rdma_work_account, what_was_not_posted_leaves_from_the_end) {
    account a;
    ASSERT_TRUE(a.create(4));
    owner one, two;
    const std::uint32_t kept = a.add(one, work_kind::read);
    a.add(two, work_kind::write);
    a.add(two, work_kind::send);
    std::vector<work_kind> kinds;
    a.take_back(2, [&](const account::entry& e) {
        EXPECT_EQ(e.owner, &two);
        kinds.push_back(e.kind);
    });
    EXPECT_EQ(kinds, (std::vector{work_kind::send, work_kind::write}));
    EXPECT_EQ(a.outstanding(), 1u);
    EXPECT_EQ(a.add(two, work_kind::send), kept + 1) << "the numbers are used again";
}

TEST(rdma_work_account, abandoning_names_everything_that_is_left) {
    account a;
    ASSERT_TRUE(a.create(4));
    owner one;
    for (int i = 0; i < 4; ++i) a.add(one, work_kind::read);
    EXPECT_EQ(a.room(), 0u);
    int left = 0;
    a.abandon([&](const account::entry&) { ++left; });
    EXPECT_EQ(left, 4);
    EXPECT_EQ(a.room(), 4u);
}

// A busy queue posts 2^32 work requests within hours: its numbers begin anew, its entries do not
// collide.
TEST(rdma_work_account, keeps_its_entries_apart_when_the_numbers_begin_anew) {
    for (const std::uint32_t capacity : {1u, 3u, 12u, 272u, 528u}) {
        account a;
        ASSERT_TRUE(a.create(capacity, UINT32_MAX - capacity / 2));
        std::vector<owner> owners(capacity);
        for (int round = 0; round < 3; ++round) {
            std::uint32_t last = 0;
            for (owner& o : owners) last = a.add(o, work_kind::read);
            ASSERT_EQ(a.room(), 0u);
            std::size_t next = 0;
            ASSERT_TRUE(a.retire(last, [&](const account::entry& e, bool named) {
                ASSERT_EQ(e.owner, &owners[next]) << "of " << capacity << " after " << next;
                ASSERT_EQ(named, ++next == owners.size());
            }));
            ASSERT_EQ(next, owners.size());
        }
    }
}

// Any order of posting, signaling, completing, failing to post: what goes in comes out once, in
// order.
TEST(rdma_work_account, every_entry_comes_out_exactly_once) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 200; ++round) {
        account a;
        const auto capacity = static_cast<std::uint32_t>(1 + random() % 12);
        // Half of them begin anew on the way.
        ASSERT_TRUE(a.create(capacity, round % 2 == 0 ? 0 : UINT32_MAX - round));
        std::vector<owner> owners(5);
        std::deque<std::uint32_t> device;  // sequences at the device, in order
        std::uint64_t added = 0, out = 0;
        for (int step = 0; step < 2000; ++step) {
            const auto what = random() % 4;
            if (what < 2 && a.room() != 0) {
                owner& o = owners[random() % owners.size()];
                ++o.posted;
                ++added;
                device.push_back(a.add(o, work_kind::read));
            } else if (what == 2 && !device.empty()) {
                const std::size_t upto = random() % device.size();  // those before were silent
                std::size_t visited = 0;
                ASSERT_TRUE(a.retire(device[upto], [&](const account::entry& e, bool named) {
                    --e.owner->posted;
                    ++out;
                    ASSERT_EQ(named, visited == upto);
                    ++visited;
                }));
                ASSERT_EQ(visited, upto + 1);
                device.erase(device.begin(), device.begin() + static_cast<long>(upto) + 1);
            } else if (what == 3 && !device.empty()) {
                const auto back = static_cast<std::uint32_t>(random() % device.size());
                a.take_back(back, [&](const account::entry& e) {
                    --e.owner->posted;
                    ++out;
                    device.pop_back();
                });
            }
            ASSERT_EQ(a.outstanding(), device.size());
        }
        a.abandon([&](const account::entry& e) {
            --e.owner->posted;
            ++out;
        });
        ASSERT_EQ(added, out);
        for (const owner& o : owners) ASSERT_EQ(o.posted, 0);
    }
}

}  // namespace
}  // namespace fulmar::transport::rdma
