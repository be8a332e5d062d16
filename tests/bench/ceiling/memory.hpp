// The memory that stands for the namespace: written once, then visited block by block in random
// order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fulmar::bench {

/// `bytes` of memory on huge pages where the kernel gives them. One thread.
class walked_memory {
  public:
    explicit walked_memory(std::size_t bytes);
    ~walked_memory();
    walked_memory(const walked_memory&) = delete;
    walked_memory& operator=(const walked_memory&) = delete;

    /// A block of `bytes` (a power of two) somewhere in it; a different one each time.
    std::byte* next(std::size_t bytes) noexcept {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        std::byte* const at = base_ + (state_ & mask_ & ~(bytes - 1));
        // The first lines of a block are on their way before the kernel asks for them, and wake the
        // hardware's own prefetcher: a third more exchanges of 4 KiB.
        for (std::size_t line = 0; line < 8; ++line) __builtin_prefetch(at + 64 * line, 0, 2);
        return at;
    }

  private:
    std::byte* base_;
    std::size_t bytes_;
    std::size_t mask_;
    std::uint64_t state_ = 0x9e3779b97f4a7c15u;
};

}  // namespace fulmar::bench
