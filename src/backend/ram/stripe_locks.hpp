// NVMe promises that a reader never sees half a block. When several reactors use one ram device,
// each 4 KiB region has a lock for the time of one copy; regions share locks. Any reactor. Must
// never be held across anything but copying.
#pragma once

#include <fulmar/base/limits.hpp>

#include <array>
#include <atomic>
#include <cstdint>

namespace fulmar::backend {

class stripe_locks {
  public:
    static constexpr std::uint64_t region_bytes = 4096;
    static constexpr std::uint64_t count = 1024;

    class hold {
      public:
        /// The lock of the region that holds byte `offset`.
        hold(stripe_locks& locks, std::uint64_t offset) noexcept
            : lock_(locks.locks_[offset / region_bytes % count].taken) {
            acquire(lock_);
        }
        ~hold() { lock_.store(false, std::memory_order_release); }
        hold(const hold&) = delete;
        hold& operator=(const hold&) = delete;

      private:
        std::atomic<bool>& lock_;
    };

    /// All of them, in order: for ranges of many regions.
    class hold_all {
      public:
        explicit hold_all(stripe_locks& locks) noexcept : locks_(locks) {
            for (auto& lock : locks_.locks_) acquire(lock.taken);
        }
        ~hold_all() {
            for (auto& lock : locks_.locks_) lock.taken.store(false, std::memory_order_release);
        }
        hold_all(const hold_all&) = delete;
        hold_all& operator=(const hold_all&) = delete;

      private:
        stripe_locks& locks_;
    };

  private:
    /// Spins, then yields: there may be more reactors than cores, and the holder may not be
    /// running.
    static void acquire(std::atomic<bool>& lock) noexcept;

    struct alignas(limits::cache_line) padded {
        std::atomic<bool> taken{false};
    };
    std::array<padded, count> locks_;
};

}  // namespace fulmar::backend
