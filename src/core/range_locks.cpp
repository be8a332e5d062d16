#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/range_locks.hpp>

#include <bit>

namespace fulmar::core {

namespace {

// Takes the lowest of `set` out of it.
unsigned take_lowest(range_locks::stripe_set& set) noexcept {
    const auto lowest = static_cast<unsigned>(std::countr_zero(set));
    set &= set - 1;
    return lowest;
}

}  // namespace

range_locks::stripe_set range_locks::touched(std::uint64_t first, std::uint64_t count,
                                             unsigned block_shift) noexcept {
    FULMAR_ASSERT(count != 0 && block_shift <= stripe_shift);
    const unsigned blocks_shift = stripe_shift - block_shift;
    const std::uint64_t from = first >> blocks_shift;
    const std::uint64_t more = ((first + count - 1) >> blocks_shift) - from;
    if (more >= stripes - 1) return all;
    const stripe_set as_many = (stripe_set{2} << more) - 1;
    return std::rotl(as_many, static_cast<int>(from % stripes));
}

range_locks::sharing range_locks::share(stripe_set wanted) noexcept {
    if (mutated(mutation::writers_do_not_share_ranges)) return sharing::yes;
    for (stripe_set left = wanted; left != 0;)
        if ((locks_[take_lowest(left)].word.load() & claimed_bit) != 0) return sharing::no;
    for (stripe_set left = wanted; left != 0;) {
        const unsigned at = take_lowest(left);
        std::atomic<std::uint32_t>& word = locks_[at].word;
        std::uint32_t now = word.load();
        while ((now & claimed_bit) == 0 && !word.compare_exchange_weak(now, now + 1)) {}
        if ((now & claimed_bit) == 0) continue;
        unshare(wanted & (bit(at) - 1));
        return sharing::for_a_moment;
    }
    return sharing::yes;
}

void range_locks::unshare(stripe_set shared) noexcept {
    if (mutated(mutation::writers_do_not_share_ranges)) return;
    while (shared != 0) {
        const std::uint32_t before = locks_[take_lowest(shared)].word.fetch_sub(1);
        FULMAR_ASSERT((before & ~claimed_bit) != 0);
    }
}

bool range_locks::claim(stripe_set wanted, stripe_set& claimed) noexcept {
    for (stripe_set left = wanted & ~claimed; left != 0;) {
        const unsigned at = take_lowest(left);
        if ((locks_[at].word.fetch_or(claimed_bit) & claimed_bit) != 0) return false;
        claimed |= bit(at);
    }
    if (mutated(mutation::claims_do_not_wait)) return true;
    for (stripe_set left = wanted; left != 0;)
        if (locks_[take_lowest(left)].word.load() != claimed_bit) return false;
    return true;
}

void range_locks::unclaim(stripe_set claimed) noexcept {
    while (claimed != 0) locks_[take_lowest(claimed)].word.fetch_and(~claimed_bit);
}

}  // namespace fulmar::core
