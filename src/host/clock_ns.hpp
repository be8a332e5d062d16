// The monotonic clock as a number, for the stamps of requests and the pace of a load. Any thread.
#pragma once

#include <fulmar/base/clock.hpp>

#include <cstdint>

namespace fulmar::host {

[[nodiscard]] inline std::uint64_t clock_ns() noexcept {
    return static_cast<std::uint64_t>(monotonic_clock{}.now().time_since_epoch().count());
}

}  // namespace fulmar::host
