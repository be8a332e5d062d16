// Who may take how much of a buffer pool: one account per connection, and the node a request waits
// in. Both live on the pool's reactor, embedded in their owners.
#pragma once

#include <fulmar/base/intrusive.hpp>
#include <fulmar/mem/buffer_share.hpp>

#include <cstdint>

namespace fulmar::mem {

class buffer_pool;
class buffer_chain;
class buffer_credit;

/// What the memory is for.
enum class buffer_use : std::uint8_t {
    transfer,  ///< reads, writes by R2T, log pages: the connection reads on while the request waits
    in_capsule,  ///< one chunk for data that is next in the byte stream: the connection cannot read
                 ///< on without it
};

/// A request that waits for memory. It leaves the queue when `granted` runs or by
/// buffer_pool::cancel().
class buffer_waiter {
  public:
    /// Runs inside buffer_pool::pump(), once per wait(). May take, release, wait again and cancel
    /// others.
    using handler = void (*)(buffer_waiter&, buffer_chain&&) noexcept;

    explicit buffer_waiter(handler granted) noexcept : granted_(granted) {}
    buffer_waiter(const buffer_waiter&) = delete;
    buffer_waiter& operator=(const buffer_waiter&) = delete;

    /// Called on: the pool's reactor.
    [[nodiscard]] bool waiting() const noexcept { return hook_.is_linked(); }
    /// Leaves the queue of whichever pool it waits for. Does nothing when it is not waiting.
    void cancel() noexcept;
    /// What it waits for.
    [[nodiscard]] std::uint32_t chunks() const noexcept { return chunks_; }

  private:
    friend class buffer_pool;
    friend class buffer_credit;
    handler granted_;
    list_hook hook_;
    buffer_credit* credit_ = nullptr;
    std::uint32_t chunks_ = 0;
    buffer_use use_ = buffer_use::transfer;
};

/// An account. Opened and closed by buffer_pool; closed only when nothing is held and nobody waits.
class buffer_credit {
  public:
    buffer_credit() = default;
    buffer_credit(const buffer_credit&) = delete;
    buffer_credit& operator=(const buffer_credit&) = delete;
    ~buffer_credit();

    /// Called on: the pool's reactor.
    [[nodiscard]] bool open() const noexcept { return pool_ != nullptr; }
    /// Null while it is not open.
    [[nodiscard]] buffer_pool* pool() const noexcept { return pool_; }
    /// What this account holds counts in `owner` as well, which outlives it. Only while it holds
    /// nothing.
    void belongs_to(buffer_share& owner) noexcept { owner_ = &owner; }
    [[nodiscard]] std::uint32_t held() const noexcept { return held_ + reserve_held_; }
    [[nodiscard]] std::uint32_t guarantee() const noexcept { return guarantee_; }
    [[nodiscard]] bool waiting() const noexcept {
        return !waiters_.empty() || in_capsule_waiters_ != 0;
    }

  private:
    friend class buffer_pool;
    friend class buffer_chain;
    using waiter_list = intrusive_list<buffer_waiter, &buffer_waiter::hook_>;

    [[nodiscard]] std::uint32_t unused() const noexcept {
        return (held_ < guarantee_ ? guarantee_ - held_ : 0) + reserve_ - reserve_held_;
    }

    buffer_pool* pool_ = nullptr;
    buffer_share* owner_ = nullptr;
    std::uint32_t guarantee_ = 0;  // chunks for transfers
    std::uint32_t held_ = 0;       // of those, and beyond
    std::uint32_t reserve_ = 0;    // 1 when the account has an in-capsule chunk of its own
    std::uint32_t reserve_held_ = 0;
    std::uint32_t in_capsule_waiters_ = 0;
    waiter_list waiters_;   // transfers, oldest first
    list_hook queue_hook_;  // in one of the pool's queues while waiters_ is not empty
    bool queued_within_ = false;
};

}  // namespace fulmar::mem
