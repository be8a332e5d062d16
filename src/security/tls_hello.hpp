// The identities that a ClientHello offers, and which key its binder was made with (RFC 8446,
// section 4.2.11). Pure; every byte is the peer's choice.
#pragma once

#include <fulmar/security/tls_psk.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fulmar::security {

/// As many as are looked at.
inline constexpr std::size_t offered_identities_max = 8;

/// The pre_shared_key extension, read. Its texts lie in what was read.
struct offered_psks {
    std::vector<std::string_view> identities;         ///< the first offered_identities_max
    std::vector<std::span<const std::byte>> binders;  ///< of those
    std::size_t binders_bytes = 0;                    ///< at the end of the ClientHello
};
/// Nothing: it is malformed. `extension` is its body.  Called on: any thread.
[[nodiscard]] std::optional<offered_psks> read_offered_psks(std::span<const std::byte> extension);

/// Whether `binder` was made with `psk`. `hello` is the whole handshake message, whose last
/// `binders_bytes` are the binders; nothing comes before it.  Called on: any thread.
[[nodiscard]] bool is_bound_by(const tls_psk& psk, std::span<const std::byte> hello,
                               std::size_t binders_bytes, std::span<const std::byte> binder);

}  // namespace fulmar::security
