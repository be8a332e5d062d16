// One churn: everybody does what he likes for a while, then everything must come to rest.
#pragma once

#include <cstdint>

namespace fulmar::sim {

/// Returns the trace's hash. Failures are GoogleTest's.
std::uint64_t churn(std::uint64_t seed, unsigned data_reactors);

}  // namespace fulmar::sim
