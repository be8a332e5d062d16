// Which seeds the churns run; set by main.
#pragma once

#include <fulmar/base/sanitizer.hpp>

#include <cstdint>
#include <optional>

namespace fulmar::sim {

/// How many times fewer seeds a churn runs in this build.
#if FULMAR_TSAN
constexpr std::uint64_t slowness = 10;
#elif FULMAR_ASAN
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
