// A device that stores nothing: for measuring everything else.
#pragma once

#include <fulmar/backend/device.hpp>

#include <cstdint>
#include <memory>

namespace fulmar::backend {

struct null_options {
    std::uint64_t size_bytes = 0;
    std::uint32_t block_bytes = 512;
};

/// Reads give zeros, writes are discarded, Compare compares with zeros. Everything completes inside
/// submit(). Called on: control reactor.  Errors: invalid_argument.
result<std::unique_ptr<device>> make_null_device(const null_options& options);

}  // namespace fulmar::backend
