// A device that is not there: it stands in for one whose description is broken, so that its
// namespace stays in the active list, not ready, and hosts do not delete their disk.
#pragma once

#include <fulmar/backend/device.hpp>

#include <cstdint>
#include <memory>

namespace fulmar::backend {

struct absent_device_options {
    std::uint64_t size_bytes = 0;  ///< what hosts are told; 0: unknown, one block then
    std::uint32_t block_bytes = 512;
};

/// Called on: control reactor.
std::unique_ptr<device> make_absent_device(const absent_device_options& options);

}  // namespace fulmar::backend
