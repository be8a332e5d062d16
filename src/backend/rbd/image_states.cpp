#include "image_states.hpp"

namespace fulmar::backend::rbd {

std::string_view to_string(image_state state) noexcept {
    switch (state) {
        case image_state::away: return "away";
        case image_state::opening: return "opening";
        case image_state::linking: return "linking";
        case image_state::ready: return "ready";
        case image_state::unlinking: return "unlinking";
        case image_state::closing: return "closing";
    }
    return "?";
}

std::string_view to_string(image_event event) noexcept {
    switch (event) {
        case image_event::open: return "open";
        case image_event::refuse: return "refuse";
        case image_event::unwanted: return "unwanted";
        case image_event::opened: return "opened";
        case image_event::linked: return "linked";
        case image_event::lose: return "lose";
        case image_event::unlinked: return "unlinked";
        case image_event::closed: return "closed";
    }
    return "?";
}

}  // namespace fulmar::backend::rbd
