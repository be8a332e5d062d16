#include "unreadable_blocks.hpp"

#include <algorithm>
#include <bit>

namespace fulmar::backend {

namespace {

/// Calls visit(word, bits) for each word of the map that has some of the blocks, until it returns
/// false.
template <typename Visit>
void each_word(std::uint64_t first, std::uint64_t count, Visit&& visit) {
    constexpr std::uint64_t bits = 64;
    while (count != 0) {
        const std::uint64_t skipped = first % bits;
        const std::uint64_t here = std::min(count, bits - skipped);
        const std::uint64_t mask = (UINT64_MAX >> (bits - here)) << skipped;
        if (!visit(first / bits, mask)) return;
        first += here;
        count -= here;
    }
}

constexpr std::uint64_t bits_in(std::uint64_t word) noexcept {
    return static_cast<std::uint64_t>(std::popcount(word));
}

}  // namespace

result<ram_store> unreadable_blocks::make_room(std::uint64_t blocks, std::uint64_t most_blocks) {
    return ram_store::create(bytes_for(blocks), bytes_for(most_blocks), ram_pages::small);
}

std::atomic_ref<std::uint64_t> unreadable_blocks::word(std::uint64_t index) const noexcept {
    return std::atomic_ref<std::uint64_t>(
        *reinterpret_cast<std::uint64_t*>(map_.at(index * sizeof(std::uint64_t))));
}

bool unreadable_blocks::among(std::uint64_t first, std::uint64_t count) const noexcept {
    bool found = false;
    each_word(first, count, [&](std::uint64_t at, std::uint64_t mask) {
        found = (word(at).load(std::memory_order_acquire) & mask) != 0;
        return !found;
    });
    return found;
}

// Counted first: while any bit is set, any() must say so.
void unreadable_blocks::mark(std::uint64_t first, std::uint64_t count) noexcept {
    at_most_.fetch_add(count, std::memory_order_acq_rel);
    std::uint64_t already = 0;
    each_word(first, count, [&](std::uint64_t at, std::uint64_t mask) {
        already += bits_in(word(at).fetch_or(mask, std::memory_order_acq_rel) & mask);
        return true;
    });
    at_most_.fetch_sub(already, std::memory_order_acq_rel);
}

void unreadable_blocks::forget(std::uint64_t first, std::uint64_t count) noexcept {
    each_word(first, count, [&](std::uint64_t at, std::uint64_t mask) {
        if (!any()) return false;
        if ((word(at).load(std::memory_order_relaxed) & mask) == 0) return true;  // page untouched
        const std::uint64_t gone = word(at).fetch_and(~mask, std::memory_order_acq_rel) & mask;
        at_most_.fetch_sub(bits_in(gone), std::memory_order_acq_rel);
        return true;
    });
}

// What was under way when the device shrank may have marked blocks behind its end.
result<void> unreadable_blocks::grow(std::uint64_t old_blocks, std::uint64_t blocks) noexcept {
    const std::uint64_t end = bytes_for(blocks);
    FULMAR_CHECK(map_.grow(end, end));  // keeps what it has, which is to be counted
    forget(old_blocks, blocks - old_blocks);
    return {};
}

}  // namespace fulmar::backend
