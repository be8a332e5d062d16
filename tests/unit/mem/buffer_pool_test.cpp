#include <fulmar/mem/buffer_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace fulmar::mem {
namespace {

constexpr std::size_t chunk = limits::chunk_bytes;

/// Like std::mt19937, but its numbers have the width that they say.
struct rng {
    using result_type = std::uint32_t;
    explicit rng(unsigned seed) : engine(seed) {}
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return UINT32_MAX; }
    result_type operator()() { return static_cast<result_type>(engine()); }
    std::mt19937 engine;
};

std::unique_ptr<buffer_pool> make_pool(std::uint32_t chunks, std::uint32_t newcomer = 0) {
    static heap_memory memory;
    return buffer_pool::create(memory, {.bytes = chunks * chunk, .newcomer_chunks = newcomer})
        .value();
}

/// An account that closes itself.
struct account : buffer_credit {
    account(buffer_pool& p, std::uint32_t guarantee, bool in_capsule = true) : pool(p) {
        p.open(*this, guarantee, in_capsule);
    }
    ~account() { pool.close(*this); }
    buffer_pool& pool;
};

struct waiter : buffer_waiter {
    waiter()
        : buffer_waiter([](buffer_waiter& w, buffer_chain&& c) noexcept {
              static_cast<waiter&>(w).chain = std::move(c);
          }) {}
    buffer_chain chain;
};

TEST(buffer_pool, chains_cover_what_was_asked_for) {
    auto pool = make_pool(16);
    account a(*pool, 8);
    buffer_chain c = pool->take(a, 5);
    ASSERT_TRUE(c);
    EXPECT_EQ(c.chunks(), 5u);
    EXPECT_EQ(c.capacity(), 5 * chunk);
    EXPECT_EQ(pool->free_chunks(), 11u);
    EXPECT_EQ(a.held(), 5u);
    buffer_chain moved = std::move(c);
    EXPECT_FALSE(c);
    moved.release();
    EXPECT_EQ(pool->free_chunks(), 16u);
    EXPECT_EQ(a.held(), 0u);
}

TEST(buffer_pool, data_goes_in_and_out_at_any_offset) {
    auto pool = make_pool(64);
    account a(*pool, 40);
    // Shuffle the free list, so that neighbours in a chain are not neighbours in memory.
    std::vector<buffer_chain> taken;
    for (int i = 0; i < 40; ++i) taken.push_back(pool->take(a, 1));
    rng random(7);
    std::shuffle(taken.begin(), taken.end(), random);
    taken.clear();

    buffer_chain c = pool->take(a, 4);
    std::vector<std::byte> source(4 * chunk);
    for (auto& b : source) b = static_cast<std::byte>(random());
    for (int round = 0; round < 200; ++round) {
        const std::size_t offset = random() % source.size();
        const std::size_t length = random() % (source.size() - offset + 1);
        c.copy_in(offset, std::span(source).subspan(offset, length));
        std::vector<std::byte> back(length);
        c.copy_out(offset, back);
        ASSERT_EQ(std::memcmp(back.data(), source.data() + offset, length), 0);

        std::array<iovec, limits::max_chunks_per_request> vectors;
        const std::uint32_t count = c.fill_iovecs(vectors, offset, length);
        std::size_t at = offset;
        for (std::uint32_t i = 0; i < count; ++i) {
            ASSERT_EQ(std::memcmp(vectors[i].iov_base, source.data() + at, vectors[i].iov_len), 0);
            at += vectors[i].iov_len;
        }
        ASSERT_EQ(at, offset + length);
    }
    c.zero(chunk - 1, 2);
    std::array<std::byte, 2> two{std::byte{1}, std::byte{1}};
    c.copy_out(chunk - 1, two);
    EXPECT_EQ(two[0], std::byte{0});
    EXPECT_EQ(two[1], std::byte{0});
}

TEST(buffer_pool, neighbours_share_an_iovec) {
    auto pool = make_pool(16);
    account a(*pool, 8);
    buffer_chain c = pool->take(a, 4);  // of a fresh pool: in order
    std::array<iovec, 4> vectors;
    EXPECT_EQ(c.fill_iovecs(vectors, 0, c.capacity()), 1u);
    EXPECT_EQ(vectors[0].iov_len, 4 * chunk);
    EXPECT_EQ(c.fill_iovecs(vectors, 0, 0), 0u);
}

