// From a specification to a device: the only place that names the backends.
#pragma once

#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/core/device_registry.hpp>

namespace fulmar::app {

/// All of it outlives the factory; `drives` is filled before the first device is made.
core::device_factory make_device_factory(const backend::file_environment& files,
                                         const backend::pcie_environment& drives);

}  // namespace fulmar::app
