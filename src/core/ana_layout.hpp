// The ANA groups of a subsystem as a new description of it has them. Pure; any thread.
#pragma once

#include <fulmar/core/description.hpp>

#include <vector>

namespace fulmar::core {

/// Of each namespace of `view`, `group` says what its specification does (0: none), and `ana` what
/// it is without one. Fills in the rest. May throw std::bad_alloc.
/// Called on: control reactor.
void lay_out_ana(const std::vector<ana_group_spec>& groups, subsystem_description& view);

/// Both tell every host the same of ANA, whichever listener it has come by.
[[nodiscard]] bool same_ana(const subsystem_description& one,
                            const subsystem_description& other) noexcept;

}  // namespace fulmar::core
