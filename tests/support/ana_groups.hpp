// What an operator says of ANA groups.
#pragma once

#include <fulmar/core/control.hpp>
#include <fulmar/core/fields/field_compare.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace fulmar::test {

template <typename Spec>
void mark_field(core::field_edits<Spec>& edits, std::string_view name) {
    const auto* const field = core::find_field<Spec>(name);
    core::mark(edits, static_cast<std::size_t>(field - core::fields_of<Spec>::all.data()));
}

/// By every listener without a state of its own.
[[nodiscard]] inline core::modify_ana_group ana_state_of(std::string nqn, std::uint32_t group,
                                                         core::ana_state state) {
    core::modify_ana_group change{.nqn = std::move(nqn), .id = group, .set = {}};
    change.set.values.state = state;
    mark_field(change.set, "state");
    return change;
}

/// To `change`, and from there on to `then`.
[[nodiscard]] inline core::modify_ana_group ana_change_to(std::string nqn, std::uint32_t group,
                                                          core::ana_state then) {
    core::modify_ana_group change = ana_state_of(std::move(nqn), group, core::ana_state::change);
    change.set.values.then = then;
    mark_field(change.set, "then");
    return change;
}

[[nodiscard]] inline core::modify_namespace move_to_ana_group(std::string nqn, std::uint32_t nsid,
                                                              std::uint32_t group) {
    core::modify_namespace change{.nqn = std::move(nqn), .nsid = nsid, .set = {}};
    change.set.values.ana_group = group;
    mark_field(change.set, "ana_group");
    return change;
}

}  // namespace fulmar::test
