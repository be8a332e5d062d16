#include <fulmar/core/range_locks.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace fulmar::core {
namespace {

using sharing = range_locks::sharing;
constexpr std::uint64_t blocks_per_stripe = 128;  // of 512 bytes

range_locks::stripe_set touched(std::uint64_t first, std::uint64_t count) {
    return range_locks::touched(first, count, 9);
}

TEST(range_locks, stripes_are_those_that_the_range_touches) {
    EXPECT_EQ(touched(0, 1), 1u);
    EXPECT_EQ(touched(0, blocks_per_stripe), 1u);
    EXPECT_EQ(touched(blocks_per_stripe - 1, 2), 3u);
    EXPECT_EQ(touched(blocks_per_stripe, blocks_per_stripe + 1), 6u);
    EXPECT_EQ(range_locks::touched(16, 1, 12), 2u) << "4 KiB blocks";
    EXPECT_EQ(touched(63 * blocks_per_stripe, blocks_per_stripe + 1), 1u | std::uint64_t{1} << 63)
        << "the first follows the last";
    EXPECT_EQ(touched(64 * blocks_per_stripe, 1), 1u) << "4 MiB further, the same lock";
    EXPECT_EQ(touched(5, 63 * blocks_per_stripe), range_locks::all);
    EXPECT_EQ(touched(0, 63 * blocks_per_stripe), range_locks::all >> 1);
    EXPECT_EQ(touched(UINT64_MAX - 1, 1), std::uint64_t{1} << 63);
    EXPECT_EQ(touched(0, UINT64_MAX), range_locks::all);
}

TEST(range_locks, many_share_and_one_claims) {
    range_locks locks;
    EXPECT_EQ(locks.share(3), sharing::yes);
    EXPECT_EQ(locks.share(6), sharing::yes);
    range_locks::stripe_set claimed = 0;
    EXPECT_FALSE(locks.claim(2, claimed));
    EXPECT_EQ(claimed, 2u) << "newcomers are kept out already";
    EXPECT_EQ(locks.share(2), sharing::no);
    EXPECT_EQ(locks.share(3), sharing::no) << "all or none";
    EXPECT_EQ(locks.share(1), sharing::yes) << "its neighbour";
    locks.unshare(3);
    EXPECT_FALSE(locks.claim(2, claimed));
    locks.unshare(6);
    EXPECT_TRUE(locks.claim(2, claimed));
    range_locks::stripe_set second = 0;
    EXPECT_FALSE(locks.claim(3, second));
    EXPECT_EQ(second, 1u) << "in ascending order, keeping what it has";
    locks.unclaim(claimed);
    EXPECT_FALSE(locks.claim(3, second)) << "somebody shares the first still";
    locks.unshare(1);
    EXPECT_TRUE(locks.claim(3, second));
    locks.unclaim(second);
    EXPECT_EQ(locks.share(range_locks::all), sharing::yes);
    locks.unshare(range_locks::all);
}

TEST(range_locks, who_waits_is_told_once) {
    range_locks locks;
    EXPECT_FALSE(locks.somebody_waits());
    locks.announce(0);
    locks.announce(63);
    EXPECT_TRUE(locks.somebody_waits());
    EXPECT_EQ(locks.take_announced(), 1u | std::uint64_t{1} << 63);
    EXPECT_FALSE(locks.somebody_waits());
}

// Plain numbers behind the locks: whoever claims changes them, whoever shares looks at them. The
// thread sanitizer sees what the sums do not.
TEST(range_locks, exclude_each_other_on_many_threads) {
    constexpr unsigned threads = 4;
    constexpr std::uint64_t rounds = 2'000, stripes = 5;
    range_locks locks;
    std::array<std::uint64_t, stripes> numbers{};
    std::atomic<std::uint64_t> added{0};
    std::vector<std::thread> all;
    for (unsigned who = 0; who < threads; ++who)
        all.emplace_back([&, who] {
            std::mt19937_64 random(who);
            for (std::uint64_t i = 0; i < rounds; ++i) {
                const std::uint64_t first = random() % (stripes - 1);
                const range_locks::stripe_set wanted = std::uint64_t{3} << first;
                if (random() % 2 == 0) {
                    range_locks::stripe_set claimed = 0;
                    while (!locks.claim(wanted, claimed)) std::this_thread::yield();
                    ++numbers[first];
                    ++numbers[first + 1];
                    locks.unclaim(claimed);
                    added.fetch_add(2);
                } else {
                    while (locks.share(wanted) != sharing::yes) std::this_thread::yield();
                    const std::uint64_t seen = numbers[first] + numbers[first + 1];
                    std::this_thread::yield();
                    EXPECT_EQ(numbers[first] + numbers[first + 1], seen);
                    locks.unshare(wanted);
                }
            }
        });
    for (std::thread& t : all) t.join();
    std::uint64_t sum = 0;
    for (const std::uint64_t n : numbers) sum += n;
    EXPECT_EQ(sum, added.load());
}

}  // namespace
}  // namespace fulmar::core
