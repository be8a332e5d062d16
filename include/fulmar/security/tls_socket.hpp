// TLS over a connected socket: what is sent is encrypted into memory that connections share, and
// leaves in one call; what arrives is decrypted to where it belongs.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/security/tls_session.hpp>

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fulmar::security {

/// The socket is its owner's, who waits on it, edge-triggered if he likes, and closes it. Allocates
/// nothing for what passes, but where the peer takes less than it is sent.
/// Called on: one thread at a time, which alone uses its scratch.
class tls_socket final : private tls_wire {
  public:
    /// Records on their way out, of one call: limits::tls_scratch_bytes. Shared by the sockets of a
    /// thread.
    using scratch = std::span<std::byte>;

    /// `keys` outlives it. Errors: no_memory.
    [[nodiscard]] static result<std::unique_ptr<tls_socket>> accept(int fd, scratch room,
                                                                    const tls_psk_finder& keys);
    /// Errors: no_memory.
    [[nodiscard]] static result<std::unique_ptr<tls_socket>> connect(int fd, scratch room,
                                                                     tls_psk key);

    /// One step. `moved`: hands are shaken.
    [[nodiscard]] tls_io shake_hands() noexcept;
    /// As much as has come, until `into` is full or enough has been done for one call. `moved` with
    /// no bytes: there may be more.
    [[nodiscard]] tls_io receive(std::span<iovec> into) noexcept;
    /// As much as the socket takes, and what is encrypted of the rest: that is `moved` as well, and
    /// holds_output() until flush() has sent it.
    [[nodiscard]] tls_io send(std::span<const iovec> from) noexcept;
    /// Something is encrypted and has not left; the socket would have to take it first.
    [[nodiscard]] bool holds_output() const noexcept { return kept_from_ != kept_.size(); }
    /// False: the connection is broken.
    [[nodiscard]] bool flush() noexcept;
    /// Sends close_notify, as far as the socket takes it.
    void end_output() noexcept;
    /// New keys. False: it is broken. Hosts of tests only.
    [[nodiscard]] bool update_keys() noexcept;

    /// Bytes are here that no readiness of the socket will announce.
    [[nodiscard]] bool has_input() const noexcept { return session_->has_input(); }
    [[nodiscard]] const tls_session& session() const noexcept { return *session_; }

  private:
    tls_socket(int fd, scratch all) noexcept
        : fd_(fd),
          stage_(all.first(limits::tls_record_bytes)),
          room_(all.subspan(limits::tls_record_bytes)) {}
    tls_io receive_records(std::span<std::byte> into) noexcept override;
    bool put_records(std::span<const std::byte> bytes) noexcept override;
    [[nodiscard]] std::span<const std::byte> next_record(std::span<const iovec>& from,
                                                         std::size_t& offset) noexcept;
    [[nodiscard]] bool keep(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] bool send_room() noexcept;
    [[nodiscard]] tls_io answer(tls_io with) noexcept;

    int fd_;
    scratch stage_;                // a record's worth of small pieces
    scratch room_;                 // records
    std::size_t used_ = 0;         // of room_, within one call
    std::vector<std::byte> kept_;  // what the socket has not taken
    std::size_t kept_from_ = 0;
    unsigned calls_left_ = 0;  // of recv, within one call
    std::unique_ptr<tls_session> session_;
};

}  // namespace fulmar::security
