// Bring-up and shutdown of an NVMe controller behind PCI, as a table. NVMe Base 2.0, section 3.5.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <cstdint>
#include <string_view>

namespace fulmar::backend::pcie {

enum class controller_state : std::uint8_t {
    off,
    disabling,           ///< CC.EN is 0, CSTS.RDY still 1
    enabling,            ///< CC.EN is 1, CSTS.RDY still 0
    identifying,         ///< the controller
    asking_limits,       ///< of single commands, where the drive tells them
    switching_cache,     ///< its volatile write cache goes off, where that is wanted
    checking_cache,      ///< and is off
    listing_namespaces,  ///< which are there
    identifying_namespace,
    counting_queues,  ///< how many we may have
    creating_queues,  ///< one pair after the other
    ready,
    shutting_down,  ///< CC.SHN is set, CSTS.SHST not complete
    failed,         ///< it answered wrongly, too late or not at all
};

enum class controller_event : std::uint8_t { start, done, stop, failed };

using controller_edge = edge<controller_state, controller_event>;

inline constexpr auto controller_edges = [] {
    using S = controller_state;
    using E = controller_event;
    return std::array{
        controller_edge{S::off, E::start, S::disabling},
        controller_edge{S::disabling, E::done, S::enabling},
        controller_edge{S::disabling, E::failed, S::failed},
        controller_edge{S::enabling, E::done, S::identifying},
        controller_edge{S::enabling, E::failed, S::failed},
        controller_edge{S::identifying, E::done, S::asking_limits},
        controller_edge{S::identifying, E::failed, S::failed},
        controller_edge{S::asking_limits, E::done, S::switching_cache},
        controller_edge{S::asking_limits, E::failed, S::failed},
        controller_edge{S::switching_cache, E::done, S::checking_cache},
        controller_edge{S::switching_cache, E::failed, S::failed},
        controller_edge{S::checking_cache, E::done, S::listing_namespaces},
        controller_edge{S::checking_cache, E::failed, S::failed},
        controller_edge{S::listing_namespaces, E::done, S::identifying_namespace},
        controller_edge{S::listing_namespaces, E::failed, S::failed},
        controller_edge{S::identifying_namespace, E::done, S::counting_queues},
        controller_edge{S::identifying_namespace, E::failed, S::failed},
        controller_edge{S::counting_queues, E::done, S::creating_queues},
        controller_edge{S::counting_queues, E::failed, S::failed},
        controller_edge{S::creating_queues, E::done, S::ready},
        controller_edge{S::creating_queues, E::failed, S::failed},
        controller_edge{S::ready, E::stop, S::shutting_down},
        controller_edge{S::ready, E::failed, S::failed},
        controller_edge{S::shutting_down, E::done, S::off},
        controller_edge{S::shutting_down, E::failed, S::failed},
        controller_edge{S::failed, E::stop, S::off},
    };
}();

static_assert(is_deterministic(controller_edges));
static_assert(always_reaches(controller_edges, controller_state::off));
static_assert([] {
    // Whatever waits for the drive can fail.
    for (const controller_edge& e : controller_edges)
        if (e.on == controller_event::done &&
            !has_edge(controller_edges, e.from, controller_event::failed))
            return false;
    return true;
}());

[[nodiscard]] std::string_view to_string(controller_state state) noexcept;
[[nodiscard]] std::string_view to_string(controller_event event) noexcept;

}  // namespace fulmar::backend::pcie
