// The data buffers of one reactor: fixed chunks, handed out by credit so that a greedy or stalled
// connection cannot starve another. One reactor's; no lock, and no allocation after create(). Must
// never call back from a release: waiters run in pump(), which the poll group calls once a turn.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/mem/buffer_chain.hpp>
#include <fulmar/mem/buffer_credit.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace fulmar::mem {

/// The rules of credit. F = free chunks.
/// Every account has a guarantee (transfers) and usually one chunk in reserve (in-capsule data).
///  - Reserve: the account's own in-capsule chunk, when it is not in use. A transfer leaves one
///  chunk for each unused reserve
///    (at most 1/8 of the pool), and what is taken for in-capsule data never waits for its host
///    again: so it always comes back.
///  - Within the guarantee: allowed when F suffices.
///  - Beyond it: only when nobody waits, and F then still covers everybody's unused guarantees and
///  one newcomer.
///  - Guarantees that add up to more than the pool: first come, first served, at most one guarantee
///  per account while others wait.
/// All or nothing per request. Waiters: oldest first per account, accounts in turn; those within
/// their guarantee go first.
class buffer_pool {
  public:
    struct options {
        std::size_t bytes = limits::default_pool_bytes;
        /// What a connection that comes later will want; beyond-guarantee takes leave that much.
        std::uint32_t newcomer_chunks = limits::max_chunks_per_request + 1;
        /// On top of `bytes`, in one piece with them: what split() cuts its pools from.
        std::size_t apart_bytes = limits::admin_pool_bytes + limits::newcomer_pool_bytes;
    };

    /// Called on: any thread, before use.  Errors: invalid_argument (too small); no_memory.
    static result<std::unique_ptr<buffer_pool>> create(memory_source& source, const options& opts);
    ~buffer_pool();
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;

    /// A pool with accounts of its own, cut from the `apart_bytes`, which dies before this one.
    /// Called on: any thread, before use.  Errors: invalid_argument (not so much is left).
    result<std::unique_ptr<buffer_pool>> split(std::size_t bytes);

    // Called on: the pool's reactor, everything below.

    /// Opens `c` with a guarantee for transfers and, when `in_capsule`, a chunk in reserve.
    void open(buffer_credit& c, std::uint32_t guarantee_chunks, bool in_capsule = true) noexcept;
    /// `c` holds nothing and nobody waits on it. Does nothing when it is not open.
    void close(buffer_credit& c) noexcept;

    /// `chunks` (at least 1, at most the guarantee; exactly 1 in-capsule), or an empty chain: then
    /// wait(), or try again later.
    [[nodiscard]] buffer_chain take(buffer_credit& c, std::uint32_t chunks,
                                    buffer_use use = buffer_use::transfer) noexcept;

    /// Queues `w` until pump() grants it. Same bounds as take().
    void wait(buffer_waiter& w, buffer_credit& c, std::uint32_t chunks,
              buffer_use use = buffer_use::transfer) noexcept;
    /// Does nothing when `w` is not waiting.
    void cancel(buffer_waiter& w) noexcept;

    /// Grants what can be granted; returns true when anything was. Costs two loads when there is
    /// nothing to do.
    bool pump() noexcept {
        if (!needs_pump()) return false;
        return grant_waiters();
    }
    /// True when pump() may have something to grant.
    [[nodiscard]] bool needs_pump() const noexcept { return changed_ && waiting_ != 0; }

    [[nodiscard]] std::uint32_t total_chunks() const noexcept { return total_; }
    [[nodiscard]] std::uint32_t free_chunks() const noexcept { return free_; }
    [[nodiscard]] std::uint32_t waiters() const noexcept { return waiting_; }
    /// True while all guarantees can be kept at once.
    [[nodiscard]] bool guarantees_fit() const noexcept { return guaranteed_ <= total_; }

    /// All of the pool's memory and of those that were split off, for registration with a device or
    /// the kernel.
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return region_.size(); }

    /// Bytes → chunks, rounded up.
    [[nodiscard]] static constexpr std::uint32_t chunks_for(std::size_t bytes) noexcept {
        return static_cast<std::uint32_t>((bytes + limits::chunk_bytes - 1) / limits::chunk_bytes);
    }

  private:
    friend class buffer_chain;
    using credit_list = intrusive_list<buffer_credit, &buffer_credit::queue_hook_>;

    buffer_pool(dma_region region, std::byte* base, std::uint32_t chunks, std::uint32_t newcomer);
    [[nodiscard]] std::byte* chunk(std::uint32_t index) const noexcept {
        return base_ + std::size_t{index} * limits::chunk_bytes;
    }
    [[nodiscard]] std::size_t own_bytes() const noexcept {
        return std::size_t{total_} * limits::chunk_bytes;
    }
    [[nodiscard]] bool may_take(const buffer_credit& c, std::uint32_t chunks) const noexcept;
    [[nodiscard]] static bool within(const buffer_credit& c, std::uint32_t chunks) noexcept;
    [[nodiscard]] buffer_chain cut(buffer_credit& c, std::uint32_t chunks,
                                   bool from_reserve) noexcept;
    void put_back(buffer_chain& chain) noexcept;
    void charge(buffer_credit& c, std::uint32_t chunks, bool from_reserve) noexcept;
    void discharge(buffer_credit& c, std::uint32_t chunks, bool from_reserve) noexcept;
    void requeue(buffer_credit& c) noexcept;
    bool grant_waiters() noexcept;
    bool grant_in_capsule() noexcept;
    bool grant_transfers(credit_list& queue, bool skip_blocked) noexcept;
    void grant(buffer_waiter& w, bool from_reserve) noexcept;
    void check_thread() noexcept;

    dma_region region_;  // empty when it was split off
    std::byte* base_;
    std::size_t split_bytes_ = 0;            // of the region, behind its own
    std::unique_ptr<std::uint32_t[]> next_;  // the free list and every chain, by chunk index
    std::uint32_t first_free_ = 0;
    std::uint32_t total_;
    std::uint32_t free_;
    std::uint32_t newcomer_;
    std::uint32_t guaranteed_ = 0;       // sum of guarantees and reserves
    std::uint32_t unused_ = 0;           // of those, what is not held
    std::uint32_t unused_reserves_ = 0;  // of those, in-capsule chunks
    std::uint32_t waiting_ = 0;
    bool changed_ = false;  // something since the last pump() may have made a grant possible
    buffer_credit::waiter_list in_capsule_;
    credit_list within_;
    credit_list beyond_;
    std::thread::id owner_{};  // debug builds only
};

}  // namespace fulmar::mem
