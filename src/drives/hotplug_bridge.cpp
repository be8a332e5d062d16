#include "hotplug_bridge.hpp"

#include <fulmar/base/log.hpp>

namespace fulmar::drives {

hotplug_bridge::hotplug_bridge(engine::reactor& control,
                               const backend::pcie_device_list& device_list,
                               vfio::drive_access_provider& provider, drive_adoption& adoption)
    : device_list_(device_list), provider_(provider), adoption_(adoption) {
    if (auto monitor = hotplug::monitor::listen(control, *this))
        monitor_ = std::move(*monitor);
    else
        log::warn("drives that are plugged in are noticed late: {}", monitor.error().text());
}

void hotplug_bridge::on_arrival(const vfio::pci_address& where) noexcept {
    if (backend::pcie_device* device = device_list_.find(where))
        device->arrived();
    else
        adoption_.arrived(where);
}

void hotplug_bridge::on_removal(const vfio::pci_address& where) noexcept {
    if (backend::pcie_device* device = device_list_.find(where))
        device->report_loss(backend::loss_cause::removed);
}

void hotplug_bridge::on_overrun() noexcept {
    for (backend::pcie_device* device : device_list_.all()) {
        if (provider_.present(device->address()))
            device->arrived();
        else
            device->report_loss(backend::loss_cause::removed);
    }
    adoption_.look_around();
}

}  // namespace fulmar::drives
