// Whether a host sees a namespace. Today every host of a subsystem sees all of it. Any thread;
// pure.
#pragma once

#include "verdict.hpp"

namespace fulmar::core::policy {

/// What is not seen is answered like what is not there, or a host could tell the two apart.
[[nodiscard]] constexpr verdict visibility(bool exists) noexcept {
    return exists ? pass : answer(nvme::sc::invalid_namespace_or_format.no_retry());
}

}  // namespace fulmar::core::policy
