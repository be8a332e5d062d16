// Hosts that keep all they get, beside hosts that behave.
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/host_share.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace fulmar::mem {
namespace {

/// Greedy hosts take `chunks` at a time, in turn, for as long as any may; what is free then.
std::uint32_t free_beside_greedy(std::uint32_t total, std::uint32_t hosts, std::uint32_t greedy,
                                 std::uint32_t chunks, bool within_connection) {
    std::vector<std::uint32_t> used(greedy);
    std::uint32_t free = total;
    for (bool any = true; any;) {
        any = false;
        for (std::uint32_t& mine : used) {
            if (free < chunks || !host_may_take({.chunks = chunks,
                                                 .used = mine,
                                                 .free = free,
                                                 .total = total,
                                                 .hosts = hosts,
                                                 .within_connection = within_connection}))
                continue;
            mine += chunks;
            free -= chunks;
            any = true;
        }
    }
    return free;
}

TEST(host_share, leaves_every_other_host_its_part) {
    for (const std::uint32_t greedy : {1u, 2u, 5u, 30u, 200u})
        for (const std::uint32_t chunks : {1u, 8u, 64u})
            for (const bool within : {false, true}) {
                const std::uint32_t total = 2048;
                const std::uint32_t honest = 3;
                const std::uint32_t hosts = greedy + honest;
                const std::uint32_t free = free_beside_greedy(total, hosts, greedy, chunks, within);
                // An eighth is for in-capsule data.
                EXPECT_GE(free, total / 8 + honest * (total / 8 / hosts))
                    << greedy << " take " << chunks;
                for (std::uint32_t mine = 0; mine < total / 8 / hosts; ++mine)
                    EXPECT_TRUE(host_may_take({.chunks = 1,
                                               .used = mine,
                                               .free = free - mine,
                                               .total = total,
                                               .hosts = hosts}));
            }
}

TEST(host_share, lets_another_connection_of_a_host_go_on_while_one_is_stuck) {
    constexpr std::uint32_t total = 512;
    const std::uint32_t free = free_beside_greedy(total, 1, 1, 64, false);
    EXPECT_TRUE(host_may_take({.chunks = 64,
                               .used = total - free,
                               .free = free,
                               .total = total,
                               .within_connection = true}));
}

TEST(host_share, of_administration_always_lets_one_command_through) {
    EXPECT_TRUE(host_may_take_admin({.chunks = 10, .used = 0, .free = 12, .total = 128}));
    EXPECT_FALSE(host_may_take_admin({.chunks = 10, .used = 10, .free = 12, .total = 128}));
}

TEST(host_share, counts_what_the_accounts_of_a_host_hold) {
    heap_memory memory;
    auto pool = buffer_pool::create(memory, {.bytes = 4u << 20}).value();
    buffer_share host;
    buffer_credit first, second;
    pool->open(first, 8);
    pool->open(second, 8);
    first.belongs_to(host);
    second.belongs_to(host);
    {
        const buffer_chain a = pool->take(first, 3);
        const buffer_chain b = pool->take(second, 2);
        const buffer_chain c = pool->take(second, 1, buffer_use::in_capsule);
        EXPECT_EQ(host.held, 6u);
    }
    EXPECT_EQ(host.held, 0u);
    pool->close(first);
    pool->close(second);
}

TEST(split_pool, has_its_memory_behind_that_of_the_pool_and_accounts_of_its_own) {
    heap_memory memory;
    auto pool = buffer_pool::create(memory, {.bytes = 4u << 20, .apart_bytes = 1u << 20}).value();
    auto apart = pool->split(1u << 20).value();
    EXPECT_EQ(pool->bytes(), 5u << 20);
    EXPECT_EQ(apart->base(), pool->base() + (4u << 20));
    EXPECT_EQ(apart->total_chunks(), 64u);
    EXPECT_FALSE(pool->split(limits::chunk_bytes * 2).has_value()) << "nothing is left";
    buffer_credit in_pool, in_apart;
    pool->open(in_pool, 128, false);
    apart->open(in_apart, 32, false);
    {
        const buffer_chain a = pool->take(in_pool, 128);
        const buffer_chain b = apart->take(in_apart, 32);
        EXPECT_TRUE(a && b);
        EXPECT_GE(b.data(), apart->base());
        EXPECT_EQ(pool->free_chunks(), 128u);
        EXPECT_EQ(apart->free_chunks(), 32u);
    }
    pool->close(in_pool);
    apart->close(in_apart);
}

}  // namespace
}  // namespace fulmar::mem
