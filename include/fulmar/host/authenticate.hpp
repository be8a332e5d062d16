// DH-HMAC-CHAP on a queue, as the host has it: before anything else, or again at any time.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/fabrics.hpp>
#include <fulmar/security/dhchap_host.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::host {

/// Whom the host says it is, shared by the queues of a controller; null: it has no key.
using credentials = std::shared_ptr<const security::dhchap_credentials>;

[[nodiscard]] nvme::sqe make_authentication(nvme::fctype which, std::uint32_t bytes) noexcept;

/// Blocks until `until`. Errors: permission_denied (one side could not prove who it is, with a
/// remedy), io_error (a status other than success), timed_out, the connection's.
/// Called on: the thread of `q`.
[[nodiscard]] result<void> authenticate(queue& q, const security::dhchap_credentials& who,
                                        const deadline& until);

/// Connect, and what the target asks for before it lets the queue run. With a controller key the
/// target has to prove who it is, whether it asks or not. The controller id.
/// Errors: those of connect_queue_ok() and authenticate(); permission_denied when `who` is null and
/// the target asks.
[[nodiscard]] result<std::uint16_t> join_queue(queue& q, const connect_parameters& p,
                                               const credentials& who, const deadline& until);

/// The key in a file: its first line. Errors: of the file, invalid_argument.
[[nodiscard]] result<security::dhchap_key> read_key_file(const std::string& path);
/// The same of a key of TLS.
[[nodiscard]] result<security::tls_key> read_tls_key_file(const std::string& path);
/// The first word in a file. Errors: of the file.
[[nodiscard]] result<security::secret> read_key_line(const std::string& path);

}  // namespace fulmar::host
