// From the kernel's device events to the devices that they are about.
#pragma once

#include "drive_adoption.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/hotplug/monitor.hpp>
#include <fulmar/vfio/drive_access.hpp>

#include <memory>

namespace fulmar::drives {

/// Called on: control reactor. Without the right to listen, drives are still found by their own
/// descriptors and by trying again.
class hotplug_bridge final : private hotplug::listener {
  public:
    hotplug_bridge(engine::reactor& control, const backend::pcie_device_list& device_list,
                   vfio::drive_access_provider& provider, drive_adoption& adoption);

  private:
    void on_arrival(const vfio::pci_address& where) noexcept override;
    void on_removal(const vfio::pci_address& where) noexcept override;
    void on_overrun() noexcept override;

    const backend::pcie_device_list& device_list_;
    vfio::drive_access_provider& provider_;
    drive_adoption& adoption_;
    std::unique_ptr<hotplug::monitor> monitor_;
};

}  // namespace fulmar::drives
