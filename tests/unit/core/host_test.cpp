// Who shares a host's memory: queues of one NQN, whatever identifier they come with.
#include "small_world.hpp"

#include <fulmar/core/host.hpp>

#include <algorithm>

namespace fulmar::core::test {
namespace {

TEST(group_host, is_one_for_all_queues_of_an_nqn_whatever_their_host_identifiers) {
    small_world w;
    std::vector<host_queue*> queues;
    for (std::uint8_t identifier = 1; identifier <= 8; ++identifier) {
        w.be({.identifier = identifier});
        queues.push_back(&w.connect_admin());
        host_queue& io = w.new_queue();
        ASSERT_TRUE(
            nvme::is_success(w.connect(io, subsystem_nqn, 1, w.controller_number()).status));
        queues.push_back(&io);
    }
    EXPECT_EQ(w.group().hosts().size(), 1u) << "eight identifiers would be eight shares";
    EXPECT_EQ(w.group().hosts().with_io(), 1u);
    w.be({.nqn = "nqn.2024-01.test:another"});
    queues.push_back(&w.connect_admin());
    EXPECT_EQ(w.group().hosts().size(), 2u);
    EXPECT_EQ(w.group().hosts().with_io(), 1u) << "an admin queue has no part of the data's";
    for (host_queue* q : queues) q->close(close_reason::host_disconnected);
    ASSERT_TRUE(w.turn_until([&] {
        return std::ranges::all_of(queues, [](const host_queue* q) { return q->retired(); });
    }));
    EXPECT_EQ(w.group().hosts().size(), 2u) << "a queue has its host as long as it has memory";
    w.destroy_retired();
    EXPECT_EQ(w.group().hosts().size(), 0u);
    EXPECT_EQ(w.group().hosts().with_io(), 0u);
}

// SPDK's benchmark tool tells none, wherever it runs.
TEST(group_host, is_one_for_all_that_tell_no_name) {
    small_world w;
    std::vector<host_queue*> queues;
    for (std::uint8_t identifier = 1; identifier <= 3; ++identifier) {
        w.be({.nqn = "", .identifier = identifier});
        queues.push_back(&w.connect_admin());
    }
    EXPECT_EQ(w.group().hosts().size(), 1u) << "they share one budget";
    for (host_queue* q : queues) q->close(close_reason::host_disconnected);
    w.turn();
}

// Whoever asks discovery is nobody's host.
TEST(group_host, is_none_for_discovery) {
    small_world w;
    host_queue& q = w.connect_admin(nvme::discovery_nqn);
    EXPECT_EQ(w.group().hosts().size(), 0u);
    q.close(close_reason::host_disconnected);
    w.turn();
}

}  // namespace
}  // namespace fulmar::core::test
