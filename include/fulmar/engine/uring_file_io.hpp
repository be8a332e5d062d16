// File operations on io_uring: one ring per reactor, created on its thread.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/engine/file_io.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::engine {

struct uring_options {
    std::uint32_t depth = 256;  ///< operations per submission; a power of two
    std::uint32_t most = limits::file_operations_per_reactor;  ///< at the kernel; a power of two
    unsigned forbidden_flags = 0;  ///< setup flags to do without (tests of older kernels)
};

/// Called on: any thread.
std::unique_ptr<file_io_provider> make_uring_files(const uring_options& options = {});

/// Whether io_uring works for this process; the error says why not and what to do.  Called on: any
/// thread.
result<void> probe_uring();

}  // namespace fulmar::engine
