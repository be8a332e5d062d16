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
                               .most = limits::max_key_name_bytes,
                               .help = "The name of the key with which the host must "
                                       "authenticate; empty: it need not.",
                               .sample = "such as \"host1\": a name of letters, digits, '.', '_' "
                                         "and '-', never a key itself"}},
        field<host_keys_spec>{&host_keys_spec::dhchap_ctrl_key,
                              {.name = "dhchap_ctrl_key",
                               .form = field_form::key_name,
                               .most = limits::max_key_name_bytes,
                               .help = "The name of the key with which the subsystem proves who "
                                       "it is, when the host asks.",
                               .sample = "such as \"disk1\": a name, never a key itself"}},
        field<host_keys_spec>{&host_keys_spec::tls_psk,
                              {.name = "tls_psk",
                               .form = field_form::key_name,
                               .most = limits::max_key_name_bytes,
                               .help = "The name of the key that its connections are encrypted "
                                       "with (TLS 1.3).",
                               .sample = "such as \"host1-tls\": a name, never a key itself"}},
        field<host_keys_spec>{&host_keys_spec::tls_optional,
                              {.name = "tls_optional",
                               .form = field_form::flag,
                               .help = "With a tls_psk, the host may connect without TLS as well, "
                                       "where a listener lets it."}},
        field<host_keys_spec>{&host_keys_spec::tls_compat,
                              {.name = "tls_compat",
                               .form = field_form::flag,
                               .help = "The tls_psk as libnvme up to 1.14 (nvme-cli up to 2.14) "
                                       "derives it is right as well."}},
    };
};

}  // namespace fulmar::core
