// Visits every state of a small world, breadth first, so that the first thing that is wrong has the
// shortest story. Ends when no state is left to visit, never at a limit.
#pragma once

#include "world.hpp"

#include <cstdint>
#include <string>

namespace fulmar::model {

struct outcome {
    std::uint64_t states = 0;
    std::uint64_t moves = 0;
    std::uint64_t at_rest = 0;  ///< states in which the target has nothing more to do
    std::uint64_t at_end = 0;   ///< states in which nothing at all can happen any more
    std::uint32_t depth = 0;
    double seconds = 0;
    std::string wrong;  ///< empty, or the property that does not hold
    std::string story;  ///< the events that lead there, one a line
};

[[nodiscard]] outcome explore(const settings& of);

}  // namespace fulmar::model
