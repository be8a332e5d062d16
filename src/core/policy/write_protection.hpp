// Whether a command may change the blocks of a namespace (NVMe Base 2.0, section 8.12). Any thread;
// pure.
#pragma once

#include "verdict.hpp"

namespace fulmar::core::policy {

[[nodiscard]] constexpr verdict write_protection(bool is_protected, bool changes_blocks) noexcept {
    return is_protected && changes_blocks ? answer(nvme::sc::namespace_write_protected.no_retry())
                                          : pass;
}

}  // namespace fulmar::core::policy
