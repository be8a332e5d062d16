// The fields of an ANA group of a subsystem.
#pragma once

#include <fulmar/core/fields/field.hpp>

namespace fulmar::core {

template <>
struct fields_of<ana_group_spec> {
    static constexpr std::array all{
        field<ana_group_spec>{&ana_group_spec::id,
                              {.name = "id",
                               .form = field_form::number,
                               .least = 1,
                               .most = limits::max_ana_groups,
                               .need = field_need::always,
                               .always_written = true,
                               .help = "What hosts know it by (ANAGRPID).",
                               .sample = "such as \"id\": 1"}},
        field<ana_group_spec>{&ana_group_spec::state,
                              {.name = "state",
                               .form = field_form::word,
                               .words = words_of<ana_state>::names,
                               .change = field_change::noticed,
                               .always_written = true,
                               .help = "What its paths are, at every listener that is not named in "
                                       "listeners."}},
        field<ana_group_spec>{
            &ana_group_spec::then,
            {.name = "then",
             .form = field_form::word,
             .words = words_of<ana_state>::names,
             .change = field_change::in_place,
             .help = "What its paths in state change become by themselves, before "
                     "ana_transition_s is over.",
             .sample = "any state but \"change\""}},
        field<ana_group_spec>{&ana_group_spec::listeners,
                              {.name = "listeners",
                               .form = field_form::path_states,
                               .most = limits::max_listeners,
                               .change = field_change::noticed,
                               .help = "What its paths are at some listeners, by their names: "
                                       "{\"tcp:192.0.2.1:4420\": \"inaccessible\"}.",
                               .sample = "such as {\"tcp:192.0.2.1:4420\": \"inaccessible\"}"}},
        field<ana_group_spec>{&ana_group_spec::description, description_facts},
    };
};

}  // namespace fulmar::core
