// The states of an RDMA connection on the control reactor, which owns its identifier and its queue
// pair. The poll group has the requests; the two tell each other by message.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <cstdint>
#include <string_view>

namespace fulmar::transport::rdma {

enum class connection_state : std::uint8_t {
    offered,      ///< the host has asked; a poll group is making room
    accepting,    ///< accepted; the host has yet to confirm
    established,  ///< the host has confirmed
    ending,       ///< the queue pair is in error; what was posted is being flushed and reaped
    overdue,      ///< its time is over: what has come back is reaped, the rest is given up
    /// Queue pair and identifier are destroyed. This is the last that the poll group hears; its
    /// answer is the last that is heard of it, even if it never took the connection.
    released,
    gone,  ///< nothing refers to it
};

enum class connection_event : std::uint8_t {
    prepared,   ///< the poll group is ready for the first command
    refused,    ///< the poll group has no room, and kept nothing
    confirmed,  ///< the connection manager: established
    end,        ///< the host left, the poll group closed it, the device is going, an error
    reaped,     ///< nothing of it is in the completion queue, or will be
    deadline,   ///< that took too long
    let_go,     ///< the poll group refers to it no more
};

using connection_edge = edge<connection_state, connection_event>;

inline constexpr auto connection_edges = [] {
    using S = connection_state;
    using E = connection_event;
    return std::array{
        connection_edge{S::offered, E::prepared, S::accepting},
        connection_edge{S::offered, E::refused, S::released},
        connection_edge{S::offered, E::end, S::ending},
        connection_edge{S::accepting, E::confirmed, S::established},
        connection_edge{S::accepting, E::end, S::ending},
        connection_edge{S::established, E::confirmed, S::established},
        connection_edge{S::established, E::end, S::ending},
        // Events that were on their way when it began to end.
        connection_edge{S::ending, E::prepared, S::ending},
        connection_edge{S::ending, E::confirmed, S::ending},
        connection_edge{S::ending, E::end, S::ending},
        connection_edge{S::ending, E::refused, S::released},
        connection_edge{S::ending, E::reaped, S::released},
        connection_edge{S::ending, E::deadline, S::overdue},
        connection_edge{S::overdue, E::prepared, S::overdue},
        connection_edge{S::overdue, E::confirmed, S::overdue},
        connection_edge{S::overdue, E::end, S::overdue},
        connection_edge{S::overdue, E::refused, S::released},
        connection_edge{S::overdue, E::reaped, S::released},
        connection_edge{S::released, E::end, S::released},
        connection_edge{S::released, E::let_go, S::gone},
    };
}();

static_assert(is_deterministic(connection_edges));
static_assert(always_reaches(connection_edges, connection_state::gone));
static_assert([] {  // whatever it does, it can be ended
    for (const connection_edge& e : connection_edges)
        if (e.from < connection_state::released &&
            !has_edge(connection_edges, e.from, connection_event::end))
            return false;
    return true;
}());
static_assert(has_edge(connection_edges, connection_state::ending, connection_event::deadline));

[[nodiscard]] std::string_view to_string(connection_state state) noexcept;
[[nodiscard]] std::string_view to_string(connection_event event) noexcept;

}  // namespace fulmar::transport::rdma
