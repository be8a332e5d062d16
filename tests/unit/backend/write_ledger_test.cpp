#include "write_ledger.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace fulmar::backend {
namespace {

constexpr reactor_id one{1};
constexpr reactor_id two{2};

TEST(write_ledger, owes_what_was_written_since_the_last_flush) {
    write_ledger ledger;
    EXPECT_FALSE(ledger.owes());
    ledger.covered(ledger.begin_flush());
    EXPECT_FALSE(ledger.owes());
    ledger.note(one);
    EXPECT_TRUE(ledger.owes());
    const auto flush = ledger.begin_flush();
    EXPECT_TRUE(ledger.owes()) << "it is not done yet";
    ledger.covered(flush);
    EXPECT_FALSE(ledger.owes());
}

TEST(write_ledger, a_flush_covers_all_reactors_and_only_what_was_before_it) {
    write_ledger ledger;
    ledger.note(one);
    ledger.note(two);
    const auto flush = ledger.begin_flush();
    ledger.note(two);
    ledger.covered(flush);
    EXPECT_TRUE(ledger.owes()) << "a write that was answered while the Flush was under way";
    ledger.covered(ledger.begin_flush());
    EXPECT_FALSE(ledger.owes());
}

TEST(write_ledger, flushes_may_end_in_any_order_and_fail) {
    write_ledger ledger;
    ledger.note(one);
    const auto first = ledger.begin_flush();
    ledger.note(one);
    const auto second = ledger.begin_flush();
    ledger.covered(second);
    EXPECT_FALSE(ledger.owes()) << "the later one covers both";
    ledger.covered(first);
    EXPECT_FALSE(ledger.owes());
    ledger.note(one);
    static_cast<void>(ledger.begin_flush());  // fails
    EXPECT_TRUE(ledger.owes());
    ledger.settle();
    EXPECT_FALSE(ledger.owes());
}

// A write that another thread has seen answered before it began its Flush is covered by it; none is
// covered that was answered after that.
TEST(write_ledger, agrees_with_what_threads_see) {
    constexpr int rounds = 20'000;
    write_ledger ledger;
    std::atomic<int> written{0};
    std::atomic<bool> over{false};
    std::jthread writer([&] {
        for (int i = 1; i <= rounds; ++i) {
            ledger.note(one);
            written.store(i, std::memory_order_release);
        }
        over.store(true, std::memory_order_release);
    });
    while (!over.load(std::memory_order_acquire)) ledger.covered(ledger.begin_flush());
    writer.join();
    ledger.covered(ledger.begin_flush());
    EXPECT_FALSE(ledger.owes());
    ledger.note(one);
    EXPECT_TRUE(ledger.owes());
}

}  // namespace
}  // namespace fulmar::backend
