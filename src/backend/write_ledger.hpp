// Whether a device with a volatile write cache has acknowledged what no Flush has made durable
// since. Each reactor notes its own writes; a Flush through any of them covers those of all.
#pragma once

#include <fulmar/backend/io_op.hpp>
#include <fulmar/base/assert.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/base/limits.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace fulmar::backend {

/// Its success, without FUA, leaves something in a cache.
[[nodiscard]] constexpr bool fills_cache(io_kind kind) noexcept {
    return kind == io_kind::write || kind == io_kind::write_zeroes || kind == io_kind::deallocate ||
           kind == io_kind::copy || kind == io_kind::write_uncorrectable;
}

/// Time is counted in flushes: epochs. A write belongs to the epoch in which it was answered; a
/// Flush ends the epoch in which it is submitted, and when it succeeds all that belongs to that one
/// and those before is durable. Between two flushes a write costs two loads and a comparison, and
/// no reactor writes what another one reads.
class write_ledger {
  public:
    using epoch = std::uint64_t;
    static constexpr std::size_t columns = limits::max_data_reactors + 1;

    /// Before the write is answered. Called on: reactor `where`.
    void note(reactor_id where) noexcept {
        std::atomic<epoch>& mine = last_[index(where)].in;
        // Acquire: in the epoch of a Flush that another reactor has submitted by now this write
        // does not belong.
        const epoch now = now_.load(std::memory_order_acquire);
        if (mine.load(std::memory_order_relaxed) != now) mine.store(now, std::memory_order_release);
    }
    /// Before the Flush is submitted; for covered(). Called on: any reactor.
    [[nodiscard]] epoch begin_flush() noexcept {
        return now_.fetch_add(1, std::memory_order_acq_rel);
    }
    /// The Flush has succeeded. Called on: any reactor.
    void covered(epoch flushed) noexcept {
        epoch known = covered_.load(std::memory_order_relaxed);
        while (known < flushed &&
               !covered_.compare_exchange_weak(known, flushed, std::memory_order_acq_rel)) {}
    }
    /// Exact while no reactor is at it. Called on: any thread.
    [[nodiscard]] bool owes() const noexcept {
        const epoch safe = covered_.load(std::memory_order_acquire);
        return std::any_of(last_.begin(), last_.end(), [safe](const column& c) {
            return c.in.load(std::memory_order_acquire) > safe;
        });
    }
    /// All that was noted is durable, or its loss is accepted. Called on: any thread.
    void settle() noexcept { covered(begin_flush()); }

  private:
    struct alignas(64) column {
        std::atomic<epoch> in{0};  ///< the last epoch with a write
    };
    [[nodiscard]] static std::size_t index(reactor_id where) noexcept {
        FULMAR_ASSERT(where.value() < columns);
        return where.value();
    }

    std::array<column, columns> last_{};
    alignas(64) std::atomic<epoch> now_{1};
    alignas(64) std::atomic<epoch> covered_{0};
};

}  // namespace fulmar::backend
