// Unit tests of mem/member_waiter.hpp.
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/member_waiter.hpp>

#include <gtest/gtest.h>

#include <utility>

namespace fulmar::mem {
namespace {

TEST(member_waiter, hands_what_is_granted_to_its_owner_once) {
    struct owner {
        void on_grant(buffer_chain&& granted) noexcept {
            chain = std::move(granted);
            ++grants;
        }
        buffer_chain chain;
        int grants = 0;
        member_waiter<&owner::on_grant> wait{*this};
    };
    heap_memory memory;
    auto pool =
        buffer_pool::create(memory, {.bytes = 4 * limits::chunk_bytes, .newcomer_chunks = 0})
            .value();
    buffer_credit has_all;
    buffer_credit waits;
    pool->open(has_all, 4, false);
    pool->open(waits, 1, false);
    {
        owner o;
        buffer_chain all = pool->take(has_all, 4);
        ASSERT_TRUE(all);
        ASSERT_FALSE(pool->take(waits, 1));
        pool->wait(o.wait, waits, 1);
        EXPECT_FALSE(pool->pump());
        EXPECT_EQ(o.grants, 0);
        all.release();
        EXPECT_TRUE(pool->pump());
        EXPECT_EQ(o.grants, 1);
        EXPECT_EQ(o.chain.chunks(), 1u);
        EXPECT_FALSE(o.wait.waiting());
    }
    pool->close(has_all);
    pool->close(waits);
}

}  // namespace
}  // namespace fulmar::mem
