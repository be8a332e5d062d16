// Sizes as people write them: "256MiB". Pure.
#pragma once

#include <fulmar/base/size_text.hpp>

#include <cstdint>
#include <string>

namespace fulmar::admin {

using fulmar::parse_size;

/// The largest unit that divides `bytes`: 268435456 → "256MiB". Zero and odd values stay numbers:
/// "513".
std::string print_size(std::uint64_t bytes);

}  // namespace fulmar::admin
