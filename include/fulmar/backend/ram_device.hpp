// A device in memory.
#pragma once

#include <fulmar/backend/device.hpp>

#include <cstdint>
#include <memory>

namespace fulmar::backend {

struct ram_options {
    std::uint64_t size_bytes = 0;
    std::uint32_t block_bytes = 512;
};

/// Zero-filled and sparse: blocks cost memory once they are written, and give it back when they are
/// deallocated. Everything completes inside submit(). While one channel is open its reactor pays
/// for no lock and reads may be served in place; core opens the channels of all reactors before it
/// lets I/O through. Called on: control reactor.  Errors: invalid_argument; no_memory.
result<std::unique_ptr<device>> make_ram_device(const ram_options& options);

}  // namespace fulmar::backend
