// Sizes and counts as people write and read them.
#pragma once

#include <fulmar/base/size_text.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fulmar::cli {

using fulmar::parse_size;
/// "4 KiB", "1.5 GiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// "1.23 M", "45.6 k", "789".
[[nodiscard]] std::string count_text(double count);
/// "12.3 µs", "4.56 ms".
[[nodiscard]] std::string time_text(double ns);

}  // namespace fulmar::cli
