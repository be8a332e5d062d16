#include "part_states.hpp"

namespace fulmar::transport::rdma {

std::string_view to_string(part_state state) noexcept {
    switch (state) {
        case part_state::absent: return "absent";
        case part_state::serving: return "serving";
        case part_state::failed: return "failed";
        case part_state::leaving: return "leaving";
    }
    return "?";
}

std::string_view to_string(part_event event) noexcept {
    switch (event) {
        case part_event::made: return "made";
        case part_event::fails: return "fails";
        case part_event::unused: return "unused";
        case part_event::left: return "left";
    }
    return "?";
}

}  // namespace fulmar::transport::rdma
