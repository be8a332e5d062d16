// A Cross-Controller Reset that a controller was asked for and has not answered. Home reactor.
#pragma once

#include <fulmar/base/ids.hpp>

#include <cstdint>

namespace fulmar::core {

class request;

struct cross_reset_under_way {
    const request* asker = nullptr;  ///< null: none
    cntlid id{};                     ///< who is being ended
    std::uint8_t uniquifier = 0;     ///< which instance
};

}  // namespace fulmar::core
