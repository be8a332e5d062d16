// The fields of a listener and of a referral: where hosts connect to.
#pragma once

#include <fulmar/core/fields/field.hpp>

#include <limits>

namespace fulmar::core {

inline constexpr std::array<std::string_view, 2> transport_words{"tcp", "rdma"};

inline constexpr std::array<std::string_view, 3> tls_words{"refuse", "allow", "require"};

inline constexpr field_facts transport_facts{.name = "transport",
                                             .form = field_form::word,
                                             .words = transport_words,
                                             .always_written = true,
                                             .help = "What carries the commands."};
inline constexpr field_facts address_facts{
    .name = "address",
    .form = field_form::address,
    .need = field_need::always,
    .always_written = true,
    .help = "Numeric IPv4 or IPv6.",
    .sample = "such as \"127.0.0.1\", \"0.0.0.0\" or \"::1\"; names are not resolved"};

template <>
struct fields_of<listener_spec> {
    static constexpr std::array all{
        field<listener_spec>{&listener_spec::transport, transport_facts},
        field<listener_spec>{&listener_spec::address, address_facts},
        field<listener_spec>{&listener_spec::port,
                             {.name = "port",
                              .form = field_form::number,
                              .most = std::numeric_limits<std::uint16_t>::max(),
                              .always_written = true,
                              .help = "0: any free port."}},
        field<listener_spec>{
            &listener_spec::tls,
            {.name = "tls",
             .form = field_form::word,
             .words = tls_words,
             .help = "Whether connections may be, or have to be, encrypted with TLS 1.3, by the "
                     "keys of hosts (tls_psk). Of transport tcp alone."}},
    };
};

template <>
struct fields_of<referral_spec> {
    static constexpr std::array all{
        field<referral_spec>{&referral_spec::transport, transport_facts},
        field<referral_spec>{&referral_spec::address, address_facts},
        field<referral_spec>{&referral_spec::port,
                             {.name = "port",
                              .form = field_form::number,
                              .least = 1,
                              .most = std::numeric_limits<std::uint16_t>::max(),
                              .always_written = true,
                              .help = "Of the other discovery service."}},
    };
};

}  // namespace fulmar::core
