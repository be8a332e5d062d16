#include "queue_pair.hpp"

#include <fulmar/base/assert.hpp>

#include <bit>
#include <cstring>
#include <utility>

namespace fulmar::backend::pcie {

queue_pair::queue_pair(std::uint16_t qid, std::uint32_t entries, const queue_memory& memory,
                       vfio::mmio_window registers, std::uint8_t dstrd)
    : qid_(qid),
      layout_{entries},
      slot_bits_(static_cast<unsigned>(std::bit_width(entries - 1))),
      memory_(memory),
      registers_(registers),
      sq_doorbell_(nvme::sq_doorbell_offset(qid, dstrd)),
      cq_doorbell_(nvme::cq_doorbell_offset(qid, dstrd)),
      slots_(std::make_unique<slot_state[]>(entries)) {
    FULMAR_ASSERT(std::has_single_bit(entries) && entries >= 2 && entries <= max_entries);
    FULMAR_ASSERT(cq_doorbell_ + sizeof(std::uint32_t) <= registers.size());
    std::memset(memory_.base, 0, layout_.sq_bytes() + layout_.cq_bytes());
    // A queue is full with one entry free: as many commands as that.
    for (std::uint32_t i = 0; i + 2 < entries; ++i) slots_[i].next_free = i + 1;
}

std::uint32_t queue_pair::take_slot(void* owner) noexcept {
    const std::uint32_t slot = first_free_;
    if (slot == no_slot) return no_slot;
    slot_state& s = slots_[slot];
    first_free_ = s.next_free;
    s.owner = owner;
    return slot;
}

void queue_pair::return_slot(std::uint32_t slot) noexcept {
    slots_[slot].owner = nullptr;
    slots_[slot].next_free = std::exchange(first_free_, slot);
}

std::span<std::byte> queue_pair::page_of(std::uint32_t slot) noexcept {
    const std::size_t offset = layout_.sq_bytes() + layout_.cq_bytes() + slot * queue_layout::page;
    return {memory_.base + offset, queue_layout::page};
}

list_memory queue_pair::list_of(std::uint32_t slot) noexcept {
    const std::span<std::byte> page = page_of(slot);
    return {{reinterpret_cast<nvme::le64*>(page.data()), page.size() / sizeof(nvme::le64)},
            memory_.address + static_cast<std::uint64_t>(page.data() - memory_.base)};
}

// The rest of the 16 bits tells the incarnations of a slot apart, so that a completion that comes
// twice is known as such even when the slot is in use again.
std::uint16_t queue_pair::cid_of(std::uint32_t slot) const noexcept {
    return static_cast<std::uint16_t>(slot | unsigned{slots_[slot].generation} << slot_bits_);
}

void queue_pair::submit(nvme::sqe command, std::uint32_t slot, instant now) noexcept {
    slot_state& s = slots_[slot];
    s.busy = true;
    s.since = now;
    s.abort = abort_stage::none;
    ++at_drive_;
    ++counters_.submitted;
    command.cid = cid_of(slot);
    std::memcpy(memory_.base + sq_tail_ * sizeof(nvme::sqe), &command, sizeof command);
    sq_tail_ = (sq_tail_ + 1) & (layout_.entries - 1);
}

void queue_pair::write_doorbell(std::uint32_t offset, std::uint32_t value) noexcept {
    if (muted_) return;
    registers_.write32(offset, value);
    ++counters_.doorbells;
}

void queue_pair::ring() noexcept {
    if (!must_ring()) return;
    write_doorbell(sq_doorbell_, sq_tail_);
    sq_told_ = sq_tail_;
}

const nvme::cqe* queue_pair::entry_at_head() const noexcept {
    return reinterpret_cast<const nvme::cqe*>(memory_.base + layout_.sq_bytes()) + cq_head_;
}

bool queue_pair::has_completion() const noexcept {
    // The last byte but one holds the phase; little-endian.
    const auto* const field = reinterpret_cast<const volatile std::uint8_t*>(entry_at_head()) +
                              offsetof(nvme::cqe, status_field);
    return ((__atomic_load_n(field, __ATOMIC_ACQUIRE) & 1u) != 0) == phase_;
}

completion_fault queue_pair::check(const nvme::cqe& entry) const noexcept {
    const std::uint32_t cid = entry.cid.value();
    const std::uint32_t slot = cid & ((1u << slot_bits_) - 1);
    if (slot + 1 >= layout_.entries) return completion_fault::unknown_command;
    if (!slots_[slot].busy || cid_of(slot) != cid) return completion_fault::idle_command;
    if (entry.sqid.value() != qid_) return completion_fault::wrong_queue;
    if (entry.sqhd.value() >= layout_.entries) return completion_fault::wrong_head;
    return completion_fault::none;
}

queue_pair::reaped queue_pair::take_completion() noexcept {
    nvme::cqe entry{};
    std::memcpy(&entry, entry_at_head(), sizeof entry);  // once: the drive may write again
    cq_head_ = (cq_head_ + 1) & (layout_.entries - 1);
    if (cq_head_ == 0) phase_ = !phase_;
    ++cq_unreleased_;
    if (check(entry) != completion_fault::none) {
        ++counters_.faults;
        return {};
    }
    const std::uint32_t slot = entry.cid.value() & ((1u << slot_bits_) - 1);
    void* const owner = slots_[slot].owner;
    forget(slot);
    ++counters_.completed;
    return {.owner = owner, .slot = slot, .dw0 = entry.dw0.value(), .status = entry.get_status()};
}

void queue_pair::forget(std::uint32_t slot) noexcept {
    slot_state& s = slots_[slot];
    s.busy = false;
    ++s.generation;
    --at_drive_;
    s.owner = nullptr;
    if (s.abort != abort_stage::asked) return_slot(slot);
}

void queue_pair::abort_over(std::uint32_t slot) noexcept {
    slot_state& s = slots_[slot];
    if (s.abort != abort_stage::asked) return;
    s.abort = abort_stage::over;
    if (!s.busy) return_slot(slot);
}

// A register write costs more than all the rest: a quarter of the queue is given back at once. The
// drive can post what the other three quarters hold.
void queue_pair::release_entries(bool all) noexcept {
    if (cq_unreleased_ == 0 || (!all && cq_unreleased_ < layout_.entries / 4)) return;
    write_doorbell(cq_doorbell_, cq_head_);
    cq_unreleased_ = 0;
}

}  // namespace fulmar::backend::pcie
