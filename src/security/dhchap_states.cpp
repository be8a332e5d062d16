#include <fulmar/security/dhchap_states.hpp>

namespace fulmar::security {

std::string_view to_string(dhchap_state state) noexcept {
    switch (state) {
        case dhchap_state::required: return "required";
        case dhchap_state::preparing: return "preparing";
        case dhchap_state::challenge_ready: return "challenge_ready";
        case dhchap_state::challenged: return "challenged";
        case dhchap_state::checking: return "checking";
        case dhchap_state::success_ready: return "success_ready";
        case dhchap_state::mutual: return "mutual";
        case dhchap_state::proven: return "proven";
        case dhchap_state::failure_ready: return "failure_ready";
        case dhchap_state::ended: return "ended";
    }
    return "?";
}

std::string_view to_string(dhchap_event event) noexcept {
    switch (event) {
        case dhchap_event::negotiate: return "negotiate";
        case dhchap_event::prepared: return "prepared";
        case dhchap_event::reply: return "reply";
        case dhchap_event::proved: return "proved";
        case dhchap_event::success2: return "success2";
        case dhchap_event::read: return "read";
        case dhchap_event::read_response: return "read_response";
        case dhchap_event::refused: return "refused";
        case dhchap_event::failure2: return "failure2";
        case dhchap_event::failure2_again: return "failure2_again";
        case dhchap_event::expired: return "expired";
        case dhchap_event::expired_again: return "expired_again";
        case dhchap_event::unable: return "unable";
        case dhchap_event::unable_again: return "unable_again";
    }
    return "?";
}

}  // namespace fulmar::security
