// The life of the connections to an export as their owner on the control reactor sees it.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::backend::nbd {

enum class remote_state : std::uint8_t {
    away,        ///< no connection; a timer or an operator tries again
    connecting,  ///< a helper thread talks to the server
    linking,     ///< the reactors are given their connections
    ready,
    closing,  ///< the reactors close their connections, and answer what was outstanding
};

enum class remote_event : std::uint8_t {
    connect,  ///< it is tried
    refuse,   ///< there is no server, or it has something else
    up,       ///< it has what is wanted
    linked,   ///< every reactor has its connections
    lose,     ///< see remote_loss
    closed,   ///< no reactor has any more
};

[[nodiscard]] std::string_view to_string(remote_state state) noexcept;
[[nodiscard]] std::string_view to_string(remote_event event) noexcept;

using remote_edge = edge<remote_state, remote_event>;

inline constexpr auto remote_edges = [] {
    using S = remote_state;
    using E = remote_event;
    return std::array{
        remote_edge{S::away, E::connect, S::connecting},
        remote_edge{S::connecting, E::refuse, S::away},
        remote_edge{S::connecting, E::up, S::linking},
        remote_edge{S::linking, E::linked, S::ready},
        remote_edge{S::linking, E::lose, S::closing},
        remote_edge{S::ready, E::lose, S::closing},
        remote_edge{S::closing, E::closed, S::away},
    };
}();

static_assert(is_deterministic(remote_edges));
static_assert(always_reaches(remote_edges, remote_state::away));
// Closing cannot be interrupted or fail: a loss while it goes on is no news.
static_assert(!has_edge(remote_edges, remote_state::closing, remote_event::lose));

/// Why connections were given up.
enum class remote_loss : std::uint8_t {
    none,
    gone,         ///< the server closed one, or the network did
    timed_out,    ///< it answered nothing for too long
    sync_failed,  ///< a flush, or a write that was to be durable, failed
    no_room,      ///< likewise, because its storage is full
    asked_for,    ///< an operator wants new ones
};

/// Data that was acknowledged may be gone, and the next flush would not tell.
[[nodiscard]] constexpr bool needs_operator(remote_loss why) noexcept {
    return why == remote_loss::sync_failed || why == remote_loss::no_room;
}

}  // namespace fulmar::backend::nbd
