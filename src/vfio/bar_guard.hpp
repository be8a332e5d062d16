// Registers of a card that the kernel has switched off raise SIGBUS on access. The guard puts plain
// memory in their place, so that the access goes on and reads zero, and says so through an eventfd.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::vfio {

/// Called on: any thread. The handler is installed by the first watch() and stays; a SIGBUS
/// elsewhere ends the process as it always did.
class bar_guard {
  public:
    /// From now on [base, base + bytes) is guarded; `event_fd` is written when it was needed.
    /// Returns a handle.  Errors: limit_reached.
    static result<std::uint32_t> watch(std::byte* base, std::size_t bytes, int event_fd);
    static void unwatch(std::uint32_t handle) noexcept;
    /// Puts plain zeroed memory in the place of [base, base + bytes) at once: later accesses go
    /// nowhere. False when the kernel refuses.
    static bool replace(std::byte* base, std::size_t bytes) noexcept;
};

}  // namespace fulmar::vfio
