// From a specification to a device: the only place that names the backends.
#pragma once

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/core/device_registry.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/reactor.hpp>

namespace fulmar::app {

/// All of it outlives the factory; `drives` is filled before the first device is made.
core::device_factory make_device_factory(engine::reactor& control, engine::file_io_provider& files,
                                         const backend::pcie_environment& drives);

}  // namespace fulmar::app
