// The listeners, devices, subsystems and referrals of a config file, and the rules between them.
// Pure. Must never: stop at the first problem.
#pragma once

#include "object_reader.hpp"

#include <fulmar/core/model.hpp>

#include <string>

namespace fulmar::admin {

/// Reads the four members of `root`. Reports names that are taken twice, references to nothing, and
/// devices that would back two namespaces. `folder`: what relative paths are relative to.
core::target_spec read_target(object_reader& root, const std::string& discovery_nqn,
                              const std::string& folder);

}  // namespace fulmar::admin
