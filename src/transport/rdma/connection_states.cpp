#include "connection_states.hpp"

namespace fulmar::transport::rdma {

std::string_view to_string(connection_state state) noexcept {
    switch (state) {
        case connection_state::offered: return "offered";
        case connection_state::accepting: return "accepting";
        case connection_state::established: return "established";
        case connection_state::ending: return "ending";
        case connection_state::overdue: return "overdue";
        case connection_state::released: return "released";
        case connection_state::gone: return "gone";
    }
    return "?";
}

std::string_view to_string(connection_event event) noexcept {
    switch (event) {
        case connection_event::prepared: return "prepared";
        case connection_event::refused: return "refused";
        case connection_event::confirmed: return "confirmed";
        case connection_event::end: return "end";
        case connection_event::reaped: return "reaped";
        case connection_event::deadline: return "deadline";
        case connection_event::let_go: return "let-go";
    }
    return "?";
}

}  // namespace fulmar::transport::rdma
