// The free list is a stack, so that the chunk used last, which the caches still hold, is used next.
#include "poison.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/mem/buffer_pool.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::mem {

buffer_credit::~buffer_credit() { FULMAR_ASSERT(pool_ == nullptr); }

void buffer_waiter::cancel() noexcept {
    if (waiting()) credit_->pool()->cancel(*this);
}

buffer_pool::buffer_pool(dma_region region, std::byte* base, std::uint32_t chunks,
                         std::uint32_t newcomer)
    : region_(std::move(region)),
      base_(base),
      next_(std::make_unique<std::uint32_t[]>(chunks)),
      total_(chunks),
      free_(chunks),
      newcomer_(std::min(newcomer, chunks / 4)) {
    for (std::uint32_t i = 0; i < chunks; ++i) next_[i] = i + 1;
    poison(base_, own_bytes());
}

result<std::unique_ptr<buffer_pool>> buffer_pool::create(memory_source& source,
                                                         const options& opts) {
    const std::size_t chunks = opts.bytes / limits::chunk_bytes;
    if (chunks < 2 || chunks > UINT32_MAX / 2)
        return fail(errc::invalid_argument,
                    fmt::format("a buffer pool of {} bytes is out of bounds", opts.bytes));
    FULMAR_TRY(auto region, source.allocate(chunks * limits::chunk_bytes + opts.apart_bytes));
    std::byte* const base = region.data();
    return std::unique_ptr<buffer_pool>(new buffer_pool(
        std::move(region), base, static_cast<std::uint32_t>(chunks), opts.newcomer_chunks));
}

result<std::unique_ptr<buffer_pool>> buffer_pool::split(std::size_t bytes) {
    const std::size_t used = own_bytes() + split_bytes_;
    const std::size_t chunks = bytes / limits::chunk_bytes;
    if (chunks < 2 || bytes % limits::chunk_bytes != 0 || bytes > region_.size() - used)
        return fail(errc::invalid_argument,
                    fmt::format("a buffer pool of {} bytes cannot be split off", bytes));
    std::unique_ptr<buffer_pool> made(
        new buffer_pool({}, base_ + used, static_cast<std::uint32_t>(chunks), 0));
    split_bytes_ += bytes;
    return made;
}

buffer_pool::~buffer_pool() {
    FULMAR_ASSERT(waiting_ == 0 && guaranteed_ == 0);
    FULMAR_ASSERT(free_ == total_);
    unpoison(base_, own_bytes());
}

void buffer_pool::check_thread() noexcept {
#ifdef FULMAR_DEBUG_CHECKS
    if (owner_ == std::thread::id{}) owner_ = std::this_thread::get_id();
    FULMAR_ASSERT(owner_ == std::this_thread::get_id());
#endif
}

void buffer_pool::open(buffer_credit& c, std::uint32_t guarantee_chunks, bool in_capsule) noexcept {
    FULMAR_ASSERT(c.pool_ == nullptr);
    FULMAR_ASSERT(guarantee_chunks <=
                  total_ - total_ / 8);  // or a transfer of that size would wait for ever
    c.pool_ = this;
    c.owner_ = nullptr;
    c.guarantee_ = guarantee_chunks;
    c.reserve_ = in_capsule ? 1 : 0;
    c.held_ = c.reserve_held_ = 0;
    guaranteed_ += guarantee_chunks + c.reserve_;
    unused_ += guarantee_chunks + c.reserve_;
    unused_reserves_ += c.reserve_;
}

void buffer_pool::close(buffer_credit& c) noexcept {
    if (c.pool_ == nullptr) return;
    FULMAR_ASSERT(c.pool_ == this && c.held() == 0 && !c.waiting());
    guaranteed_ -= c.guarantee_ + c.reserve_;
    unused_ -= c.guarantee_ + c.reserve_;
    unused_reserves_ -= c.reserve_;
    c.pool_ = nullptr;
    changed_ = true;
}

bool buffer_pool::within(const buffer_credit& c, std::uint32_t chunks) noexcept {
    return c.held_ + chunks <= c.guarantee_;
}

