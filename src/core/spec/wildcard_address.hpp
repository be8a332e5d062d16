// The addresses that stand for every address of the machine. Pure.
#pragma once

#include <string_view>

namespace fulmar::core {

[[nodiscard]] inline bool is_wildcard(std::string_view address) noexcept {
    return address == "0.0.0.0" || address == "::";
}

}  // namespace fulmar::core
