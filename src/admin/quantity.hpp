// Sizes as people write them: "256MiB". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::admin {

/// "4096", "16KiB", "256MiB", "1GiB", "2TiB": bytes. Nothing else, and nothing past 64 bits.
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// The largest unit that divides `bytes`: 268435456 → "256MiB". Zero and odd values stay numbers:
/// "513".
std::string print_size(std::uint64_t bytes);

}  // namespace fulmar::admin
