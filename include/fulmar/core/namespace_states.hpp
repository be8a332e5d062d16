// The states of a namespace, as the control reactor sees them (architecture section 4).
#pragma once

#include <fulmar/base/state_table.hpp>

#include <string_view>

namespace fulmar::core {

enum class namespace_state : std::uint8_t {
    absent,     ///< not there; where every namespace begins and ends
    attaching,  ///< poll groups are opening their channels
    ready,      ///< serving
    quiescing,  ///< poll groups park new I/O and drain what is at the backend
    quiesced,   ///< nothing is at the backend; new I/O is parked
    lost,       ///< the device is gone; the namespace stays listed until it returns or an operator
                ///< removes it
    detaching,  ///< poll groups answer what is left and let go of the device
};

enum class namespace_event : std::uint8_t { attach, quiesce, open, lose, detach, done, failed };

using namespace_edge = edge<namespace_state, namespace_event>;

inline constexpr auto namespace_edges = [] {
    using S = namespace_state;
    using E = namespace_event;
    return std::array{
        namespace_edge{S::absent, E::attach, S::attaching},
        namespace_edge{S::attaching, E::done, S::ready},
        namespace_edge{S::attaching, E::failed, S::detaching},
        namespace_edge{S::attaching, E::lose, S::lost},
        namespace_edge{S::ready, E::quiesce, S::quiescing},
        namespace_edge{S::ready, E::lose, S::lost},
        namespace_edge{S::ready, E::detach, S::detaching},
        namespace_edge{S::quiescing, E::done, S::quiesced},
        namespace_edge{S::quiescing, E::failed, S::ready},
        namespace_edge{S::quiescing, E::lose, S::lost},
        namespace_edge{S::quiescing, E::detach, S::detaching},
        namespace_edge{S::quiesced, E::open, S::ready},
        namespace_edge{S::quiesced, E::lose, S::lost},
        namespace_edge{S::quiesced, E::detach, S::detaching},
        namespace_edge{S::lost, E::attach, S::attaching},  // the device is back
        namespace_edge{S::lost, E::detach, S::detaching},
        namespace_edge{S::detaching, E::done,
                       S::absent},  // teardown has no failed: its deadline escalates
    };
}();

static_assert(is_deterministic(namespace_edges));
static_assert(is_complete<namespace_state::detaching, namespace_event::failed>(namespace_edges));
static_assert(always_leaves(namespace_edges));
static_assert(always_reaches(namespace_edges, namespace_state::absent));
static_assert(all_have_edge(namespace_edges,
                            std::array{namespace_state::attaching, namespace_state::quiescing},
                            namespace_event::failed));
static_assert(all_have_edge(namespace_edges,
                            std::array{namespace_state::attaching, namespace_state::ready,
                                       namespace_state::quiescing, namespace_state::quiesced},
                            namespace_event::lose),
              "a device can vanish at any time");
static_assert(!has_edge(namespace_edges, namespace_state::detaching, namespace_event::failed));

[[nodiscard]] std::string_view to_string(namespace_state state) noexcept;
[[nodiscard]] std::string_view to_string(namespace_event event) noexcept;

}  // namespace fulmar::core
