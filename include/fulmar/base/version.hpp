// Which Fulmar this is: what hosts read as the firmware revision and operators as the version.
#pragma once

#include <string_view>

namespace fulmar {

/// From the build's own project version.
inline constexpr std::string_view version = FULMAR_VERSION;

}  // namespace fulmar
