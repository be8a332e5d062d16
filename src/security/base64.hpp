// Base64 (RFC 4648, section 4) of secrets: no table lookups by secret values, no copies left
// behind.
#pragma once

#include <fulmar/security/secret.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace fulmar::security {

/// Empty when it is no base64, has superfluous bits or is padded wrongly.  Called on: any thread.
[[nodiscard]] secret from_base64(std::string_view text) noexcept;
/// Into the start of `to`, which has room for 4 characters per 3 bytes begun; how many it wrote.
/// Called on: any thread.
std::size_t to_base64(std::span<const std::byte> bytes, std::span<std::byte> to) noexcept;

}  // namespace fulmar::security
