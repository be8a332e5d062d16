// The fields of the keys of a host.
#pragma once

#include <fulmar/core/fields/field.hpp>

namespace fulmar::core {

/// As operators say them, the weakest first.
inline constexpr std::array<std::string_view, 3> dhchap_hash_words{"sha256", "sha384", "sha512"};
inline constexpr std::array<std::string_view, 6> dhchap_group_words{
    "none", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"};

template <>
struct fields_of<host_keys_spec> {
    static constexpr std::array all{
        field<host_keys_spec>{&host_keys_spec::nqn,
                              {.name = "nqn",
                               .form = field_form::host,
                               .need = field_need::always,
                               .always_written = true,
                               .help = "The NQN of the host.",
                               .sample = "such as \"nqn.2014-08.org.nvmexpress:uuid:…\", what "
                                         "/etc/nvme/hostnqn of the host says"}},
        field<host_keys_spec>{&host_keys_spec::dhchap_key,
                              {.name = "dhchap_key",
                               .form = field_form::key_name,
                               .least = 1,
                               .most = limits::max_key_name_bytes,
                               .need = field_need::always,
                               .always_written = true,
                               .help = "The name of the key with which the host must "
                                       "authenticate.",
                               .sample = "such as \"host1\": a name of letters, digits, '.', '_' "
                                         "and '-', never a key itself"}},
        field<host_keys_spec>{&host_keys_spec::dhchap_ctrl_key,
                              {.name = "dhchap_ctrl_key",
                               .form = field_form::key_name,
                               .most = limits::max_key_name_bytes,
                               .help = "The name of the key with which the subsystem proves who "
                                       "it is, when the host asks.",
                               .sample = "such as \"disk1\": a name, never a key itself"}},
    };
};

}  // namespace fulmar::core
