// The states of a subsystem, as the control reactor sees them (architecture section 4).
#pragma once

#include <fulmar/base/state_table.hpp>

#include <string_view>

namespace fulmar::core {

enum class subsystem_state : std::uint8_t {
    inactive,      ///< no host can reach it; where every subsystem begins and ends
    activating,    ///< poll groups are building their subsystem groups
    active,        ///< serving
    pausing,       ///< poll groups are quiescing their namespaces
    paused,        ///< nothing is at the backends; I/O is parked
    resuming,      ///< poll groups are opening their gates and replaying what is parked
    deactivating,  ///< poll groups are closing: everything parked is answered, connections end
};

enum class subsystem_event : std::uint8_t { start, pause, resume, stop, done, failed };

using subsystem_edge = edge<subsystem_state, subsystem_event>;

inline constexpr auto subsystem_edges = [] {
    using S = subsystem_state;
    using E = subsystem_event;
    return std::array{
        subsystem_edge{S::inactive, E::start, S::activating},
        subsystem_edge{S::activating, E::done, S::active},
        subsystem_edge{S::activating, E::failed, S::deactivating},
        subsystem_edge{S::active, E::pause, S::pausing},
        subsystem_edge{S::active, E::stop, S::deactivating},
        subsystem_edge{S::pausing, E::done, S::paused},
        subsystem_edge{S::pausing, E::failed, S::resuming},
        subsystem_edge{S::paused, E::resume, S::resuming},
        subsystem_edge{S::paused, E::stop, S::deactivating},
        subsystem_edge{S::resuming, E::done, S::active},
        subsystem_edge{S::resuming, E::failed, S::paused},
        subsystem_edge{S::deactivating, E::done,
                       S::inactive},  // teardown has no failed: its deadline escalates
    };
}();

static_assert(is_deterministic(subsystem_edges));
static_assert(is_complete<subsystem_state::deactivating, subsystem_event::failed>(subsystem_edges));
static_assert(always_leaves(subsystem_edges));
static_assert(always_reaches(subsystem_edges, subsystem_state::inactive));
static_assert(all_have_edge(subsystem_edges,
                            std::array{subsystem_state::activating, subsystem_state::pausing,
                                       subsystem_state::resuming},
                            subsystem_event::failed));
static_assert(!has_edge(subsystem_edges, subsystem_state::deactivating, subsystem_event::failed));

[[nodiscard]] std::string_view to_string(subsystem_state state) noexcept;
[[nodiscard]] std::string_view to_string(subsystem_event event) noexcept;

}  // namespace fulmar::core