// The arithmetic of the rules in the header; who waits is the caller's business.
bool buffer_pool::may_take(const buffer_credit& c, std::uint32_t chunks) const noexcept {
    const std::uint32_t reserves = std::min(unused_reserves_, std::max(total_ / 8, 1u));
    if (free_ < chunks + reserves) return false;
    if (within(c, chunks)) return true;
    const std::uint32_t own = c.held_ < c.guarantee_ ? c.guarantee_ - c.held_ : 0;
    const std::uint32_t kept = guarantees_fit() ? unused_ - own : reserves;
    return free_ - chunks >= kept + newcomer_;
}

buffer_chain buffer_pool::take(buffer_credit& c, std::uint32_t chunks, buffer_use use) noexcept {
    check_thread();
    FULMAR_ASSERT(c.pool_ == this && chunks != 0);
    if (use == buffer_use::in_capsule) {
        FULMAR_ASSERT(chunks == 1);
        if (c.reserve_held_ < c.reserve_) return free_ != 0 ? cut(c, 1, true) : buffer_chain();
    }
    FULMAR_ASSERT(chunks <= c.guarantee_);
    if (!c.waiters_.empty()) return {};
    if (within(c, chunks)) {
        // While the guarantees fit, a newcomer that waits for its share does not hold up those who
        // have theirs.
        if (!within_.empty() && !guarantees_fit()) return {};
    } else if (waiting_ != 0) {
        return {};
    }
    return may_take(c, chunks) ? cut(c, chunks, false) : buffer_chain();
}

buffer_chain buffer_pool::cut(buffer_credit& c, std::uint32_t chunks, bool from_reserve) noexcept {
    FULMAR_ASSERT(chunks <= free_);
    buffer_chain chain;
    chain.pool_ = this;
    chain.credit_ = &c;
    chain.count_ = chunks;
    chain.from_reserve_ = from_reserve;
    chain.head_ = first_free_;
    std::uint32_t last = first_free_;
    unpoison(chunk(last), limits::chunk_bytes);
    for (std::uint32_t i = 1; i < chunks; ++i) {
        last = next_[last];
        unpoison(chunk(last), limits::chunk_bytes);
    }
    chain.tail_ = last;
    first_free_ = next_[last];
    free_ -= chunks;
    charge(c, chunks, from_reserve);
    return chain;
}

void buffer_pool::put_back(buffer_chain& chain) noexcept {
    check_thread();
    if constexpr (poisoning) {
        std::uint32_t index = chain.head_;
        for (std::uint32_t i = 0; i < chain.count_; ++i, index = next_[index])
            poison(chunk(index), limits::chunk_bytes);
    }
    next_[chain.tail_] = first_free_;
    first_free_ = chain.head_;
    free_ += chain.count_;
    discharge(*chain.credit_, chain.count_, chain.from_reserve_);
    changed_ = true;
}

void buffer_pool::charge(buffer_credit& c, std::uint32_t chunks, bool from_reserve) noexcept {
    if (c.owner_ != nullptr) c.owner_->held += chunks;
    unused_ -= c.unused();
    if (from_reserve) {
        ++c.reserve_held_;
        --unused_reserves_;
    } else {
        c.held_ += chunks;
    }
    unused_ += c.unused();
    requeue(c);
}

void buffer_pool::discharge(buffer_credit& c, std::uint32_t chunks, bool from_reserve) noexcept {
    if (c.owner_ != nullptr) c.owner_->held -= chunks;
    unused_ -= c.unused();
    if (from_reserve) {
        --c.reserve_held_;
        ++unused_reserves_;
    } else {
        c.held_ -= chunks;
    }
    unused_ += c.unused();
    requeue(c);
}

void buffer_pool::wait(buffer_waiter& w, buffer_credit& c, std::uint32_t chunks,
                       buffer_use use) noexcept {
    check_thread();
    FULMAR_ASSERT(c.pool_ == this && !w.waiting() && chunks != 0);
    FULMAR_ASSERT(chunks <= c.guarantee_ ||
                  (use == buffer_use::in_capsule && chunks <= c.reserve_));
    w.credit_ = &c;
    w.chunks_ = chunks;
    w.use_ = use;
    ++waiting_;
    changed_ = true;
    if (use == buffer_use::in_capsule) {
        in_capsule_.push_back(w);
        ++c.in_capsule_waiters_;
        return;
    }
    c.waiters_.push_back(w);
    requeue(c);
}