TEST(buffer_pool, the_chunk_used_last_is_used_next) {
    auto pool = make_pool(16);
    account a(*pool, 8);
    buffer_chain first = pool->take(a, 1);
    const std::byte* hot = first.data();
    first.release();
    EXPECT_EQ(pool->take(a, 1).data(), hot);
}

TEST(buffer_pool, greedy_account_leaves_the_guarantees_of_others_alone) {
    auto pool = make_pool(32);
    account greedy(*pool, 8), idle(*pool, 8);
    std::vector<buffer_chain> taken;
    for (buffer_chain c; (c = pool->take(greedy, 1));) taken.push_back(std::move(c));
    EXPECT_EQ(taken.size(), 32u - 8 - 2);  // idle's guarantee and both in-capsule chunks stay
    EXPECT_TRUE(pool->take(greedy, 1, buffer_use::in_capsule));
    EXPECT_TRUE(pool->take(idle, 8));
    EXPECT_TRUE(pool->take(idle, 1, buffer_use::in_capsule));
}

TEST(buffer_pool, beyond_the_guarantee_room_for_a_newcomer_is_kept) {
    auto pool = make_pool(64, 9);
    account greedy(*pool, 8);
    std::vector<buffer_chain> taken;
    for (buffer_chain c; (c = pool->take(greedy, 1));) taken.push_back(std::move(c));
    account newcomer(*pool, 8);
    EXPECT_TRUE(pool->take(newcomer, 8));
    EXPECT_TRUE(pool->take(newcomer, 1, buffer_use::in_capsule));
}

TEST(buffer_pool, a_release_grants_nothing_before_the_pump) {
    auto pool = make_pool(16);
    account a(*pool, 10, false);
    buffer_chain all = pool->take(a, 10);
    waiter w;
    pool->wait(w, a, 10);
    EXPECT_FALSE(pool->pump());
    EXPECT_FALSE(pool->needs_pump());
    all.release();
    EXPECT_FALSE(w.chain);
    EXPECT_TRUE(pool->needs_pump());
    EXPECT_TRUE(pool->pump());
    EXPECT_TRUE(w.chain);
    EXPECT_EQ(pool->waiters(), 0u);
}

TEST(buffer_pool, waiters_within_their_guarantee_go_first) {
    auto pool = make_pool(16);
    account a(*pool, 8, false), b(*pool, 8, false);
    buffer_chain held_a = pool->take(a, 8), held_b = pool->take(b, 8);
    waiter beyond, inside;
    pool->wait(beyond, a, 4);
    pool->wait(inside, b, 4);
    held_b.release();
    pool->pump();
    EXPECT_FALSE(beyond.chain);
    EXPECT_TRUE(inside.chain);
    // As a's holdings shrink, its waiter is within the guarantee too.
    held_a.release();
    pool->pump();
    EXPECT_TRUE(beyond.chain);
}

TEST(buffer_pool, one_account_is_served_in_order_and_nobody_overtakes_it) {
    auto pool = make_pool(16, 4);
    account a(*pool, 13, false);
    buffer_chain held = pool->take(a, 13);
    waiter big, small;
    pool->wait(big, a, 13);
    pool->wait(small, a, 1);
    EXPECT_FALSE(pool->take(a, 1));  // behind its own waiters
    held.release();
    pool->pump();
    EXPECT_TRUE(big.chain);
    EXPECT_FALSE(small.chain);
    pool->cancel(small);
    pool->cancel(small);
    EXPECT_EQ(pool->waiters(), 0u);
}

TEST(buffer_pool, oversubscribed_accounts_take_turns) {
    auto pool = make_pool(16);
    std::deque<account> accounts;
    for (int i = 0; i < 4; ++i) accounts.emplace_back(*pool, 8, false);
    EXPECT_FALSE(pool->guarantees_fit());
    buffer_chain first = pool->take(accounts[0], 8), second = pool->take(accounts[1], 8);
    ASSERT_TRUE(first && second);
    waiter w2, w3, again;
    pool->wait(w2, accounts[2], 8);
    pool->wait(w3, accounts[3], 8);
    pool->wait(again, accounts[0], 8);  // beyond: it already has its share
    first.release();
    EXPECT_FALSE(pool->take(accounts[0], 1));
    pool->pump();
    EXPECT_TRUE(w2.chain);
    second.release();
    pool->pump();
    EXPECT_TRUE(w3.chain);
    EXPECT_FALSE(again.chain);
    w2.chain.release();
    pool->pump();
    EXPECT_TRUE(again.chain);
}

