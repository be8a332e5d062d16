// The mask bit of one MSI-X vector in the drive's own table. What happens while it is set is
// pending, and comes when it is reset. PCI Local Bus 3.0, section 6.8.2.
#pragma once

#include <fulmar/vfio/mmio.hpp>

#include <cstdint>

namespace fulmar::vfio {

/// Copyable, owns nothing; does nothing where the table cannot be reached.
/// Called on: whoever waits for the vector, alone.
class interrupt_mask {
  public:
    static constexpr std::uint32_t entry_bytes = 16;
    static constexpr std::uint32_t control_offset = 12;  ///< in an entry; bit 0 masks

    interrupt_mask() noexcept = default;
    /// `table` begins with the entry of vector 0.
    interrupt_mask(mmio_window table, std::uint32_t vector) noexcept
        : table_(table), offset_(vector * entry_bytes + control_offset) {
        if (offset_ + sizeof(std::uint32_t) > table_.size()) table_ = {};
    }

    [[nodiscard]] bool there() const noexcept { return static_cast<bool>(table_); }
    /// A register write: posted, and seen by the drive after all earlier ones of this thread.
    void set(bool masked) const noexcept {
        if (there()) table_.write32(offset_, masked ? 1u : 0u);
    }

  private:
    mmio_window table_;
    std::uint32_t offset_ = 0;
};

}  // namespace fulmar::vfio
