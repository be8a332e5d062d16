// How much memory a process here can ever have, and has now. Blocking reads of /proc and /sys; for
// control code.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <string>

namespace fulmar::backend {

struct memory_limit {
    std::uint64_t total_bytes = UINT64_MAX;      ///< unknown: no limit
    std::uint64_t available_bytes = UINT64_MAX;  ///< now
    std::string of = "this machine";             ///< or "this control group"
};

/// The machine's memory, or the limit of the process's control group where that is less. Files are
/// looked for below `root`, for tests.
memory_limit read_memory_limit(const std::string& root = "");

/// Errors: no_memory, where `bytes` could never be written in full. Where they are more than is
/// available now, it warns.
result<void> check_memory(std::uint64_t bytes, const memory_limit& limit);

}  // namespace fulmar::backend
