// One VFIO container with one group in it: an address space that belongs to one drive alone, so
// that its mappings can be cut alone. One thread at a time. Must never be closed on a reactor.
#pragma once

#include "iova_allocator.hpp"

#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fulmar::vfio {

/// Called on: the drive's helper thread.
class container {
  public:
    /// Errors: not_supported (no IOMMU, no VFIO, no type 1 version 2); conflict (the group belongs
    /// to somebody else, or is not all ours); permission_denied; io_error.
    static result<container> open(const pci_address& address);
    container(container&&) = default;
    container& operator=(container&&) = delete;

    /// The descriptor of the drive.  Errors: not_found; conflict; io_error.
    result<unique_fd> open_device(const pci_address& address);

    /// Errors: no_memory (locked memory or address space); io_error.
    result<std::uint64_t> map(std::span<std::byte> memory);
    void unmap_all() noexcept;

    [[nodiscard]] std::span<const iova_range> usable() const noexcept { return usable_; }

  private:
    container(unique_fd fd, unique_fd group, std::vector<iova_range> usable);

    struct mapping {
        std::uint64_t address;
        std::uint64_t bytes;
    };
    unique_fd container_;
    unique_fd group_;  // closed first
    std::vector<iova_range> usable_;
    iova_allocator addresses_;
    std::vector<mapping> mappings_;
};

}  // namespace fulmar::vfio
