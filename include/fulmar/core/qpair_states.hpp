// The states of a qpair on its poll group.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <string_view>

namespace fulmar::core {

enum class qpair_state : std::uint8_t {
    fresh,       ///< the transport is up; only a Connect is acceptable
    connecting,  ///< a Connect is on its way through control and home reactors
    live,        ///< part of a controller
    closing,     ///< no new commands; requests in progress are coming home
    detaching,   ///< every request is home; the controller is being told
    closed,      ///< nothing refers to it: it can be destroyed
};

enum class qpair_event : std::uint8_t { connect, accepted, refused, close, drained, detached };

using qpair_edge = edge<qpair_state, qpair_event>;

inline constexpr auto qpair_edges = [] {
    using S = qpair_state;
    using E = qpair_event;
    return std::array{
        qpair_edge{S::fresh, E::connect, S::connecting},
        qpair_edge{S::fresh, E::close, S::closing},
        qpair_edge{S::connecting, E::accepted, S::live},
        qpair_edge{S::connecting, E::refused, S::fresh},
        qpair_edge{S::connecting, E::close, S::closing},
        qpair_edge{S::live, E::close, S::closing},
        qpair_edge{S::closing, E::drained, S::detaching},
        qpair_edge{S::detaching, E::detached, S::closed},
    };
}();

static_assert(is_deterministic(qpair_edges));
static_assert(is_complete<qpair_state::closed, qpair_event::detached>(qpair_edges));
static_assert(always_leaves(qpair_edges, std::array{qpair_state::closed}));
static_assert(always_reaches(qpair_edges, qpair_state::closed));
static_assert(all_have_edge(qpair_edges,
                            std::array{qpair_state::fresh, qpair_state::connecting,
                                       qpair_state::live},
                            qpair_event::close),
              "its connection can break at any time");
static_assert(has_edge(qpair_edges, qpair_state::connecting, qpair_event::refused));

[[nodiscard]] std::string_view to_string(qpair_state state) noexcept;
[[nodiscard]] std::string_view to_string(qpair_event event) noexcept;

}  // namespace fulmar::core
