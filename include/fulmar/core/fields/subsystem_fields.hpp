// The fields of a subsystem.
#pragma once

#include <fulmar/core/fields/ana_group_fields.hpp>
#include <fulmar/core/fields/host_keys_fields.hpp>
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
        field<subsystem_spec>{
            &subsystem_spec::host_keys,
            {.name = "host_keys",
             .form = field_form::objects,
             .most = limits::max_hosts,
             .change = field_change::in_place,
             .help = "Hosts that must authenticate (DH-HMAC-CHAP) or be encrypted (TLS), and the "
                     "names of their keys. Whether they may connect is what hosts and "
                     "allow_any_host say.",
             .sample = "such as [{\"nqn\": \"nqn.2014-08.org.nvmexpress:uuid:…\", "
                       "\"dhchap_key\": \"host1\"}]",
             .schema = "host_keys"}},
        field<subsystem_spec>{&subsystem_spec::dhchap_required,
                              {.name = "dhchap_required",
                               .form = field_form::flag,
                               .change = field_change::in_place,
                               .help = "Hosts that have no key here may not connect."}},
        field<subsystem_spec>{&subsystem_spec::dhchap_hashes,
                              {.name = "dhchap_hashes",
                               .form = field_form::texts,
                               .most = dhchap_hash_words.size(),
                               .words = dhchap_hash_words,
                               .change = field_change::in_place,
                               .help = "Hashes that hosts may authenticate with; empty: all. The "
                                       "strongest that both know is taken.",
                               .sample = "such as [\"sha384\", \"sha512\"]",
                               .option = "--dhchap-hash"}},
        field<subsystem_spec>{
            &subsystem_spec::dhchap_groups,
            {.name = "dhchap_groups",
             .form = field_form::texts,
             .most = dhchap_group_words.size(),
             .words = dhchap_group_words,
             .change = field_change::in_place,
             .help = "Diffie-Hellman groups that hosts may authenticate with; empty: none, "
                     "ffdhe2048 and ffdhe3072. A queue costs 6 ms of a processor with ffdhe3072, "
                     "100 ms with ffdhe8192.",
             .sample = "such as [\"ffdhe2048\", \"ffdhe3072\"]",
             .option = "--dhchap-group"}},
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
        field<subsystem_spec>{&subsystem_spec::ana_groups,
                              {.name = "ana_groups",
                               .form = field_form::objects,
                               .most = limits::max_ana_groups,
                               .change = field_change::by_request,
                               .help = "Groups of namespaces whose paths change together.",
                               .sample = "such as [{\"id\": 1, \"state\": \"optimized\"}]",
                               .schema = "ana_group"}},
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
