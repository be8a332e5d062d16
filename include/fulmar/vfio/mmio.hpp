// Registers of a device in its memory window. Reads of a card that is gone give all ones (or zeros
// under emulation) and may stall: never read on a data reactor. Writes are posted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fulmar::vfio {

/// A window of little-endian registers; in tests it is ordinary memory, so every access is
/// atomic as well as volatile. Copyable, owns nothing.
/// Called on: any thread.
class mmio_window {
  public:
    mmio_window() noexcept = default;
    mmio_window(std::byte* base, std::size_t bytes) noexcept : base_(base), bytes_(bytes) {}

    [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    explicit operator bool() const noexcept { return base_ != nullptr; }

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) const noexcept {
        return __atomic_load_n(at(offset), __ATOMIC_ACQUIRE);
    }
    /// Two reads, low half first: not every bridge passes 8 bytes in one piece.
    [[nodiscard]] std::uint64_t read64(std::uint32_t offset) const noexcept {
        const std::uint64_t low = read32(offset);
        return low | std::uint64_t{read32(offset + 4)} << 32;
    }
    /// What was written to memory before is there when the device sees this write (on x86, the only
    /// machine so far, a store to a register stays behind the stores before it).
    void write32(std::uint32_t offset, std::uint32_t value) const noexcept {
        __atomic_store_n(at(offset), value, __ATOMIC_RELEASE);
    }
    void write64(std::uint32_t offset, std::uint64_t value) const noexcept {
        write32(offset, static_cast<std::uint32_t>(value));
        write32(offset + 4, static_cast<std::uint32_t>(value >> 32));
    }

  private:
    [[nodiscard]] volatile std::uint32_t* at(std::uint32_t offset) const noexcept {
        return reinterpret_cast<volatile std::uint32_t*>(base_ + offset);
    }

    std::byte* base_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace fulmar::vfio
