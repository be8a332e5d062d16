// What is outstanding, parked and abandoned, where the administration can see it without asking.
#pragma once

#include <fulmar/base/limits.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::core {

/// What one poll group has of one namespace at the moment. The control reactor's namespace_record
/// owns it; the poll group writes it until the namespace is detached there. Called on: any thread.
struct alignas(limits::cache_line) namespace_gauge {
    std::atomic<std::uint32_t> outstanding{0};  ///< past the gate and not answered
    std::atomic<std::uint32_t> parked{0};
    std::atomic<std::uint32_t> abandoned{0};    ///< answered, and at the backend still
    std::atomic<std::uint32_t> quarantined{0};  ///< chunks of the pool that those keep
};

}  // namespace fulmar::core
