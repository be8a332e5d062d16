// The states of a controller on its home reactor (NVMe Base 2.0, section 3.5; the register view is
// in controller.cpp).
#pragma once

#include <fulmar/base/state_table.hpp>

#include <string_view>

namespace fulmar::core {

enum class controller_state : std::uint8_t {
    disabled,       ///< CC.EN = 0, CSTS.RDY = 0: only fabrics commands
    enabled,        ///< CC.EN = 1, CSTS.RDY = 1
    resetting,      ///< CC.EN went to 0: I/O queues are being disconnected, CSTS.RDY still 1
    shutting_down,  ///< CC.SHN was set: I/O queues are being disconnected, CSTS.SHST = 1
    shut_down,      ///< CSTS.SHST = 2
    disconnecting,  ///< the association is over: all queues are being disconnected
    gone,           ///< nothing refers to it: it can be destroyed
};

enum class controller_event : std::uint8_t {
    enable,
    disable,
    shutdown,
    io_queues_gone,
    disconnect,
    queues_gone
};

using controller_edge = edge<controller_state, controller_event>;

inline constexpr auto controller_edges = [] {
    using S = controller_state;
    using E = controller_event;
    return std::array{
        controller_edge{S::disabled, E::enable, S::enabled},
        controller_edge{S::disabled, E::shutdown, S::shutting_down},
        controller_edge{S::disabled, E::disconnect, S::disconnecting},
        controller_edge{S::enabled, E::disable, S::resetting},
        controller_edge{S::enabled, E::shutdown, S::shutting_down},
        controller_edge{S::enabled, E::disconnect, S::disconnecting},
        controller_edge{S::resetting, E::io_queues_gone, S::disabled},
        controller_edge{S::resetting, E::disconnect, S::disconnecting},
        controller_edge{S::shutting_down, E::io_queues_gone, S::shut_down},
        controller_edge{S::shutting_down, E::disconnect, S::disconnecting},
        controller_edge{S::shut_down, E::disable, S::disabled},
        controller_edge{S::shut_down, E::disconnect, S::disconnecting},
        controller_edge{S::disconnecting, E::queues_gone, S::gone},
    };
}();

static_assert(is_deterministic(controller_edges));
static_assert(is_complete<controller_state::gone, controller_event::queues_gone>(controller_edges));
static_assert(always_leaves(controller_edges, std::array{controller_state::gone}));
static_assert(always_reaches(controller_edges, controller_state::gone));
static_assert(all_have_edge(controller_edges,
                            std::array{controller_state::disabled, controller_state::enabled,
                                       controller_state::resetting, controller_state::shutting_down,
                                       controller_state::shut_down},
                            controller_event::disconnect),
              "its association can end at any time");

[[nodiscard]] std::string_view to_string(controller_state state) noexcept;
[[nodiscard]] std::string_view to_string(controller_event event) noexcept;

}  // namespace fulmar::core
