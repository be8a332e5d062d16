// The life of a file device as its owner on the control reactor sees it.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::backend {

enum class file_state : std::uint8_t {
    missing,  ///< what it stands on is not there, or cannot be opened; looked for again and again
    refused,  ///< something else is there, or less than the device has; looked at again and again
    ready,
    lost,  ///< it failed while it served: only an operator, who knows what became of the data,
           ///< opens it again
};

enum class file_event : std::uint8_t {
    open,    ///< it is there, is what it was, and is large enough (or an operator accepts it)
    absent,  ///< it could not be opened
    refuse,  ///< it could, and is something else
    lose,    ///< see file_loss_cause
};

[[nodiscard]] std::string_view to_string(file_state state) noexcept;
[[nodiscard]] std::string_view to_string(file_event event) noexcept;

using file_edge = edge<file_state, file_event>;

inline constexpr auto file_edges = [] {
    using S = file_state;
    using E = file_event;
    return std::array{
        file_edge{S::missing, E::open, S::ready},      //
        file_edge{S::missing, E::absent, S::missing},  // for another reason, perhaps
        file_edge{S::missing, E::refuse, S::refused},  //
        file_edge{S::refused, E::open, S::ready},      //
        file_edge{S::refused, E::refuse, S::refused},  // likewise
        file_edge{S::refused, E::absent, S::missing},  //
        file_edge{S::ready, E::lose, S::lost},         //
        file_edge{S::lost, E::open, S::ready},         //
    };
}();

static_assert(is_deterministic(file_edges));
static_assert(is_complete<file_state::lost, file_event::lose>(file_edges));
static_assert(always_leaves(file_edges));
static_assert(always_reaches(file_edges, file_state::ready));
static_assert(!has_edge(file_edges, file_state::lost, file_event::absent),
              "what was lost does not become missing, which would come back by itself");

}  // namespace fulmar::backend
