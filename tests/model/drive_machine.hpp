// One drive and all that moves around it, as a copyable value: next() decides, and what its owner
// does by that (src/backend/pcie/drive.cpp) is followed here. Jobs, reactors, timers, the kernel
// and operators move in any order.
#pragma once

#include "backend/pcie/drive_life.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::model::drives {

using backend::loss_cause;
using backend::pcie::drive_action;
using backend::pcie::drive_goal;
using backend::pcie::drive_input;
using backend::pcie::drive_message;
using backend::pcie::drive_stage;
using backend::pcie::keeps_cache;
using backend::pcie::wants_reset;

/// The ten reports of a loss and the two returns of tests/sim/drive.hpp. `retire` is not one of
/// them: no drive is left after it.
enum class report : std::uint8_t {
    request,
    bus_error,
    removed,
    silent_zeros,
    silent_ones,
    fatal,
    stuck,
    hostile,
    detach,
    drain,
    arrival,
    attach,
    retire,
};
inline constexpr std::size_t reports_of_drives = static_cast<std::size_t>(report::retire);
[[nodiscard]] std::string_view to_string(report what) noexcept;

/// What the helper thread of an incarnation does.
enum class job : std::uint8_t { none, attaching, releasing, closing };
/// Where the queue for a reactor is.
enum class queue : std::uint8_t { none, on_its_way, there, on_its_way_back };

struct world {
    backend::pcie::drive_life life{};
    job at_work = job::none;
    std::array<queue, 2> queues{};
    bool passing = false;  // a drain's messages, behind which on_its_way is not
    bool probing = false;
    bool retry_armed = false, release_armed = false, drain_armed = false;
    // What next() has decided and chance has to answer, before anything else.
    bool starting = false, beginning_release = false;
    // The owner's.
    bool session = false, watching = false, told = false, gone = false;
    bool may_reset = true;  // as the last report found it
    // What must be remembered, to judge.
    bool loss_recorded = false, lost_told = false;  // of this incarnation
    bool kept_away = false;                         // an operator's last word
    bool asked_again = false;                       // somebody has said that it is there meanwhile
    bool claimed = false;                           // the kernel asked for it while it was reset
    std::uint8_t given = 0;                         // how many reports
    std::string_view wrong{};

    friend bool operator==(const world&, const world&) = default;
    friend std::strong_ordering operator<=>(const world& a, const world& b);
};

struct move {
    std::string what;
    world then;
    bool by_itself = true;  // nobody outside has to do anything for it
};

/// A report comes. Counts it.
void give(world& w, report what, bool may_reset);
/// Everything but reports that can happen next.
[[nodiscard]] std::vector<move> moves(const world& w);
/// What must hold where nothing moves by itself but timers; empty: it does.
[[nodiscard]] std::string_view wrong_at_rest(const world& w);
/// A drive that somebody has made and attached, once.
[[nodiscard]] world first_world();

}  // namespace fulmar::model::drives
