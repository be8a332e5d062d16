// From a specification to a device: the only place that names the backends.
#pragma once

#include <fulmar/core/device_registry.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/reactor.hpp>

namespace fulmar::app {

/// `control` and `files` outlive the factory.
core::device_factory make_device_factory(engine::reactor& control, engine::file_io_provider& files);

}  // namespace fulmar::app
