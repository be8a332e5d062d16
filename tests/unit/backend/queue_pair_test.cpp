// A queue pair against a drive that answers what it likes.
#include <gtest/gtest.h>
#include <pcie/queue_pair.hpp>

#include <cstring>
#include <set>
#include <vector>

using namespace fulmar;
using backend::pcie::queue_layout;
using backend::pcie::queue_pair;

namespace {

constexpr std::uint32_t entries = 8;
constexpr std::uint16_t qid = 3;

struct fixture : testing::Test {
    alignas(4096) std::byte registers[8192]{};
    std::vector<std::byte> memory = std::vector<std::byte>(queue_layout{entries}.total_bytes());
    queue_pair queue{qid, entries, {memory.data(), 0x10000}, {registers, sizeof registers}, 0};
    std::uint32_t tail = 0;
    bool phase = true;

    [[nodiscard]] std::uint32_t doorbell(bool completions) const {
        std::uint32_t value = 0;
        const std::uint32_t at =
            completions ? nvme::cq_doorbell_offset(qid, 0) : nvme::sq_doorbell_offset(qid, 0);
        std::memcpy(&value, registers + at, sizeof value);
        return value;
    }
    [[nodiscard]] nvme::sqe command(std::uint32_t index) const {
        nvme::sqe out{};
        std::memcpy(&out, memory.data() + index * sizeof out, sizeof out);
        return out;
    }
    void post(std::uint16_t cid, std::uint16_t sqid = qid, std::uint16_t sqhd = 0,
              nvme::status status = nvme::sc::success) {
        nvme::cqe entry{};
        entry.cid = cid;
        entry.sqid = sqid;
        entry.sqhd = sqhd;
        entry.set_status(status, phase);
        std::memcpy(memory.data() + queue_layout{entries}.sq_bytes() + tail * sizeof entry, &entry,
                    sizeof entry);
        tail = (tail + 1) % entries;
        if (tail == 0) phase = !phase;
    }
    std::uint32_t send() {
        const std::uint32_t slot = queue.take_slot(this);
        if (slot != queue_pair::no_slot) queue.submit({}, slot);
        return slot;
    }
};
using queue_pair_test = fixture;

TEST_F(queue_pair_test, rings_once_for_a_batch) {
    send();
    send();
    send();
    EXPECT_EQ(doorbell(false), 0u) << "not before ring()";
    EXPECT_TRUE(queue.must_ring());
    queue.ring();
    EXPECT_EQ(doorbell(false), 3u);
    queue.ring();
    EXPECT_EQ(queue.counters().doorbells, 1u);
}

TEST_F(queue_pair_test, is_full_with_one_entry_free) {
    for (std::uint32_t i = 0; i + 1 < entries; ++i) EXPECT_NE(send(), queue_pair::no_slot);
    EXPECT_EQ(send(), queue_pair::no_slot);
    EXPECT_EQ(queue.at_drive(), entries - 1);
}

TEST_F(queue_pair_test, goes_round_many_times_and_never_repeats_an_identifier_soon) {
    std::set<std::uint16_t> recent;
    for (std::uint32_t round = 0; round < 100 * entries; ++round) {
        const std::uint32_t slot = send();
        ASSERT_NE(slot, queue_pair::no_slot);
        const std::uint16_t cid = queue.cid_of(slot);
        if (round < 2 * entries) {
            EXPECT_TRUE(recent.insert(cid).second) << "in use a moment ago";
        }
        ASSERT_FALSE(queue.has_completion());
        post(cid);
        ASSERT_TRUE(queue.has_completion());
        const auto done = queue.take_completion();
        ASSERT_EQ(done.owner, this);
        ASSERT_EQ(done.slot, slot);
        queue.release_entries(false);
    }
    EXPECT_EQ(queue.counters().faults, 0u);
    EXPECT_EQ(queue.at_drive(), 0u);
    // Half of the register writes would be one per completion: a quarter of the queue at once.
    EXPECT_LE(queue.counters().doorbells, 100 * entries / (entries / 4));
}

TEST_F(queue_pair_test, contains_whatever_a_drive_completes) {
    const std::uint32_t slot = send();
    const std::uint16_t cid = queue.cid_of(slot);
    post(0xffff);                                    // no such slot
    post(static_cast<std::uint16_t>(cid + 1));       // a slot that is idle
    post(static_cast<std::uint16_t>(cid ^ 0x4000));  // another incarnation of the slot
    post(cid, qid + 1);                              // another queue's
    post(cid, qid, entries);                         // a head that no queue has
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(queue.has_completion());
        EXPECT_EQ(queue.take_completion().owner, nullptr) << i;
    }
    EXPECT_EQ(queue.counters().faults, 5u);
    EXPECT_EQ(queue.at_drive(), 1u) << "the command is still at the drive";
    post(cid, qid, 1, nvme::sc::write_fault);
    const auto done = queue.take_completion();
    EXPECT_EQ(done.owner, this);
    EXPECT_TRUE(done.status.is(nvme::sc::write_fault));
    post(cid);  // once more
    EXPECT_EQ(queue.take_completion().owner, nullptr);
    send();  // the slot is in use again: the old identifier still fits nothing
    post(cid);
    EXPECT_EQ(queue.take_completion().owner, nullptr);
    EXPECT_EQ(queue.counters().faults, 7u);
    EXPECT_EQ(queue.at_drive(), 1u);
}

TEST_F(queue_pair_test, an_entry_of_the_wrong_phase_is_no_completion) {
    const std::uint32_t slot = send();
    phase = false;
    post(queue.cid_of(slot));
    EXPECT_FALSE(queue.has_completion());
}

TEST_F(queue_pair_test, a_mute_queue_writes_no_register) {
    send();
    queue.mute();
    queue.ring();
    EXPECT_EQ(doorbell(false), 0u);
    EXPECT_EQ(queue.counters().doorbells, 0u);
}

TEST_F(queue_pair_test, gives_entries_back_in_quarters_or_all_at_once) {
    for (int i = 0; i < 3; ++i) {
        const std::uint32_t slot = send();
        post(queue.cid_of(slot));
        static_cast<void>(queue.take_completion());
        queue.release_entries(false);
        EXPECT_EQ(doorbell(true), i == 0 ? 0u : 2u);
    }
    queue.release_entries(true);
    EXPECT_EQ(doorbell(true), 3u);
}

}  // namespace
