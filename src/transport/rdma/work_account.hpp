// The account of a send queue: every work request that was posted and has not been reaped, in the
// order of posting. A device completes them in that order and may be silent about those that were
// not signaled, so a completion retires everything up to its own entry. What a device says is
// foreign: a completion that names no entry is reported, never asserted.
#pragma once

#include <fulmar/base/assert.hpp>

#include <cstdint>
#include <memory>
#include <new>

namespace fulmar::transport::rdma {

enum class work_kind : std::uint8_t {
    read,   ///< data from the host
    write,  ///< data to the host
    send,   ///< an answer
};

/// Called on: owning reactor, all methods.
template <typename Owner>
class work_account {
  public:
    struct entry {
        Owner* owner = nullptr;
        work_kind kind = work_kind::send;
    };

    /// Room for `capacity` entries; false: no memory.
    bool create(std::uint32_t capacity) noexcept {
        entries_.reset(new (std::nothrow) entry[capacity]);
        capacity_ = entries_ != nullptr ? capacity : 0;
        return entries_ != nullptr;
    }

    [[nodiscard]] std::uint32_t outstanding() const noexcept { return next_ - first_; }
    [[nodiscard]] std::uint32_t room() const noexcept { return capacity_ - outstanding(); }

    /// Enters one; its sequence number goes into the work request. There must be room.
    std::uint32_t add(Owner& owner, work_kind kind) noexcept {
        FULMAR_ASSERT(room() != 0);
        entries_[next_ % capacity_] = {.owner = &owner, .kind = kind};
        return next_++;
    }

    /// The last `count` were not posted after all; `visit(entry)` each, the latest first.
    template <typename Visit>
    void take_back(std::uint32_t count, Visit&& visit) noexcept {
        FULMAR_ASSERT(count <= outstanding());
        for (; count != 0; --count) visit(entries_[--next_ % capacity_]);
    }

    /// The device has completed `sequence`, and with it what was posted before: `visit(entry,
    /// named)` each, the oldest first; `named` for the one that the device spoke of.  False:
    /// nothing of that number is outstanding.
    template <typename Visit>
    bool retire(std::uint32_t sequence, Visit&& visit) noexcept {
        if (sequence - first_ >= outstanding()) return false;
        for (;;) {
            const bool named = first_ == sequence;
            const entry done = entries_[first_ % capacity_];
            ++first_;
            visit(done, named);
            if (named) return true;
        }
    }

    /// The queue pair is no more: nothing of it will ever complete.
    template <typename Visit>
    void abandon(Visit&& visit) noexcept {
        while (first_ != next_) {
            const entry lost = entries_[first_ % capacity_];
            ++first_;
            visit(lost);
        }
    }

  private:
    std::unique_ptr<entry[]> entries_;
    std::uint32_t capacity_ = 0;
    std::uint32_t first_ = 0;  // oldest outstanding
    std::uint32_t next_ = 0;
};

}  // namespace fulmar::transport::rdma
