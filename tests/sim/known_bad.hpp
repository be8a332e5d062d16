// This program once more, as a known-bad build: with one deliberate bug, for one scenario.
#pragma once

#include <fulmar/base/mutation.hpp>

#include <string>

namespace fulmar::sim {

struct ending {
    int status = 0;  ///< as of wait(2)
    std::string output;
};

/// Whole, although this run may be one of several shards. `seeds` 0: as many as the scenario says.
ending run_with(mutation bug, const std::string& scenario, unsigned seeds = 0);

}  // namespace fulmar::sim
