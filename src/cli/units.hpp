// Sizes and counts as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::cli {

/// "4096", "4k", "4KiB", "1G", "2TiB": powers of 1024, whatever the case. Nothing when malformed
/// or too large.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;
/// "4 KiB", "1.5 GiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// "1.23 M", "45.6 k", "789".
[[nodiscard]] std::string count_text(double count);
/// "12.3 µs", "4.56 ms".
[[nodiscard]] std::string time_text(double ns);

}  // namespace fulmar::cli
