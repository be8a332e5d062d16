// The states of what one data reactor has of an RDMA device: completion queue, shared receive
// queue, registrations. They belong to the control reactor. A queue that fails takes no connection
// with it but those that use it, and is made anew.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <cstdint>
#include <string_view>

namespace fulmar::transport::rdma {

enum class part_state : std::uint8_t {
    absent,   ///< nothing of it exists; the next connection has it made
    serving,  ///< connections may use it
    failed,   ///< a queue of it is broken: its connections are ending, no other is taken
    leaving,  ///< no connection uses it; the data reactor is letting go of it
};

enum class part_event : std::uint8_t {
    made,    ///< its queues exist
    fails,   ///< the device, or a call, says that a queue is broken
    unused,  ///< its last connection is gone, and it has failed or its device is going
    left,    ///< the data reactor refers to it no more
};

using part_edge = edge<part_state, part_event>;

inline constexpr auto part_edges = [] {
    using S = part_state;
    using E = part_event;
    return std::array{
        part_edge{S::absent, E::made, S::serving},    part_edge{S::serving, E::fails, S::failed},
        part_edge{S::serving, E::unused, S::leaving}, part_edge{S::failed, E::fails, S::failed},
        part_edge{S::failed, E::unused, S::leaving},  part_edge{S::leaving, E::fails, S::leaving},
        part_edge{S::leaving, E::left, S::absent},
    };
}();

static_assert(is_deterministic(part_edges));
static_assert(always_reaches(part_edges, part_state::absent));
static_assert(always_reaches(part_edges, part_state::serving));
static_assert(has_edge(part_edges, part_state::serving, part_event::fails));

[[nodiscard]] std::string_view to_string(part_state state) noexcept;
[[nodiscard]] std::string_view to_string(part_event event) noexcept;

}  // namespace fulmar::transport::rdma
