// What a connection is encrypted with, as the core asks a transport.
#pragma once

#include <fulmar/security/tls_psk.hpp>

#include <string>

namespace fulmar::core {

/// Whom the key of a TLS connection belongs to: its Connect has to name the same.
struct secure_channel {
    std::string host_nqn;
    std::string subsystem_nqn;
    security::tls_suite suite = security::tls_suite::aes128_gcm_sha256;
};

}  // namespace fulmar::core