void buffer_pool::cancel(buffer_waiter& w) noexcept {
    if (!w.waiting()) return;
    check_thread();
    --waiting_;
    changed_ = true;
    buffer_credit& c = *w.credit_;
    if (w.use_ == buffer_use::in_capsule) {
        in_capsule_.erase(in_capsule_.iterator_to(w));
        --c.in_capsule_waiters_;
        return;
    }
    c.waiters_.erase(c.waiters_.iterator_to(w));
    requeue(c);
}

// Keeps `c` in the queue where its oldest waiter belongs. Lists without a size let a node leave
// whichever holds it.
void buffer_pool::requeue(buffer_credit& c) noexcept {
    const bool queued = c.queue_hook_.is_linked();
    if (c.waiters_.empty()) {
        if (queued) within_.erase(credit_list::s_iterator_to(c));
        return;
    }
    const bool is_within = within(c, c.waiters_.front().chunks_);
    if (queued && is_within == c.queued_within_) return;
    if (queued) within_.erase(credit_list::s_iterator_to(c));
    c.queued_within_ = is_within;
    (is_within ? within_ : beyond_).push_back(c);
}

bool buffer_pool::grant_waiters() noexcept {
    check_thread();
    changed_ = false;
    bool granted = grant_in_capsule();
    granted |= grant_transfers(within_, guarantees_fit());
    if (in_capsule_.empty() && within_.empty()) granted |= grant_transfers(beyond_, false);
    return granted;
}

// Each waits for its own account's chunk, so one that cannot go on does not hold up the next.
bool buffer_pool::grant_in_capsule() noexcept {
    buffer_credit::waiter_list blocked;
    bool granted = false;
    for (std::uint32_t budget = waiting_; budget != 0 && !in_capsule_.empty(); --budget) {
        buffer_waiter& w = in_capsule_.front();
        const buffer_credit& c = *w.credit_;
        const bool own = c.reserve_held_ < c.reserve_;
        if (own ? free_ != 0 : (within(c, w.chunks_) && may_take(c, w.chunks_))) {
            grant(w, own);
            granted = true;
        } else {
            in_capsule_.pop_front();
            blocked.push_back(w);
        }
    }
    in_capsule_.splice(in_capsule_.begin(), blocked);
    return granted;
}

// The budget ends a turn in which every grant makes room for a new waiter.
bool buffer_pool::grant_transfers(credit_list& queue, bool skip_blocked) noexcept {
    credit_list blocked;
    bool granted = false;
    std::uint32_t budget = waiting_;
    for (; budget != 0 && !queue.empty(); --budget) {
        buffer_credit& c = queue.front();
        buffer_waiter& w = c.waiters_.front();
        if (may_take(c, w.chunks_)) {
            grant(w, false);
            granted = true;
        } else if (skip_blocked) {
            queue.pop_front();
            blocked.push_back(c);
        } else {
            break;
        }
    }
    if (budget == 0 && !queue.empty()) changed_ = true;
    queue.splice(queue.begin(), blocked);
    return granted;
}

void buffer_pool::grant(buffer_waiter& w, bool from_reserve) noexcept {
    buffer_credit& c = *w.credit_;
    --waiting_;
    if (w.use_ == buffer_use::in_capsule) {
        in_capsule_.erase(in_capsule_.iterator_to(w));
        --c.in_capsule_waiters_;
    } else {
        // Accounts take turns: this one goes behind the others.
        c.waiters_.erase(c.waiters_.iterator_to(w));
        if (c.queue_hook_.is_linked()) within_.erase(credit_list::s_iterator_to(c));
    }
    w.granted_(w, cut(c, w.chunks_, from_reserve));
}

}  // namespace fulmar::mem
