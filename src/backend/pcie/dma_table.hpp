// Where a drive finds our memory: a few regions, each mapped as a whole. Filled before the data
// path runs; read by every reactor.
#pragma once

#include <fulmar/base/limits.hpp>

#include <boost/container/static_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fulmar::backend::pcie {

/// Called on: any thread, once it is filled.
class dma_table {
  public:
    /// False when it is full.
    bool add(std::span<const std::byte> memory, std::uint64_t address) noexcept {
        if (regions_.size() == regions_.capacity()) return false;
        regions_.push_back({memory.data(), memory.size(), address});
        return true;
    }
    /// Nothing when the drive cannot reach all of [from, from + bytes).
    [[nodiscard]] std::optional<std::uint64_t> find(const void* from,
                                                    std::size_t bytes) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(from);
        for (const region& r : regions_) {
            const std::uintptr_t offset = at - reinterpret_cast<std::uintptr_t>(r.base);
            if (offset < r.bytes && bytes <= r.bytes - offset) return r.address + offset;
        }
        return std::nullopt;
    }

  private:
    struct region {
        const std::byte* base;
        std::size_t bytes;
        std::uint64_t address;
    };
    boost::container::static_vector<region, limits::max_data_reactors + 2> regions_;
};

}  // namespace fulmar::backend::pcie
