// Which seeds the churns run; set by main.
#pragma once

#include <cstdint>
#include <optional>

namespace fulmar::sim {

/// How many times fewer seeds a churn runs in this build.
#if defined(__SANITIZE_THREAD__)
constexpr std::uint64_t slowness = 10;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t slowness = 5;
#else
constexpr std::uint64_t slowness = 1;
#endif

struct settings {
    std::optional<std::uint64_t> seeds;  ///< of each churn; without it each churn says how many
    std::uint64_t first = 1;
    std::optional<std::uint64_t> only;

    static settings& get() {
        static settings all;
        return all;
    }
};

}  // namespace fulmar::sim
