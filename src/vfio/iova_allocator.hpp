// Addresses as a device sees memory: which are free, within the ranges that the IOMMU reports.
// Never assumes that a virtual address fits: many IOMMUs have 39 bits.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace fulmar::vfio {

/// Both ends belong to it.
struct iova_range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    friend bool operator==(const iova_range&, const iova_range&) = default;
};

/// First fit, lowest address first. Called on: one thread at a time.
class iova_allocator {
  public:
    /// Never handed out: a device may take address 0 for "none".
    static constexpr std::uint64_t lowest = std::uint64_t{1} << 20;

    explicit iova_allocator(std::span<const iova_range> usable);

    /// `bytes` at a multiple of `alignment`, a power of two.  Errors: no_memory (address space).
    result<std::uint64_t> allocate(std::uint64_t bytes, std::uint64_t alignment);
    /// Exactly what allocate() gave.
    void release(std::uint64_t address, std::uint64_t bytes);

    [[nodiscard]] const std::vector<iova_range>& free_ranges() const noexcept { return free_; }

  private:
    std::vector<iova_range> free_;  // ascending, never adjacent
};

}  // namespace fulmar::vfio
