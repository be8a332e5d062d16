// The worlds that are explored. Each is small enough to be visited wholly and has a theme; together
// they let everything happen that the issue of the lifecycle names.
#pragma once

#include "world.hpp"

#include <vector>

namespace fulmar::model {

[[nodiscard]] std::vector<settings> all_worlds();
[[nodiscard]] settings world_named(std::string_view name);

}  // namespace fulmar::model
