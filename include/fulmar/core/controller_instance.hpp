// Which controller is meant by a number that is handed out again and again: CIU and CIRN of
// Identify Controller (nvme/cross_reset.hpp). A value; any thread.
#pragma once

#include <cstdint>

namespace fulmar::core {

struct controller_instance {
    std::uint8_t uniquifier = 0;  ///< never 0; another one each time that its number is given again
    std::uint64_t number = 0;     ///< never 0; no two controllers of a target have had the same

    [[nodiscard]] constexpr bool operator==(const controller_instance&) const noexcept = default;
};

}  // namespace fulmar::core
