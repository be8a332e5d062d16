// A submission and a completion queue in memory that the drive reads and writes, and the commands
// at the drive. Owning reactor (the admin queue: the drive's helper thread). Must never trust what
// the drive writes: a completion that fits no command is counted, and changes nothing.
#pragma once

#include "data_pointer.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/pci_registers.hpp>
#include <fulmar/vfio/mmio.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fulmar::backend::pcie {

/// What is wrong with a completion.
enum class completion_fault : std::uint8_t {
    none,
    unknown_command,  ///< the identifier names no slot
    idle_command,     ///< nothing is at the drive in that slot, or not in this incarnation of it
    wrong_queue,
    wrong_head,  ///< beyond the submission queue
};

/// How far ending a command early has come.
enum class abort_stage : std::uint8_t {
    none,
    wanted,
    asked,  ///< an Abort with its identifier may be on its way to the drive
    over,   ///< and is no more
};

/// One queue's memory within the region that belongs to the drive.
struct queue_memory {
    std::byte* base = nullptr;  ///< page aligned
    std::uint64_t address = 0;  ///< as the drive sees it
};

struct queue_layout {
    static constexpr std::size_t page = 4096;
    std::uint32_t entries = 0;  ///< a power of two

    [[nodiscard]] static constexpr std::size_t round(std::size_t bytes) noexcept {
        return (bytes + page - 1) & ~(page - 1);
    }
    [[nodiscard]] constexpr std::size_t sq_bytes() const noexcept {
        return round(entries * sizeof(nvme::sqe));
    }
    [[nodiscard]] constexpr std::size_t cq_bytes() const noexcept {
        return round(entries * sizeof(nvme::cqe));
    }
    /// And a page for each command's list.
    [[nodiscard]] constexpr std::size_t total_bytes() const noexcept {
        return sq_bytes() + cq_bytes() + entries * page;
    }
};

struct queue_counters {
    std::uint64_t submitted = 0;
    std::uint64_t completed = 0;
    std::uint64_t doorbells = 0;  ///< register writes, both queues'
    std::uint64_t faults = 0;     ///< completions that fit no command
};

/// Called on: owning reactor.
class queue_pair {
  public:
    static constexpr std::uint32_t no_slot = 0xffff'ffff;
    static constexpr std::uint32_t max_entries = 4096;

    queue_pair(std::uint16_t qid, std::uint32_t entries, const queue_memory& memory,
               vfio::mmio_window registers, std::uint8_t dstrd);
    queue_pair(const queue_pair&) = delete;
    queue_pair& operator=(const queue_pair&) = delete;

    [[nodiscard]] std::uint16_t qid() const noexcept { return qid_; }
    [[nodiscard]] std::uint32_t entries() const noexcept { return layout_.entries; }
    [[nodiscard]] std::uint64_t sq_address() const noexcept { return memory_.address; }
    [[nodiscard]] std::uint64_t cq_address() const noexcept {
        return memory_.address + layout_.sq_bytes();
    }
    [[nodiscard]] const queue_counters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::uint32_t at_drive() const noexcept { return at_drive_; }

    /// A place for one command, or no_slot: then reap first.
    [[nodiscard]] std::uint32_t take_slot(void* owner) noexcept;
    /// One that was taken and is not submitted after all.
    void return_slot(std::uint32_t slot) noexcept;
    /// A page of the slot's own, for lists and ranges.
    [[nodiscard]] std::span<std::byte> page_of(std::uint32_t slot) noexcept;
    [[nodiscard]] list_memory list_of(std::uint32_t slot) noexcept;
    /// The identifier that `slot` has at the drive now.
    [[nodiscard]] std::uint16_t cid_of(std::uint32_t slot) const noexcept;

    /// Puts `command` into the queue, with the slot's identifier; the drive learns of it by ring().
    void submit(nvme::sqe command, std::uint32_t slot, instant now = {}) noexcept;
    [[nodiscard]] bool must_ring() const noexcept { return sq_tail_ != sq_told_; }
    /// One register write for all that was submitted since the last.
    void ring() noexcept;

    /// A completion is there. Reads memory only.
    [[nodiscard]] bool has_completion() const noexcept;
    struct reaped {
        void* owner = nullptr;  ///< null: nothing, or one that fits no command
        std::uint32_t slot = 0;
        std::uint32_t dw0 = 0;
        nvme::status status{};
    };
    /// Takes the next completion, and frees its slot, or keeps it until abort_over(). Only when
    /// has_completion().
    [[nodiscard]] reaped take_completion() noexcept;
    /// Gives completion entries back to the drive: those of many at once, unless `all`.
    void release_entries(bool all) noexcept;
    /// The drive is gone: register writes stop.
    void mute() noexcept { muted_ = true; }

    /// The owner of what is at the drive in `slot`, or null. For teardown.
    [[nodiscard]] void* owner_of(std::uint32_t slot) const noexcept {
        return slots_[slot].busy ? slots_[slot].owner : nullptr;
    }
    void forget(std::uint32_t slot) noexcept;

    // For whoever ends commands before the drive does. Only of a slot with something at the drive.
    [[nodiscard]] instant since(std::uint32_t slot) const noexcept { return slots_[slot].since; }
    [[nodiscard]] abort_stage abort_of(std::uint32_t slot) const noexcept {
        return slots_[slot].abort;
    }
    /// Once per command: further wishes change nothing.
    void want_abort(std::uint32_t slot) noexcept {
        if (slots_[slot].abort == abort_stage::none) slots_[slot].abort = abort_stage::wanted;
    }
    void abort_asked(std::uint32_t slot) noexcept { slots_[slot].abort = abort_stage::asked; }
    /// Identifiers come again after some hundred uses of a slot. So one whose Abort may still reach
    /// the drive is not used again before this.
    void abort_over(std::uint32_t slot) noexcept;
    [[nodiscard]] bool at_drive(std::uint32_t slot) const noexcept { return slots_[slot].busy; }

  private:
    struct slot_state {
        void* owner = nullptr;
        instant since{};
        std::uint16_t generation = 0;
        bool busy = false;
        abort_stage abort = abort_stage::none;
        std::uint32_t next_free = no_slot;
    };
    [[nodiscard]] completion_fault check(const nvme::cqe& entry) const noexcept;
    [[nodiscard]] const nvme::cqe* entry_at_head() const noexcept;
    void write_doorbell(std::uint32_t offset, std::uint32_t value) noexcept;

    std::uint16_t qid_;
    queue_layout layout_;
    unsigned slot_bits_;
    queue_memory memory_;
    vfio::mmio_window registers_;
    std::uint32_t sq_doorbell_;
    std::uint32_t cq_doorbell_;
    std::uint32_t sq_tail_ = 0;
    std::uint32_t sq_told_ = 0;
    std::uint32_t cq_head_ = 0;
    std::uint32_t cq_unreleased_ = 0;
    bool phase_ = true;
    bool muted_ = false;
    std::uint32_t at_drive_ = 0;
    std::uint32_t first_free_ = 0;
    std::unique_ptr<slot_state[]> slots_;
    queue_counters counters_;
};

}  // namespace fulmar::backend::pcie
