#include "remote_states.hpp"

namespace fulmar::backend::nbd {

std::string_view to_string(remote_state state) noexcept {
    switch (state) {
        case remote_state::away: return "away";
        case remote_state::connecting: return "connecting";
        case remote_state::linking: return "linking";
        case remote_state::ready: return "ready";
        case remote_state::closing: return "closing";
    }
    return "?";
}

std::string_view to_string(remote_event event) noexcept {
    switch (event) {
        case remote_event::connect: return "connect";
        case remote_event::refuse: return "refuse";
        case remote_event::up: return "up";
        case remote_event::linked: return "linked";
        case remote_event::lose: return "lose";
        case remote_event::closed: return "closed";
    }
    return "?";
}

}  // namespace fulmar::backend::nbd
