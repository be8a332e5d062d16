// Keys of TLS in the form that people exchange, "NVMeTLSkey-1:hh:<base64 of key and CRC-32>:", and
// what is made of one for a host and a subsystem: the identity that the host offers, and the key
// that TLS computes with. NVMe/TCP Transport 1.0, section 3.6.1 (TLS PSK and PSK identity
// derivation).
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/security/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::security {

/// hh of a key's text: the hash that makes the retained key of it; with `none` it is that itself.
enum class tls_key_hash : std::uint8_t { none = 0, sha256 = 1, sha384 = 2 };

/// hh of an identity: what the connection is encrypted with. A key of 32 bytes goes with the first,
/// one of 48 with the second.
enum class tls_suite : std::uint8_t { aes128_gcm_sha256 = 1, aes256_gcm_sha384 = 2 };
/// "TLS_AES_128_GCM_SHA256".  Called on: any thread.
[[nodiscard]] constexpr const char* to_string(tls_suite suite) noexcept {
    return suite == tls_suite::aes128_gcm_sha256 ? "TLS_AES_128_GCM_SHA256"
                                                 : "TLS_AES_256_GCM_SHA384";
}
/// Bytes of its hash, and of its keys here.
[[nodiscard]] constexpr std::size_t size_of(tls_suite suite) noexcept {
    return suite == tls_suite::aes128_gcm_sha256 ? 32 : 48;
}

struct tls_key {
    secret bytes;  ///< 32 or 48
    tls_key_hash hash = tls_key_hash::none;

    [[nodiscard]] tls_key clone() const noexcept { return {bytes.clone(), hash}; }
    [[nodiscard]] tls_suite suite() const noexcept {
        return bytes.size() == 32 ? tls_suite::aes128_gcm_sha256 : tls_suite::aes256_gcm_sha384;
    }
};

/// What every text of a key begins with.
inline constexpr std::string_view tls_key_prefix = "NVMeTLSkey-1:";
/// The longest text: 48 bytes and the CRC as base64, between "NVMeTLSkey-1:hh:" and ":".
inline constexpr std::size_t tls_key_text_max = 16 + 72 + 1;

/// Errors: invalid_argument, with what is wrong and never a part of the text; no_memory.
/// Called on: any thread.
[[nodiscard]] result<tls_key> parse_tls_key(std::string_view text);
/// Empty when there is no memory.  Called on: any thread.
[[nodiscard]] secret write_tls_key(const tls_key& key) noexcept;
/// A new one for that suite. Errors: unavailable, no_memory.  Called on: any thread.
[[nodiscard]] result<tls_key> generate_tls_key(tls_suite suite);

/// Which version of identities: with `plain` nothing in it tells one key from another.
enum class tls_identity_version : std::uint8_t { plain = 0, digest = 1 };

/// An identity that a host has offered, read. Its texts lie in what was read.
struct tls_identity {
    tls_identity_version version = tls_identity_version::digest;
    tls_suite suite = tls_suite::aes128_gcm_sha256;
    std::string_view host_nqn;
    std::string_view subsystem_nqn;
    std::string_view digest;  ///< base64; empty in version 0
};
/// Nothing: it is none of a retained key ("NVMe1R01 …", "NVMe0R02 …"), or longer than one can be.
/// Called on: any thread.
[[nodiscard]] std::optional<tls_identity> read_tls_identity(std::string_view text) noexcept;

/// How keys are expanded.
enum class tls_derivation : std::uint8_t {
    standard,
    old_libnvme,  ///< as libnvme up to 1.14 does it, which is not what the specification says
};

/// What TLS computes with for one host and one subsystem.
struct tls_psk {
    std::string identity;
    secret key;
    tls_suite suite = tls_suite::aes128_gcm_sha256;
};
/// Takes some tens of microseconds. Errors: no_memory; invalid_argument (names of together more
/// than 243 bytes have no identity of version 0 but by old_libnvme).  Called on: any thread.
[[nodiscard]] result<tls_psk> derive_tls_psk(const tls_key& key, std::string_view host_nqn,
                                             std::string_view subsystem_nqn,
                                             tls_identity_version version,
                                             tls_derivation how = tls_derivation::standard);

}  // namespace fulmar::security
