#include "file_states.hpp"

namespace fulmar::backend {

std::string_view to_string(file_state state) noexcept {
    switch (state) {
        case file_state::missing: return "missing";
        case file_state::refused: return "refused";
        case file_state::ready: return "ready";
        case file_state::lost: return "lost";
    }
    return "?";
}

std::string_view to_string(file_event event) noexcept {
    switch (event) {
        case file_event::open: return "open";
        case file_event::absent: return "absent";
        case file_event::refuse: return "refuse";
        case file_event::lose: return "lose";
    }
    return "?";
}

}  // namespace fulmar::backend
