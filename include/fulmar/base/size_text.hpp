// Sizes as people write them; the one rule for the configuration, REST and the tool. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar {

/// "4096", "4k", "4KiB", "1G", "1GB", "2 TiB": powers of 1024, whatever the case and whether or not
/// an "i" is there. Nothing when malformed or beyond 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

}  // namespace fulmar
