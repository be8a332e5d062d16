// IP addresses as text. Pure; any thread.
#pragma once

#include <optional>
#include <string>

namespace fulmar::admin {

/// A numeric address in its one canonical spelling, so that equal addresses have equal names;
/// nothing when it is no address.
std::optional<std::string> canonical_address(const std::string& text);

/// An address that this machine alone can reach.
bool is_loopback_address(const std::string& text);

}  // namespace fulmar::admin
