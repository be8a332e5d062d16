// The account of a send queue: every work request that was posted and has not been reaped, in the
// order of posting. A device completes them in that order and may be silent about those that were
// not signaled, so a completion retires everything up to its own entry. What a device says is
// foreign: a completion that names no entry is reported, never asserted. Sequence numbers run
// freely and begin anew after 2^32, so the ring they index has a power of two of places.
#pragma once

#include <fulmar/base/assert.hpp>

#include <bit>
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
class send_queue_tracker {
  public:
    struct entry {
        Owner* owner = nullptr;
        work_kind kind = work_kind::send;
    };

    /// Room for `capacity` entries, the first of which has the number `first`; false: no memory.
    bool create(std::uint32_t capacity, std::uint32_t first = 0) noexcept {
        const std::uint32_t places = std::bit_ceil(capacity);
        entries_.reset(new (std::nothrow) entry[places]);
        capacity_ = entries_ != nullptr ? capacity : 0;
        mask_ = places - 1;
        first_ = next_ = first;
        return entries_ != nullptr;
    }

    [[nodiscard]] std::uint32_t outstanding() const noexcept { return next_ - first_; }
    [[nodiscard]] std::uint32_t room() const noexcept { return capacity_ - outstanding(); }

    /// Enters one; its sequence number goes into the work request. There must be room.
    std::uint32_t add(Owner& owner, work_kind kind) noexcept {
        FULMAR_ASSERT(room() != 0);
        at(next_) = {.owner = &owner, .kind = kind};
        return next_++;
    }

    /// The last `count` were not posted after all; `visit(entry)` each, the latest first.
    template <typename Visit>
    void take_back(std::uint32_t count, Visit&& visit) noexcept {
        FULMAR_ASSERT(count <= outstanding());
        for (; count != 0; --count) visit(at(--next_));
    }

    /// The device has completed `sequence`, and with it what was posted before: `visit(entry,
    /// named)` each, the oldest first; `named` for the one that the device spoke of.  False:
    /// nothing of that number is outstanding.
    template <typename Visit>
    bool retire(std::uint32_t sequence, Visit&& visit) noexcept {
        if (sequence - first_ >= outstanding()) return false;
        for (;;) {
            const bool named = first_ == sequence;
            const entry done = at(first_);
            ++first_;
            visit(done, named);
            if (named) return true;
        }
    }

    /// The queue pair is no more: nothing of it will ever complete.
    template <typename Visit>
    void abandon(Visit&& visit) noexcept {
        while (first_ != next_) {
            const entry lost = at(first_);
            ++first_;
            visit(lost);
        }
    }

  private:
    [[nodiscard]] entry& at(std::uint32_t sequence) noexcept { return entries_[sequence & mask_]; }

    std::unique_ptr<entry[]> entries_;
    std::uint32_t capacity_ = 0;
    std::uint32_t mask_ = 0;
    std::uint32_t first_ = 0;  // oldest outstanding
    std::uint32_t next_ = 0;
};

}  // namespace fulmar::transport::rdma
