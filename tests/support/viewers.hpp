// What an operator says to show a namespace to some hosts.
#pragma once

#include <fulmar/core/control.hpp>
#include <fulmar/core/fields/field_compare.hpp>

#include <string>
#include <utility>
#include <vector>

namespace fulmar::test {

[[nodiscard]] inline core::modify_namespace visible_to(std::string nqn, std::uint32_t nsid,
                                                       core::host_choice hosts) {
    core::modify_namespace change{.nqn = std::move(nqn), .nsid = nsid, .set = {}};
    change.set.values.visible_to = std::move(hosts);
    const auto* const field = core::find_field<core::namespace_spec>("visible_to");
    core::mark(change.set,
               static_cast<std::size_t>(field - core::fields_of<core::namespace_spec>::all.data()));
    return change;
}
[[nodiscard]] inline core::host_choice only(std::vector<std::string> hosts) {
    return {.all = false, .named = std::move(hosts)};
}
inline const core::host_choice everybody{};

}  // namespace fulmar::test
