// An NQN as a number, for what outlives the controller or subsystem that knew the name.
#pragma once

#include <cstdint>
#include <string_view>

namespace fulmar::core {

/// FNV-1a, the same on every machine and in every version.
[[nodiscard]] inline std::uint64_t nqn_hash(std::string_view nqn) noexcept {
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : nqn) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return hash;
}

/// Two names with one key would wait for each other's leftovers; nothing worse. Never 0.
[[nodiscard]] inline std::uint64_t nqn_key(std::string_view nqn) noexcept {
    const std::uint64_t hash = nqn_hash(nqn);
    return hash == 0 ? 1 : hash;
}

}  // namespace fulmar::core
