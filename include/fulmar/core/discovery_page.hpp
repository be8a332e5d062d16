// One page of the discovery log, as one kind of host sees it: made by the control reactor once per
// change, shared by all controllers whose hosts see the same.
// Must never: change once it is shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::core {

/// Called on: any thread.
struct discovery_page {
    std::uint64_t generation = 0;  ///< GENCTR
    std::vector<std::byte> bytes;
};

using discovery_view = std::shared_ptr<const discovery_page>;

}  // namespace fulmar::core
