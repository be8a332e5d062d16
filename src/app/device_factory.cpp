#include "device_factory.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>

#include <fmt/format.h>

namespace fulmar::app {

core::device_factory make_device_factory(engine::reactor& control,
                                         engine::file_io_provider& files) {
    return [&control,
            &files](const core::device_spec& spec) -> result<std::unique_ptr<backend::device>> {
        if (spec.type == "ram")
            return backend::make_ram_device(
                {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
        if (spec.type == "null")
            return backend::make_null_device(
                {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
        if (spec.type == "file")
            return backend::make_file_device({.name = spec.name,
                                              .path = spec.path,
                                              .size_bytes = spec.size_bytes,
                                              .block_bytes = spec.block_bytes,
                                              .direct = spec.direct},
                                             control, files);
        return fail(errc::not_supported, fmt::format("there is no device type {}", spec.type),
                    "/type", "use ram, file or null");
    };
}

}  // namespace fulmar::app
