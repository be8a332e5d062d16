// TLS 1.3 with a pre-shared key, one side of one connection, as NVMe/TCP uses it: no certificates,
// tickets, resumption or early data; psk_dhe_ke alone. RFC 8446; NVMe/TCP Transport 1.0, section
// 3.6.1.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;

namespace fulmar::security {

struct tls_io {
    enum class outcome : std::uint8_t { moved, would_block, ended, broken };
    outcome what = outcome::would_block;
    std::size_t bytes = 0;
};

/// Where the records of a session come from, and where they go.
class tls_wire {
  public:
    /// Never blocks.
    virtual tls_io receive_records(std::span<std::byte> into) noexcept = 0;
    /// Takes all of it. False: it cannot, and the session is broken.
    virtual bool put_records(std::span<const std::byte> bytes) noexcept = 0;

  protected:
    ~tls_wire() = default;
};

/// Knows the keys of hosts.
class tls_psk_finder {
  public:
    /// The keys that a host which offers `identity` may have, the likeliest first; none: it is
    /// unknown. Where there are several, the host's own words tell which one it has.
    [[nodiscard]] virtual std::vector<tls_psk> find(std::string_view identity) const = 0;

  protected:
    ~tls_psk_finder() = default;
};

/// Never copies a key to where it is not wiped, but OpenSSL's own memory has what the connection is
/// encrypted with. Called on: one thread at a time.
class tls_session {
  public:
    /// The controller's side. `wire` and `keys` outlive it; `keys` is asked while hands are shaken.
    /// Errors: no_memory.
    [[nodiscard]] static result<std::unique_ptr<tls_session>> accept(tls_wire& wire,
                                                                     const tls_psk_finder& keys);
    /// The host's side, which offers that key. Errors: no_memory.
    [[nodiscard]] static result<std::unique_ptr<tls_session>> connect(tls_wire& wire, tls_psk key);
    ~tls_session();
    tls_session(const tls_session&) = delete;
    tls_session& operator=(const tls_session&) = delete;

    /// One step of the handshake, of at most some hundred microseconds (X25519 and P-256 are what
    /// it knows). `moved`: it is done.
    [[nodiscard]] tls_io shake_hands() noexcept;
    /// Of one record at most. A KeyUpdate that asks for one is answered.
    [[nodiscard]] tls_io read(std::span<std::byte> into) noexcept;
    /// At most limits::tls_record_bytes, as one record.
    [[nodiscard]] tls_io write(std::span<const std::byte> from) noexcept;
    /// Tells the peer that nothing more comes (close_notify).
    void end() noexcept;
    /// New keys for both directions. A controller never calls it: Linux hosts cannot take it.
    [[nodiscard]] bool update_keys() noexcept;

    /// Bytes of the wire are here that read() has not used yet.
    [[nodiscard]] bool has_input() const noexcept;
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    /// Of the key that both sides have; once it is open.
    [[nodiscard]] const std::string& identity() const noexcept { return key_.identity; }
    [[nodiscard]] tls_suite suite() const noexcept { return key_.suite; }
    /// Records under the present keys, in the direction that has more of them.
    [[nodiscard]] std::uint64_t records() const noexcept {
        return sent_ > received_ ? sent_ : received_;
    }
    /// Why it is broken: OpenSSL's words, which have no part of a key.
    [[nodiscard]] const std::string& why_broken() const noexcept { return why_; }

  private:
    friend struct tls_callbacks;
    struct free_ssl {
        void operator()(ssl_st* ssl) const noexcept;
    };
    tls_session(tls_wire& wire, const tls_psk_finder* keys) noexcept : wire_(wire), keys_(keys) {}
    [[nodiscard]] result<void> open_side(bool server);
    [[nodiscard]] tls_io after(int outcome, std::size_t bytes) noexcept;
    [[nodiscard]] bool choose_key(std::span<const std::byte> extension);
    void note_message(bool sent, int type, std::span<const std::byte> message) noexcept;

    tls_wire& wire_;
    const tls_psk_finder* keys_;  // null: it is the host's side
    tls_psk key_;
    std::unique_ptr<ssl_st, free_ssl> ssl_;
    std::vector<std::byte> hello_;  // the whole ClientHello, while hands are shaken
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    std::uint32_t updates_ = 0;  // KeyUpdates since data came
    bool chosen_ = false;
    bool open_ = false;
    bool wire_ended_ = false;
    bool broken_ = false;
    std::string why_;
};

}  // namespace fulmar::security
