// What the ANA state of a path to a namespace lets through (NVMe Base 2.0, section 8.1.3). Any
// thread; pure.
#pragma once

#include "verdict.hpp"

#include <fulmar/base/mutation.hpp>
#include <fulmar/core/model.hpp>

namespace fulmar::core::policy {

/// `held`: the device is lost, and its I/O waits at the gate. Hosts that have not enabled ANA
/// events cannot interpret an ANA status; their I/O waits there instead.
[[nodiscard]] inline verdict ana(ana_state state, bool held, bool follows_ana) noexcept {
    if (mutated(mutation::closed_paths_serve)) return pass;
    if (is_served(state) || (held && !follows_ana)) return pass;
    switch (state) {
        case ana_state::inaccessible: return answer(nvme::sc::ana_inaccessible);
        case ana_state::persistent_loss: return answer(nvme::sc::ana_persistent_loss);
        case ana_state::change: return answer(nvme::sc::ana_transition);
        case ana_state::optimized:
        case ana_state::non_optimized: break;
    }
    return pass;
}

}  // namespace fulmar::core::policy
