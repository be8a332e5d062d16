// TLS 1.3 of the REST endpoint: what is read from files, and who a client's certificate says it is.
// Called on: admin thread. Must never: resume a session, which would outlive a change of the files.
#pragma once

#include "http.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/result.hpp>

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace fulmar::admin {

/// What new connections of a listener use. A reload puts another one here; those that are there
/// keep theirs.
struct tls_setup {
    std::shared_ptr<boost::asio::ssl::context> now;
};

/// Reads certificate, key and client_ca of `listener`; logs a certificate that has expired or soon
/// will.
/// Errors: those of read_private_file (the key); not_found; invalid_argument when a file is no PEM,
/// or the key belongs to another certificate.
result<std::shared_ptr<boost::asio::ssl::context>> load_tls(const admin_listener& listener);

/// Names and end of the certificate that the client has proven to have; nothing when it has none.
void read_certificate(SSL* connection, http_peer& peer);

}  // namespace fulmar::admin
