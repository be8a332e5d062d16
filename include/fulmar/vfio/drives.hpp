// The NVMe drives of this machine as sysfs shows them, and which driver has them. Reading
// attributes of a drive that the kernel is asking for deadlocks until its descriptor is closed:
// never on a reactor, and not between the device-request event and close().
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::vfio {

/// Folders, so that a test can bring its own.
struct system_paths {
    std::string pci = "/sys/bus/pci";
    std::string proc = "/proc";
    std::string dev = "/dev";
};

struct drive_info {
    pci_address address{};
    std::string driver{};  ///< "nvme", "vfio-pci"; empty: none
    std::optional<int> iommu_group{};
    std::string slot{};    ///< name of the hot-plug slot; empty: none
    std::string vendor{};  ///< "0x1b36"
    std::string device{};
    std::vector<std::string> users{};  ///< who uses its disks: "/dev/nvme0n1 is mounted on /data"
    // What the kernel's nvme driver tells; empty under any other driver.
    std::string serial{};
    std::string model{};
    std::string firmware{};
    std::string subsystem_nqn{};
    std::vector<std::string> disks{};  ///< its namespaces: "nvme0n1"
};

/// The light beside a hot-plug slot that calls for attention.
enum class slot_indicator : std::uint8_t { off = 0, on = 1, blink = 2 };

/// Called on: helper thread or a command-line program, all functions.

/// Every PCI function of class NVMe, in order of address.
/// `open` are in our hands: of them only links are read, no attributes, since the kernel may be
/// asking for one of them at any moment.
std::vector<drive_info> list_drives(const system_paths& paths = {},
                                    std::span<const pci_address> open = {});
/// Errors: not_found (nothing there, or not an NVMe drive).
result<drive_info> find_drive(const pci_address& address, const system_paths& paths = {});

/// Moves a drive to `driver` ("vfio-pci", "nvme"), or to whichever the kernel chooses when empty.
/// Errors: not_found; conflict (in use, by whom); not_supported (no IOMMU; no such driver);
/// permission_denied; io_error.
result<void> bind_drive(const pci_address& address, const std::string& driver,
                        const system_paths& paths = {});

/// Errors: not_supported (no hot-plug slot, or one without such a light); permission_denied;
/// io_error.
result<void> set_indicator(const pci_address& address, slot_indicator to,
                           const system_paths& paths = {});

/// The IOMMU group's number.  Errors: not_found; not_supported (no IOMMU).
result<int> iommu_group_of(const pci_address& address, const system_paths& paths = {});

}  // namespace fulmar::vfio
