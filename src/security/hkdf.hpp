// HKDF (RFC 5869) as TLS 1.3 uses it (RFC 8446, section 7.1), for no more bytes than the hash has.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/security/digest.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace fulmar::security {

/// With a salt of zeros. Errors: no_memory.  Called on: any thread.
[[nodiscard]] result<digest> hkdf_extract(nvme::dhchap_hash hash, std::span<const std::byte> key);
/// HKDF-Expand-Label; the first `bytes` of what it gives are meant, and `context` has at most 255.
/// Errors: no_memory.  Called on: any thread.
[[nodiscard]] result<digest> hkdf_expand_label(nvme::dhchap_hash hash,
                                               std::span<const std::byte> key, std::size_t bytes,
                                               std::string_view label,
                                               std::span<const std::byte> context);

}  // namespace fulmar::security
