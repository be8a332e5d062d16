// Whether a command may change the blocks of a namespace (NVMe Base 2.0, section 8.12), and what
// hosts may make of its protection (feature 84h). Any thread; pure.
#pragma once

#include "verdict.hpp"

#include <fulmar/nvme/features.hpp>

namespace fulmar::core::policy {

[[nodiscard]] constexpr verdict write_protection(bool is_protected, bool changes_blocks) noexcept {
    return is_protected && changes_blocks ? answer(nvme::sc::namespace_write_protected.no_retry())
                                          : pass;
}

/// The states that there are here (NWPC): none is for ever.
[[nodiscard]] constexpr bool can_become(nvme::write_protection state) noexcept {
    switch (state) {
        case nvme::write_protection::none:
        case nvme::write_protection::write_protect:
        case nvme::write_protection::until_power_cycle: return true;
        case nvme::write_protection::permanent: return false;
    }
    return false;
}

/// A host asks for `wanted`. Until the next power cycle nothing that a host does lifts that state.
[[nodiscard]] constexpr nvme::status may_protect(nvme::write_protection now,
                                                 nvme::write_protection wanted) noexcept {
    const bool stays = now == nvme::write_protection::until_power_cycle && wanted != now;
    return stays ? nvme::sc::feature_not_changeable.no_retry() : nvme::sc::success;
}

}  // namespace fulmar::core::policy