TEST(buffer_pool, in_capsule_data_does_not_wait_for_transfers) {
    auto pool = make_pool(16);
    std::deque<account> accounts;
    for (int i = 0; i < 4; ++i) accounts.emplace_back(*pool, 8);
    std::vector<buffer_chain> taken;
    for (auto& a : accounts)
        for (buffer_chain c; (c = pool->take(a, 1));) taken.push_back(std::move(c));
    EXPECT_EQ(pool->free_chunks(), 2u);  // an eighth of the pool
    buffer_chain one = pool->take(accounts[0], 1, buffer_use::in_capsule);
    buffer_chain two = pool->take(accounts[1], 1, buffer_use::in_capsule);
    EXPECT_TRUE(one && two);
    EXPECT_FALSE(pool->take(accounts[2], 1, buffer_use::in_capsule));
    waiter w;
    pool->wait(w, accounts[2], 1, buffer_use::in_capsule);
    EXPECT_FALSE(pool->pump());
    one.release();
    EXPECT_TRUE(pool->pump());
    EXPECT_TRUE(w.chain);
}

TEST(buffer_pool, recharging_moves_the_debt) {
    auto pool = make_pool(32);
    account connection(*pool, 8), drive(*pool, 4, false);
    buffer_chain c = pool->take(connection, 8);
    EXPECT_FALSE(connection.held() == 0);
    c.recharge(drive);
    EXPECT_EQ(connection.held(), 0u);
    EXPECT_EQ(drive.held(), 8u);
    c.release();
    EXPECT_EQ(drive.held(), 0u);
}

TEST(buffer_pool, a_grant_may_wait_again_without_trapping_the_pump) {
    auto pool = make_pool(16);
    account a(*pool, 8, false);
    struct eternal : buffer_waiter {
        eternal(buffer_pool& p, account& c) : buffer_waiter(&again), pool(p), credit(c) {}
        static void again(buffer_waiter& w, buffer_chain&& got) noexcept {
            auto& self = static_cast<eternal&>(w);
            got.release();
            ++self.grants;
            self.pool.wait(self, self.credit, 4);
        }
        buffer_pool& pool;
        account& credit;
        int grants = 0;
    } e(*pool, a);
    pool->wait(e, a, 4);
    for (int i = 0; i < 5; ++i) pool->pump();
    EXPECT_GE(e.grants, 5);
    pool->cancel(e);
}

// --- Hosts at random: some behave, some never give back. ---

struct host {
    struct request : buffer_waiter {
        explicit request(host& h) : buffer_waiter(&got), owner(h) {}
        static void got(buffer_waiter& w, buffer_chain&& c) noexcept {
            auto& r = static_cast<request&>(w);
            r.chain = std::move(c);
            r.granted_at = r.owner.now;
            ++r.owner.granted;
        }
        host& owner;
        buffer_chain chain;
        std::uint64_t asked_at = 0, granted_at = 0;
    };
    host(buffer_pool& p, unsigned depth, std::uint32_t largest, bool stalls, std::uint64_t& clock)
        : pool(p),
          credit(p, limits::max_chunks_per_request),
          now(clock),
          max_chunks(largest),
          stalled(stalls) {
        for (unsigned i = 0; i < depth; ++i) requests.push_back(std::make_unique<request>(*this));
    }
    ~host() {
        for (auto& r : requests) {
            pool.cancel(*r);
            r->chain.release();
        }
    }
    template <typename Random>
    void step(Random& random) {
        for (auto& r : requests) {
            if (r->chain) {
                longest_wait = std::max(longest_wait, r->granted_at - r->asked_at);
                if (!stalled && random() % 3 == 0) {
                    r->chain.release();
                    ++finished;
                }
            } else if (r->waiting()) {
                longest_wait = std::max(longest_wait, now - r->asked_at);
                if (random() % 500 == 0) pool.cancel(*r);
            } else {
                r->asked_at = r->granted_at = now;
                const auto chunks = static_cast<std::uint32_t>(1 + random() % max_chunks);
                r->chain = pool.take(credit, chunks);
                if (!r->chain) pool.wait(*r, credit, chunks);
            }
        }
    }
    buffer_pool& pool;
    account credit;
    std::uint64_t& now;
    std::uint32_t max_chunks;
    bool stalled;
    std::deque<std::unique_ptr<request>> requests;
    std::uint64_t granted = 0, finished = 0, longest_wait = 0;
};

