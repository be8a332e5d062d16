// The life of an open image as its owner on the control reactor sees it.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::backend::rbd {

enum class image_state : std::uint8_t {
    away,     ///< no image is open; a timer or an operator tries again
    opening,  ///< a helper thread opens it, and takes its lock
    linking,  ///< the reactors are given it
    ready,
    unlinking,  ///< the reactors answer what is outstanding, and forget the image
    closing,    ///< a helper thread waits until the cluster has ended all of that, and closes it
};

enum class image_event : std::uint8_t {
    open,      ///< it is tried
    refuse,    ///< it cannot be opened
    unwanted,  ///< it is open, and is something else, or nobody wants it any more
    opened,    ///< it is what is wanted
    linked,    ///< every reactor has it
    lose,      ///< see image_loss
    unlinked,  ///< no reactor has it any more
    closed,
};

[[nodiscard]] std::string_view to_string(image_state state) noexcept;
[[nodiscard]] std::string_view to_string(image_event event) noexcept;

using image_edge = edge<image_state, image_event>;

inline constexpr auto image_edges = [] {
    using S = image_state;
    using E = image_event;
    return std::array{
        image_edge{S::away, E::open, S::opening},
        image_edge{S::opening, E::refuse, S::away},
        image_edge{S::opening, E::unwanted, S::closing},
        image_edge{S::opening, E::opened, S::linking},
        image_edge{S::linking, E::linked, S::ready},
        image_edge{S::linking, E::lose, S::unlinking},
        image_edge{S::ready, E::lose, S::unlinking},
        image_edge{S::unlinking, E::unlinked, S::closing},
        image_edge{S::closing, E::closed, S::away},
    };
}();

static_assert(is_deterministic(image_edges));
static_assert(always_reaches(image_edges, image_state::away));
// What was sent to the cluster ends there before anything else is sent: no way leads from a loss to
// `ready` but through the end of closing.
static_assert(!has_edge(image_edges, image_state::unlinking, image_event::linked));
static_assert(!has_edge(image_edges, image_state::closing, image_event::opened));

/// Why an image was given up.
enum class image_loss : std::uint8_t {
    none,
    timed_out,  ///< the cluster did not answer in time
    fenced,     ///< the cluster takes nothing from this client any more
    lock_lost,  ///< somebody else may write
    gone,       ///< the image, or its pool, was removed
    shrank,     ///< somebody made it smaller
    asked_for,  ///< an operator wants it opened anew
};

}  // namespace fulmar::backend::rbd
