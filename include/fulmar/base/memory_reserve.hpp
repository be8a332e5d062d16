// Memory that is kept back, so that what has begun can end when there is no more to be had. Most of
// what the control reactor does comes in steps, and a step in the middle cannot say "no memory":
// the reserve is for these. Whoever begins something new asks first whether it is whole.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::memory_reserve {

/// Keeps `bytes` of address space that count as used and cost no memory; from now on `operator new`
/// takes them when the system gives no more. Once per process; what was kept before is kept.
/// Errors: no_memory.  Called on: main thread, before others are there.
result<void> keep(std::size_t bytes);

/// False while the reserve has been given away and there is not enough to fill it again: then
/// nothing new should begin. Tries each time that it is asked. True where none is kept.
/// Called on: any thread.
[[nodiscard]] bool whole() noexcept;

/// How often it was given away.  Called on: any thread.
[[nodiscard]] std::uint64_t times_given() noexcept;

}  // namespace fulmar::memory_reserve
