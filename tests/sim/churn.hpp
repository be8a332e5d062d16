// One churn: everybody does what he likes for a while, then everything must come to rest.
#pragma once

#include <cstdint>

namespace fulmar::sim {

/// The first `drives` of its five disks are real drives' devices. Returns the trace's hash.
/// Failures are GoogleTest's.
std::uint64_t churn(std::uint64_t seed, unsigned data_reactors, unsigned drives = 0);

}  // namespace fulmar::sim
