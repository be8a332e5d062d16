// TLS of a host's connection: what it offers, and the socket calls that it makes instead.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/endpoint.hpp>
#include <fulmar/security/tls_psk.hpp>
#include <fulmar/security/tls_socket.hpp>

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace fulmar::host {

/// The key that a host encrypts its connections with.
struct tls_offer {
    security::tls_key key;
    security::tls_identity_version version = security::tls_identity_version::digest;
    security::tls_derivation how = security::tls_derivation::standard;
    std::string hostnqn = {};  ///< of the identity; empty: as its Connects say
    std::string subnqn = {};
    bool admin_queue = true;  ///< false, for tests: that one stays plain
    bool io_queues = true;    ///< likewise of these
};

/// One thread, and the owner of the descriptor closes it.
class tls_link {
  public:
    /// Shakes hands; blocks until `until`. Errors: io_error (with the words of the other side, or
    /// of OpenSSL), timed_out, no_memory.
    [[nodiscard]] static result<std::unique_ptr<tls_link>> open(int fd,
                                                                const security::tls_psk& key,
                                                                const endpoint& to,
                                                                const deadline& until);

    /// As recvmsg() and sendmsg() of a socket that does not block: -1 with errno, 0: it has ended.
    [[nodiscard]] ssize_t receive(std::span<iovec> into) noexcept;
    [[nodiscard]] ssize_t send(std::span<const iovec> from) noexcept;
    /// Sends what is encrypted already; true when something of it is left.
    bool holds_output() noexcept;
    /// There is something to receive that poll() does not see.
    [[nodiscard]] bool has_input() const noexcept { return socket_->has_input(); }
    /// The other side learns that nothing more comes.
    void end() noexcept { socket_->end_output(); }
    /// New keys for both directions, which no Linux host ever asks for. False: it is broken.
    [[nodiscard]] bool update_keys() noexcept { return socket_->update_keys(); }
    [[nodiscard]] const security::tls_session& session() const noexcept {
        return socket_->session();
    }

  private:
    tls_link() : scratch_(new std::byte[limits::tls_scratch_bytes]) {}

    std::unique_ptr<std::byte[]> scratch_;
    std::unique_ptr<security::tls_socket> socket_;
};

}  // namespace fulmar::host
