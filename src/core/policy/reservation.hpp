// Whether the reservation of a namespace lets a command of this host through (NVMe Base 2.0,
// section 8.19.1). Any thread; pure. Must never: be asked again of a command that it has let
// through: a later reservation does not take that back.
#pragma once

#include "verdict.hpp"

#include <cstdint>

namespace fulmar::core::policy {

/// `denied` to its host by the namespace, and `needed` by the command: both are access bits of
/// reservation_access.hpp. Nothing is denied where nobody holds a reservation.
[[nodiscard]] constexpr verdict reservation(std::uint8_t denied, std::uint8_t needed) noexcept {
    return (denied & needed) == 0 ? pass : answer(nvme::sc::reservation_conflict.no_retry());
}

}  // namespace fulmar::core::policy
