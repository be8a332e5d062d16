// Whether a host sees a namespace (its `visible_to`). Any thread; pure.
#pragma once

#include "verdict.hpp"

#include <fulmar/base/mutation.hpp>

namespace fulmar::core::policy {

/// What hosts are told of a namespace that is not there for them.
inline constexpr nvme::status unseen = nvme::sc::invalid_namespace_or_format.no_retry();

/// What is not seen is answered like what is not there, or a host could tell the two apart.
[[nodiscard]] inline verdict visibility(bool exists, bool hidden) noexcept {
    return exists && (!hidden || mutated(mutation::hidden_namespaces_serve)) ? pass
                                                                             : answer(unseen);
}

}  // namespace fulmar::core::policy
