// What has to change for a running configuration to become a wanted one. Pure.
// Must never: order a change before one that it needs, or touch what is the same on both sides.
#pragma once

#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::admin {

/// The changes, in an order in which each is possible: removals before what takes their place.
/// Values that `wanted` leaves open (an empty serial or UUID, port 0, a file's size) fit whatever
/// is running. A device that differs takes its namespace with it: removed first, added again last.
std::vector<core::change> diff(const core::target_spec& running, const core::target_spec& wanted);

struct shrunken_device {
    std::string name;
    std::uint64_t running_bytes = 0;
    std::uint64_t wanted_bytes = 0;
};

/// The devices that would be smaller in `wanted`: what a reload refuses. One that stands on
/// something else there is another device.
std::vector<shrunken_device> find_shrunken(const core::target_spec& running,
                                           const core::target_spec& wanted);

/// The changes for one subsystem; nothing when it must be deleted and created anew, since something
/// differs that is fixed at creation (serial, model, listeners, controller ids).
std::optional<std::vector<core::change>> diff_subsystem(const core::subsystem_spec& running,
                                                        const core::subsystem_spec& wanted);

/// Where diff_subsystem() has no way: it goes, and comes again with its hosts and namespaces in one
/// step. What `wanted` leaves open stays what it was.
std::vector<core::change> recreation_of(const core::subsystem_spec& running,
                                        const core::subsystem_spec& wanted);

}  // namespace fulmar::admin
