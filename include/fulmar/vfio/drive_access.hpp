// How a driver reaches one drive: registers, interrupts, memory that the drive may read and write.
// The kernel's VFIO is behind it, or a test's own controller. Control path only: the data path uses
// the mmio_window and the addresses that it got here.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/vfio/interrupt_mask.hpp>
#include <fulmar/vfio/mmio.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fulmar::vfio {

/// One opening of one drive. Called on: the drive's own helper thread, unless a method says
/// otherwise; one thread at a time.
class drive_access {
  public:
    virtual ~drive_access() = default;

    /// Opens the drive and lets it reach memory; at most `vectors` interrupts. May block: the
    /// kernel resets the function.  Errors: not_found; not_supported (no IOMMU); conflict (another
    /// driver or process has it, which is named); permission_denied; no_memory; io_error.
    virtual result<void> open(std::uint32_t vectors) = 0;

    /// Makes `memory` (page aligned) reachable for the drive; its address there.  Errors: no_memory
    /// (address space, or locked memory).
    virtual result<std::uint64_t> map(std::span<std::byte> memory) = 0;

    [[nodiscard]] virtual mmio_window registers() const noexcept = 0;
    /// An eventfd, or -1 when the drive has no such vector.  Called on: any thread.
    [[nodiscard]] virtual int interrupt_fd(std::uint32_t vector) const noexcept = 0;
    /// Of the vector that interrupt_fd() tells of; it does nothing where there is none.
    [[nodiscard]] virtual vfio::interrupt_mask interrupt_mask(std::uint32_t vector) const noexcept {
        static_cast<void>(vector);
        return {};
    }
    /// The kernel asks for the drive: whoever unbinds or unplugs it waits until close().
    [[nodiscard]] virtual int removal_fd() const noexcept = 0;
    /// The bus reported an error of this drive.
    [[nodiscard]] virtual int error_fd() const noexcept = 0;
    /// The kernel asks for the drive now.
    [[nodiscard]] bool removal_wanted() const noexcept;
    /// Until the first interrupt of vector 0, which it takes, a request for the drive, or `limit`.
    virtual void wait(duration limit) noexcept;

    /// Takes away the right to touch memory, and from then on accesses to registers() go nowhere.
    /// True when the drive confirmed it; false: it does not answer, and only cut() makes its
    /// memory safe.
    virtual bool silence() noexcept = 0;
    /// No memory is reachable for the drive any more.
    virtual void cut() noexcept = 0;
    /// Gives the drive back: whoever wants to unplug it waits for this. May block for more than 10
    /// s on a dead one.
    virtual void close() noexcept = 0;
    /// After close(): what is left, the mappings above all.
    virtual void dismantle() noexcept = 0;
};

/// Called on: any thread.
class drive_access_provider {
  public:
    virtual ~drive_access_provider() = default;
    [[nodiscard]] virtual std::unique_ptr<drive_access> make(const pci_address& address) = 0;
    /// A drive is at that place, whoever drives it. Must not touch the drive.
    [[nodiscard]] virtual bool present(const pci_address& address) noexcept = 0;
    /// Takes a drive from the kernel's nvme driver for us, when nobody uses it.  Errors: not_found;
    /// conflict (in use: by whom); permission_denied; io_error.  Called on: helper thread.
    virtual result<void> take(const pci_address& address) = 0;
};

/// The kernel's: /dev/vfio and /sys/bus/pci.
/// Called on: any thread.
std::unique_ptr<drive_access_provider> make_vfio_provider();

}  // namespace fulmar::vfio
