// The life of a drive as its owner on the control reactor sees it.
#pragma once

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/base/state_table.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::backend::pcie {

enum class drive_event : std::uint8_t {
    attach,  ///< a drive is there and wanted
    up,      ///< the helper has brought it up
    linked,  ///< every reactor has its queue
    lose,    ///< any sign, a failed bring-up, or an operator
    closed,  ///< the kernel has it back, and no reactor has a queue of it
};

[[nodiscard]] std::string_view to_string(drive_event event) noexcept;

using drive_edge = edge<drive_state, drive_event>;

inline constexpr auto drive_edges = [] {
    using S = drive_state;
    using E = drive_event;
    return std::array{
        drive_edge{S::absent, E::attach, S::attaching},
        drive_edge{S::attaching, E::up, S::linking},
        drive_edge{S::attaching, E::lose, S::releasing},
        drive_edge{S::linking, E::linked, S::ready},
        drive_edge{S::linking, E::lose, S::releasing},
        drive_edge{S::ready, E::lose, S::releasing},
        drive_edge{S::releasing, E::closed, S::absent},
    };
}();

static_assert(is_deterministic(drive_edges));
static_assert(always_reaches(drive_edges, drive_state::absent));
// Giving a drive back cannot be interrupted or fail: a loss while it goes on is no news.
static_assert(!has_edge(drive_edges, drive_state::releasing, drive_event::lose));

}  // namespace fulmar::backend::pcie
