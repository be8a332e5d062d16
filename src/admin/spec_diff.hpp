// What has to change for a running configuration to become a wanted one. Pure.
// Must never: order a change before one that it needs, or touch what is the same on both sides.
#pragma once

#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <optional>
#include <vector>

namespace fulmar::admin {

/// The changes, in an order in which each is possible: removals before what takes their place.
/// Values that `wanted` leaves open (an empty serial or UUID, port 0, a file's size) fit whatever
/// is running. A device that differs takes its namespace with it: removed first, added again last.
std::vector<core::change> diff(const core::target_spec& running, const core::target_spec& wanted);

/// The changes for one subsystem; nothing when it must be deleted and created anew, since something
/// differs that is fixed at creation (serial, model, listeners, controller ids).
std::optional<std::vector<core::change>> diff_subsystem(const core::subsystem_spec& running,
                                                        const core::subsystem_spec& wanted);

}  // namespace fulmar::admin
