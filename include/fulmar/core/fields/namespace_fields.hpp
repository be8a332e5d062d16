// The fields of a namespace.
#pragma once

#include <fulmar/core/fields/field.hpp>

namespace fulmar::core {

template <>
struct fields_of<namespace_spec> {
    static constexpr std::array all{
        field<namespace_spec>{
            &namespace_spec::nsid,
            {.name = "nsid",
             .form = field_form::number,
             .least = 1,
             .most = limits::max_namespaces,
             .need = field_need::in_file,
             .always_written = true,
             .help = "At most max_namespaces of the subsystem. A request may leave it out: the "
                     "lowest that is free.",
             .sample = "the namespace's identity depends on it; such as \"nsid\": 1"}},
        field<namespace_spec>{&namespace_spec::device,
                              {.name = "device",
                               .least = 1,
                               .most = limits::max_name_bytes,
                               .need = field_need::always,
                               .always_written = true,
                               .help = "The name of one of the devices; a device backs one "
                                       "namespace.",
                               .sample = "the name of one of \"devices\""}},
        field<namespace_spec>{&namespace_spec::uuid,
                              {.name = "uuid",
                               .form = field_form::uuid,
                               .change = field_change::chosen,
                               .help = "Empty: derived from NQN and NSID.",
                               .sample = "such as \"3fd11b0a-…\", not all zero; or leave it out to "
                                         "have it derived from NQN and NSID"}},
        field<namespace_spec>{&namespace_spec::nguid,
                              {.name = "nguid",
                               .form = field_form::nguid,
                               .change = field_change::chosen,
                               .help = "Empty: derived from NQN and NSID.",
                               .sample = "32 hexadecimal digits, not all zero; or leave it out to "
                                         "have it derived from NQN and NSID"}},
        field<namespace_spec>{&namespace_spec::ana,
                              {.name = "ana_state",
                               .form = field_form::word,
                               .words = words_of<ana_state>::names,
                               .change = field_change::by_request,
                               .help = "How good the path through this target is, for hosts that "
                                       "have several; of a namespace without ana_group."}},
        field<namespace_spec>{&namespace_spec::ana_group,
                              {.name = "ana_group",
                               .form = field_form::number,
                               .most = limits::max_ana_groups,
                               .change = field_change::noticed,
                               .help = "The one of the subsystem's ana_groups that it is in, which "
                                       "then says how good its paths are; 0: none.",
                               .sample = "the id of one of \"ana_groups\""}},
        field<namespace_spec>{&namespace_spec::on_loss,
                              {.name = "on_loss",
                               .form = field_form::word,
                               .words = words_of<loss_policy>::names,
                               .help = "What hosts see when the drive is gone: errors at once, or "
                                       "a bounded wait for its return."}},
        field<namespace_spec>{
            &namespace_spec::park_ms,
            {.name = "park_ms",
             .form = field_form::number,
             .most = limits::max_park_ms,
             .help = "hold: how long one request waits. Linux gives up after 30 s."}},
        field<namespace_spec>{&namespace_spec::hold_s,
                              {.name = "hold_s",
                               .form = field_form::number,
                               .most = limits::max_hold_s,
                               .help = "hold: how long the namespace waits; then it is as under "
                                       "fail."}},
        field<namespace_spec>{
            &namespace_spec::visible_to,
            {.name = "visible_to",
             .form = field_form::host_choice,
             .most = limits::max_visible_hosts,
             .change = field_change::noticed,
             .help =
                 "Which of the subsystem's hosts see it: \"all\", or the NQNs of those that do; "
                 "an empty list: none. To the others it does not exist.",
             .sample = "\"all\", or a list of what /etc/nvme/hostnqn of each host says"}},
        field<namespace_spec>{&namespace_spec::description, description_facts},
    };
};

/// What becomes of a namespace when its device is lost.
inline constexpr std::array loss_fields{*find_field<namespace_spec>("on_loss"),
                                        *find_field<namespace_spec>("park_ms"),
                                        *find_field<namespace_spec>("hold_s")};

}  // namespace fulmar::core
