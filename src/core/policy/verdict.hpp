// What a policy says of a command. Any thread; a value.
#pragma once

#include <fulmar/nvme/status.hpp>

#include <cstdint>

namespace fulmar::core::policy {

enum class word : std::uint8_t {
    pass,    ///< go on to the next policy
    wait,    ///< keep it, and ask again later
    answer,  ///< it ends here, with `status`
};

struct verdict {
    word says = word::pass;
    bool later = false;  ///< the host may try again, after a delay where it honours one
    nvme::status status{};
    const char* note = nullptr;  ///< for the flight recorder; null: it happens all the time
};

inline constexpr verdict pass{};
inline constexpr verdict wait{.says = word::wait};
[[nodiscard]] constexpr verdict answer(nvme::status with) noexcept {
    return {.says = word::answer, .status = with};
}

}  // namespace fulmar::core::policy
