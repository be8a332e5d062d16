#include "support/running_peer.hpp"

#include <fulmar/host/load.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

namespace fulmar::host {
namespace {

struct load_test : ::testing::Test {
    explicit load_test(const test::null_peer::options& o = {.memory_bytes = 4u << 20})
        : peer(o), c(peer.connect()) {}

    std::vector<queue*> queues(std::uint16_t count, std::uint32_t depth) {
        std::vector<queue*> opened;
        for (std::uint16_t qid = 1; qid <= count; ++qid)
            opened.push_back(c->open_io_queue(qid, depth).value());
        return opened;
    }
    void expect_clean() const {
        for (const auto& q : c->io_queues()) {
            EXPECT_TRUE(q->checker().clean()) << q->checker().text();
            EXPECT_EQ(q->outstanding(), 0u);
        }
    }

    test::running_peer peer;
    std::unique_ptr<controller> c;
    load_options region{.region_blocks = 1024, .seconds = 0.05, .spin = false};
};

TEST_F(load_test, reads_at_depth_on_several_queues) {
    const auto q = queues(3, 16);
    region.depth = 16;
    load l(q, region);
    ASSERT_TRUE(l.run());
    const load_report& r = l.report();
    EXPECT_GT(r.reads, 48u);
    EXPECT_EQ(r.writes, 0u);
    EXPECT_EQ(r.failed, 0u);
    EXPECT_EQ(r.read_bytes, r.reads * 4096);
    EXPECT_EQ(r.read_latency.count(), r.reads);
    EXPECT_GE(r.seconds, 0.05);
    EXPECT_GT(r.busy_share, 0.0);
    EXPECT_LE(r.busy_share, 1.0);
    expect_clean();
}

TEST_F(load_test, holds_a_rate) {
    const auto q = queues(1, 16);
    region.depth = 16;
    region.rate = 1000;
    region.commands = 50;
    load l(q, region);
    ASSERT_TRUE(l.run());
    EXPECT_EQ(l.report().reads, 50u);
    EXPECT_GE(l.report().seconds, 0.049) << "the last one was due after 49 ms";
    expect_clean();
}

// What it could not send in time counts as late: the wait is the target's fault.
TEST_F(load_test, counts_from_when_a_command_was_due) {
    const auto q = queues(1, 1);
    region.rate = 1e9;
    region.commands = 200;
    load l(q, region);
    ASSERT_TRUE(l.run());
    EXPECT_GE(static_cast<double>(l.report().read_latency.max_ns()), l.report().seconds * 0.5e9);
    expect_clean();
}

TEST_F(load_test, mixes_as_asked) {
    const auto q = queues(1, 32);
    region.depth = 32;
    region.read_percent = 70;
    region.seconds = 0.2;
    load l(q, region);
    ASSERT_TRUE(l.run());
    const double share =
        static_cast<double>(l.report().reads) / static_cast<double>(l.report().commands());
    EXPECT_NEAR(share, 0.7, 0.1);
    expect_clean();
}

TEST_F(load_test, writes_a_pattern_once_and_finds_it_again) {
    const auto q = queues(1, 8);
    region.depth = 8;
    region.once = true;
    region.seed = 42;
    region.io_bytes = 28 * 1024;  // by R2T, and not a divisor of the region
    region.first_lba = 3;
    region.region_blocks = 1000;
    region.read_percent = 0;
    load write(q, region);
    ASSERT_TRUE(write.run());
    EXPECT_EQ(write.report().written_bytes, 1000u * 4096);
    region.read_percent = 100;
    load read(q, region);
    ASSERT_TRUE(read.run());
    EXPECT_EQ(read.report().read_bytes, 1000u * 4096);
    EXPECT_EQ(read.report().mismatches, 0u);
    region.seed = 43;
    load wrong(q, region);
    ASSERT_TRUE(wrong.run());
    EXPECT_GT(wrong.report().mismatches, 0u);
    ASSERT_TRUE(wrong.report().first_mismatch);
    EXPECT_GE(wrong.report().first_mismatch->lba, 3u);
    expect_clean();
}

TEST_F(load_test, names_the_block_that_is_wrong) {
    const auto q = queues(1, 4);
    region.depth = 4;
    region.once = true;
    region.seed = 42;
    region.read_percent = 0;
    ASSERT_TRUE(load(q, region).run());
    std::vector<std::byte> foreign(4096);
    pattern(42).fill(foreign, 9, 4096);
    command write{.direction = transfer::to_controller, .data = foreign};
    write.sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
    nvme::encode_block_range(write.sqe, {.slba = 500, .blocks = 1});
    ASSERT_TRUE(execute_ok(*q[0], write, deadline(std::chrono::seconds(5)), "write"));
    region.read_percent = 100;
    region.stop_at_error = false;
    load read(q, region);
    ASSERT_TRUE(read.run());
    EXPECT_EQ(read.report().mismatches, 1u);
    ASSERT_TRUE(read.report().first_mismatch);
    EXPECT_EQ(read.report().first_mismatch->lba, 500u);
    EXPECT_EQ(read.report().first_mismatch->belongs_to, std::optional<std::uint64_t>(9));
}

TEST_F(load_test, sends_nothing_after_a_failure) {
    const auto q = queues(1, 8);
    region.first_lba = 1024;  // nothing is there: all fail
    region.depth = 8;
    load l(q, region);
    ASSERT_TRUE(l.run());
    EXPECT_EQ(l.report().failed, 8u) << "those that were under way, and no more";
    EXPECT_GT(l.report().last_answer_ns, 0u);
    EXPECT_GT(l.report().slowest_failure_ns, 0u);
    expect_clean();
}

TEST_F(load_test, counts_failures) {
    const auto q = queues(1, 4);
    region.first_lba = 1000;  // 24 blocks are there
    region.depth = 4;
    region.once = true;
    region.stop_at_error = false;
    load l(q, region);
    ASSERT_TRUE(l.run());
    EXPECT_EQ(l.report().failed, 1000u);
    EXPECT_EQ(l.report().reads, 24u);
    EXPECT_TRUE(l.report().first_failure.is(nvme::sc::lba_out_of_range));
    EXPECT_GE(l.report().first_failure_lba, 1024u);
}

TEST_F(load_test, waits_for_room_in_the_queue) {
    const auto q = queues(1, 4);
    region.depth = 32;  // more than the queue takes
    region.once = true;
    load l(q, region);
    ASSERT_TRUE(l.run());
    EXPECT_EQ(l.report().reads, 1024u);
    expect_clean();
}

TEST_F(load_test, ends_when_told_to) {
    const auto q = queues(1, 4);
    const std::atomic<bool> stop{true};
    region.seconds = 1000;
    region.stop = &stop;
    load l(q, region);
    ASSERT_TRUE(l.run());
    expect_clean();
}

TEST_F(load_test, ends_when_the_queue_does) {
    const auto q = queues(2, 4);
    q[1]->close();
    region.depth = 4;
    load l(q, region);
    const auto outcome = l.run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, errc::bad_state);
    EXPECT_EQ(q[0]->outstanding(), 0u);
}

TEST_F(load_test, refuses_what_cannot_be) {
    const auto q = queues(1, 4);
    for (const auto spoil :
         {+[](load_options& o) { o.io_bytes = 1000; }, +[](load_options& o) { o.depth = 0; },
          +[](load_options& o) { o.region_blocks = 0; },
          +[](load_options& o) { o.read_percent = 101; }}) {
        load_options bad = region;
        spoil(bad);
        load l(q, bad);
        const auto outcome = l.run();
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, errc::invalid_argument);
    }
}

}  // namespace
}  // namespace fulmar::host