class buffer_pool_at_random : public ::testing::TestWithParam<unsigned> {};

TEST_P(buffer_pool_at_random, innocents_are_served_while_guarantees_fit) {
    rng random(GetParam());
    const unsigned hosts = 2 + random() % 6;
    auto pool = make_pool(hosts * 65 + 65 + random() % 200, 65);
    std::uint64_t now = 0;
    std::deque<host> all;
    for (unsigned i = 0; i < hosts; ++i)
        all.emplace_back(*pool, 1 + random() % 16, 1 + random() % 64, i != 0 && random() % 2 == 0,
                         now);
    ASSERT_TRUE(pool->guarantees_fit());
    for (now = 1; now < 2000; ++now) {
        for (auto& h : all) h.step(random);
        pool->pump();
        if (now == 1000) all.emplace_back(*pool, 4, 64, false, now);  // the newcomer
    }
    for (auto& h : all) {
        if (h.stalled) continue;
        EXPECT_GT(h.finished, 100u);
        // One maximum transfer at a time is guaranteed, so a request waits at most for its own
        // queue.
        EXPECT_LT(h.longest_wait, 400u) << "of host with depth " << h.requests.size();
    }
    all.clear();
    EXPECT_EQ(pool->free_chunks(), pool->total_chunks());
}

TEST_P(buffer_pool_at_random, oversubscribed_hosts_all_go_on) {
    rng random(GetParam() + 1000);
    auto pool = make_pool(256, 65);
    std::uint64_t now = 0;
    std::deque<host> all;
    const unsigned hosts = 8 + random() % 24;
    for (unsigned i = 0; i < hosts; ++i)
        all.emplace_back(*pool, 1 + random() % 32, 1 + random() % 64, false, now);
    ASSERT_FALSE(pool->guarantees_fit());
    for (now = 1; now < 3000; ++now) {
        for (auto& h : all) h.step(random);
        pool->pump();
    }
    for (auto& h : all) EXPECT_GT(h.finished, 20u);
    all.clear();
    EXPECT_EQ(pool->free_chunks(), pool->total_chunks());
}

INSTANTIATE_TEST_SUITE_P(seeds, buffer_pool_at_random, ::testing::Range(0u, 16u));

// The case of the issue: 64 connections, queue depth 128, writes of 1 MiB, a pool of 64 MiB.
TEST(buffer_pool, many_deep_queues_on_a_small_pool_finish) {
    auto pool = make_pool(64 * 1024 * 1024 / chunk, 65);
    constexpr unsigned connections = 64, depth = 128, writes = 256;
    struct write : buffer_waiter {
        explicit write(std::vector<write*>& r) : buffer_waiter(&got), ready(r) {}
        static void got(buffer_waiter& w, buffer_chain&& c) noexcept {
            auto& self = static_cast<write&>(w);
            self.chain = std::move(c);
            self.ready.push_back(&self);
        }
        std::vector<write*>& ready;
        buffer_chain chain;
        unsigned connection = 0;
    };
    std::vector<write*> ready;
    std::deque<account> accounts;
    std::deque<write> all;
    std::vector<unsigned> started(connections), finished(connections);
    auto start = [&](write& w) {
        if (started[w.connection] == writes) return;
        ++started[w.connection];
        w.chain = pool->take(accounts[w.connection], 64);
        if (w.chain)
            ready.push_back(&w);
        else
            pool->wait(w, accounts[w.connection], 64);
    };
    for (unsigned i = 0; i < connections; ++i)
        accounts.emplace_back(*pool, limits::max_chunks_per_request);
    for (unsigned d = 0; d < depth; ++d)
        for (unsigned i = 0; i < connections; ++i) {
            all.emplace_back(ready).connection = i;
            start(all.back());
        }
    std::uint64_t done = 0;
    unsigned fewest = 0, most = 0;
    while (done < std::uint64_t{connections} * writes) {
        ASSERT_FALSE(ready.empty()) << "deadlock after " << done;
        std::vector<write*> batch;
        batch.swap(ready);
        for (write* w : batch) {
            w->chain.release();
            ++finished[w->connection];
            ++done;
            start(*w);
        }
        pool->pump();
        if (done < std::uint64_t{connections} * writes / 2) {
            fewest = *std::min_element(finished.begin(), finished.end());
            most = *std::max_element(finished.begin(), finished.end());
        }
    }
    EXPECT_LE(most, fewest + 2) << "turns are not fair";
}

}  // namespace
}  // namespace fulmar::mem
