// A request's memory: up to limits::max_chunks_per_request chunks of one pool, linked by index.
// Lives on the pool's reactor. Goes back to the pool when it dies, which wakes nobody by itself:
// buffer_pool::pump() does.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace fulmar::mem {

class buffer_pool;
class buffer_credit;

/// Move-only. Empty, or `chunks()` chunks that hold `capacity()` bytes.
/// Called on: the pool's reactor, all methods.
class buffer_chain {
  public:
    buffer_chain() noexcept = default;
    buffer_chain(buffer_chain&& other) noexcept { swap(other); }
    buffer_chain& operator=(buffer_chain&& other) noexcept {
        if (this == &other) return *this;
        release();
        swap(other);
        return *this;
    }
    buffer_chain(const buffer_chain&) = delete;
    buffer_chain& operator=(const buffer_chain&) = delete;
    ~buffer_chain() { release(); }

    explicit operator bool() const noexcept { return count_ != 0; }
    [[nodiscard]] std::uint32_t chunks() const noexcept { return count_; }
    [[nodiscard]] std::size_t capacity() const noexcept;

    /// The first chunk: contiguous for limits::chunk_bytes, aligned to 4 KiB.
    [[nodiscard]] std::byte* data() const noexcept;

    /// Describes `length` bytes from `offset` on; neighbours are joined. Returns how many of `out`
    /// were filled: at most one per chunk. `out` must have room and the range must lie within
    /// capacity(): our own mistakes.
    std::uint32_t fill_iovecs(std::span<iovec> out, std::size_t offset,
                              std::size_t length) const noexcept;

    void copy_in(std::size_t offset, std::span<const std::byte> from) const noexcept;
    void copy_out(std::size_t offset, std::span<std::byte> to) const noexcept;
    void zero(std::size_t offset, std::size_t length) const noexcept;

    /// Moves the charge to another account of the same pool (quarantine: the connection ends, the
    /// buffers stay).
    void recharge(buffer_credit& to) noexcept;

    /// The first `count` chunks, which are in another chain from now on; more than that must stay.
    [[nodiscard]] buffer_chain split_front(std::uint32_t count) noexcept;

    void release() noexcept;

  private:
    friend class buffer_pool;
    void swap(buffer_chain& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(credit_, other.credit_);
        std::swap(head_, other.head_);
        std::swap(tail_, other.tail_);
        std::swap(count_, other.count_);
        std::swap(from_reserve_, other.from_reserve_);
    }
    template <typename Visit>
    void for_each_piece(std::size_t offset, std::size_t length, Visit&& visit) const noexcept;

    buffer_pool* pool_ = nullptr;
    buffer_credit* credit_ = nullptr;
    std::uint32_t head_ = 0;
    std::uint32_t tail_ = 0;
    std::uint32_t count_ = 0;
    bool from_reserve_ = false;  // the account's in-capsule chunk
};

}  // namespace fulmar::mem
