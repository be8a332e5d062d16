// How long and from where the churns run; set by main.
#pragma once

#include <cstdint>
#include <optional>

namespace fulmar::sim {

struct settings {
    std::uint64_t seeds = 4'000;  ///< of each churn
    std::uint64_t seconds = 180;  ///< of CPU time, together
    std::uint64_t first = 1;
    std::optional<std::uint64_t> only = std::nullopt;

    static settings& get() {
        static settings all;
        return all;
    }
};

}  // namespace fulmar::sim
