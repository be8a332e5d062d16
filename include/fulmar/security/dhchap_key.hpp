// Keys of DH-HMAC-CHAP in the form that people exchange: "DHHC-1:hh:<base64 of key and CRC-32>:".
// NVMe Base 2.0, section 8.13.5.7 (DH-HMAC-CHAP secret representation).
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/nvme/auth.hpp>
#include <fulmar/security/secret.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar::security {

/// hh: what is made of the key for one NQN.
enum class key_transform : std::uint8_t { none = 0, sha256 = 1, sha384 = 2, sha512 = 3 };

struct dhchap_key {
    secret bytes;  ///< 32, 48 or 64
    key_transform transform = key_transform::none;
    /// A former key: until when it is accepted. The present one, and one without an end: max().
    std::chrono::system_clock::time_point until = std::chrono::system_clock::time_point::max();

    [[nodiscard]] dhchap_key clone() const noexcept { return {bytes.clone(), transform, until}; }
};

/// The longest text: 64 bytes and the CRC as base64, between "DHHC-1:hh:" and ":".
inline constexpr std::size_t dhchap_key_text_max = 10 + 92 + 1;

/// Errors: invalid_argument, with what is wrong and never a part of the text; no_memory.
/// Called on: any thread.
[[nodiscard]] result<dhchap_key> parse_dhchap_key(std::string_view text);
/// Empty when there is no memory.  Called on: any thread.
[[nodiscard]] secret write_dhchap_key(const dhchap_key& key) noexcept;
/// A new one of 32, 48 or 64 bytes. Errors: invalid_argument, unavailable, no_memory.
/// Called on: any thread.
[[nodiscard]] result<dhchap_key> generate_dhchap_key(std::size_t bytes, key_transform transform);
/// What both sides compute with: the key itself, or its transform by the NQN of its owner.
/// Errors: no_memory.  Called on: any thread.
[[nodiscard]] result<secret> transformed(const dhchap_key& key, std::string_view owner_nqn);

}  // namespace fulmar::security
