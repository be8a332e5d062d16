// The fields of a subsystem.
#pragma once

#include <fulmar/core/fields/namespace_fields.hpp>

namespace fulmar::core {

template <>
struct fields_of<subsystem_spec> {
    static constexpr std::array all{
        field<subsystem_spec>{&subsystem_spec::nqn,
                              {.name = "nqn",
                               .form = field_form::nqn,
                               .least = 1,
                               .need = field_need::always,
                               .always_written = true,
                               .help = "Its name.",
                               .sample = "such as \"nqn.2026-11.io.fulmar:disk1\""}},
        field<subsystem_spec>{&subsystem_spec::serial,
                              {.name = "serial",
                               .form = field_form::ascii,
                               .most = limits::serial_bytes,
                               .change = field_change::chosen,
                               .help = "Empty: derived from the NQN.",
                               .sample = "shorten it; or leave it out"}},
        field<subsystem_spec>{&subsystem_spec::model,
                              {.name = "model",
                               .form = field_form::ascii,
                               .most = limits::model_bytes,
                               .help = "What hosts are told as the model number.",
                               .sample = "shorten it; or leave it out"}},
        field<subsystem_spec>{&subsystem_spec::allow_any_host,
                              {.name = "allow_any_host",
                               .form = field_form::flag,
                               .change = field_change::by_request,
                               .always_written = true,
                               .help = "Every host may connect.",
                               .option = "--any-host"}},
        field<subsystem_spec>{&subsystem_spec::hosts,
                              {.name = "hosts",
                               .form = field_form::hosts,
                               .most = limits::max_hosts,
                               .change = field_change::by_request,
                               .help = "The NQNs of the hosts that may connect.",
                               .sample = "such as \"nqn.2014-08.org.nvmexpress:uuid:…\", what "
                                         "/etc/nvme/hostnqn of the host says",
                               .option = "--host"}},
        field<subsystem_spec>{&subsystem_spec::listeners,
                              {.name = "listeners",
                               .form = field_form::texts,
                               .most = limits::max_listeners,
                               .help = "Names of the listeners that offer it, such as "
                                       "\"tcp:127.0.0.1:4420\"; none: all.",
                               .option = "--listener"}},
        field<subsystem_spec>{&subsystem_spec::min_cntlid,
                              {.name = "min_cntlid",
                               .form = field_form::number,
                               .least = limits::min_cntlid,
                               .most = limits::max_cntlid,
                               .help = "The smallest controller ID that hosts get here."}},
        field<subsystem_spec>{&subsystem_spec::max_cntlid,
                              {.name = "max_cntlid",
                               .form = field_form::number,
                               .least = limits::min_cntlid,
                               .most = limits::max_cntlid,
                               .help = "The largest controller ID that hosts get here."}},
        field<subsystem_spec>{
            &subsystem_spec::max_namespaces,
            {.name = "max_namespaces",
             .form = field_form::number,
             .least = 1,
             .most = limits::max_namespaces,
             .help = "How many namespaces hosts reckon with, and the largest NSID. 4096 want "
                     "limits/max_transfer of 256KiB or more, or Linux hosts do without ANA."}},
        field<subsystem_spec>{&subsystem_spec::paused,
                              {.name = "paused",
                               .form = field_form::flag,
                               .change = field_change::by_request,
                               .help = "I/O waits until an operator resumes it."}},
        field<subsystem_spec>{&subsystem_spec::description, description_facts},
        field<subsystem_spec>{&subsystem_spec::namespaces,
                              {.name = "namespaces",
                               .form = field_form::namespaces,
                               .most = limits::max_namespaces,
                               .change = field_change::by_request,
                               .always_written = true,
                               .help = "What it offers its hosts."}},
    };
};

}  // namespace fulmar::core
