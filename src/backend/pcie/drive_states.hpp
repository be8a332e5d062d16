// What is wanted of a drive, the life of one incarnation of it, and where each of its namespaces
// stands: three tables. next() in drive_life.hpp joins the first two.
#pragma once

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/base/state_table.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::backend::pcie {

/// What is wanted of a drive.
enum class drive_goal : std::uint8_t {
    served,      ///< brought up, and tried again later when that fails or it is lost
    reset,       ///< brought up again as soon as it has been given back: a reset may mend it
    reattached,  ///< likewise, since the kernel or an operator has said so meanwhile
    awaited,     ///< it left: not tried until the kernel or an operator says that one is there
    detached,    ///< an operator wants it to stay away
    retired,     ///< no device stands on it any more: it ends when nothing of it is open
};

enum class goal_event : std::uint8_t {
    attach,       ///< the kernel or an operator says that it is there, and nothing is open
    attach_next,  ///< likewise, while a former incarnation is being given back
    begin,        ///< it is brought up
    reset,        ///< it was lost, is there still, and has not been reset too often
    leave,        ///< it was lost, and went; or the kernel wants it
    detach,       ///< an operator takes it away
    retire,       ///< its last device goes
};

/// The life of one incarnation of a drive: of one drive_session. Its public summary is drive_state.
enum class drive_stage : std::uint8_t {
    absent,           ///< there is none
    attaching,        ///< its helper thread opens it and brings it up
    cancelling,       ///< a loss was reported meanwhile: the helper thread stops soon
    linking,          ///< the reactors are given their queues
    serving,          ///< operations go to it
    draining,         ///< none goes to it any more, and those at it end
    release_pending,  ///< no thread can be had for its release: tried again
    silencing,        ///< its helper thread sees to it that it can reach no memory
    unlinking,        ///< it can reach none: reactors give up their queues, the kernel closes it
    closing,          ///< no reactor has a queue of it; the kernel closes it
    closed,           ///< the kernel has it back; reactors have queues of it
    given_back,       ///< neither: a look at its registers is under way at most
};

enum class stage_event : std::uint8_t {
    attach,     ///< its helper thread begins
    up,         ///< … has brought it up, and it is the right one
    fail,       ///< … has not, or it is another one, or a loss was reported meanwhile
    linked,     ///< every reactor has its queue
    lose,       ///< a loss is reported
    drain,      ///< an operator takes it away when it is idle
    drained,    ///< nothing is at it any more, or that took too long
    no_thread,  ///< its release cannot begin
    retry,      ///< it begins after all
    quiet,      ///< it can reach no memory
    unlinked,   ///< no reactor has a queue of it
    closed,     ///< the kernel has it back
    end,        ///< nobody looks at its registers any more
};

/// Where a namespace of a drive stands, for the device on it.
enum class presence : std::uint8_t {
    missing,  ///< the drive has not been asked for it, or does not have it
    found,    ///< the drive has it, as far as was last asked; operations fail
    open,     ///< operations go to it, and the device has been told
};

enum class presence_event : std::uint8_t {
    find,      ///< the drive has it, and it is the one that was there
    open,      ///< nothing that was acknowledged is missing, or an operator accepts that
    lose,      ///< the drive is lost
    withdraw,  ///< the drive has it no more, or another one
};

[[nodiscard]] std::string_view to_string(drive_goal goal) noexcept;
[[nodiscard]] std::string_view to_string(goal_event event) noexcept;
[[nodiscard]] std::string_view to_string(drive_stage stage) noexcept;
[[nodiscard]] std::string_view to_string(stage_event event) noexcept;
[[nodiscard]] std::string_view to_string(presence where) noexcept;
[[nodiscard]] std::string_view to_string(presence_event event) noexcept;

using goal_edge = edge<drive_goal, goal_event>;
using stage_edge = edge<drive_stage, stage_event>;
using presence_edge = edge<presence, presence_event>;

// A loss leaves the goals `reattached`, `detached` and `retired` as they are.
inline constexpr auto goal_edges = [] {
    using S = drive_goal;
    using E = goal_event;
    return std::array{
        goal_edge{S::served, E::attach_next, S::reattached},
        goal_edge{S::served, E::reset, S::reset},
        goal_edge{S::served, E::leave, S::awaited},
        goal_edge{S::served, E::detach, S::detached},
        goal_edge{S::served, E::retire, S::retired},
        goal_edge{S::reset, E::attach_next, S::reattached},
        goal_edge{S::reset, E::begin, S::served},
        goal_edge{S::reset, E::leave, S::awaited},
        goal_edge{S::reset, E::detach, S::detached},
        goal_edge{S::reset, E::retire, S::retired},
        goal_edge{S::reattached, E::begin, S::served},
        goal_edge{S::reattached, E::detach, S::detached},
        goal_edge{S::reattached, E::retire, S::retired},
        goal_edge{S::awaited, E::attach, S::served},
        goal_edge{S::awaited, E::attach_next, S::reattached},
        goal_edge{S::awaited, E::detach, S::detached},
        goal_edge{S::awaited, E::retire, S::retired},
        goal_edge{S::detached, E::attach, S::served},
        goal_edge{S::detached, E::attach_next, S::reattached},
        goal_edge{S::detached, E::retire, S::retired},
    };
}();

inline constexpr auto stage_edges = [] {
    using S = drive_stage;
    using E = stage_event;
    return std::array{
        stage_edge{S::absent, E::attach, S::attaching},
        stage_edge{S::attaching, E::up, S::linking},
        stage_edge{S::attaching, E::lose, S::cancelling},
        stage_edge{S::attaching, E::fail, S::silencing},
        stage_edge{S::cancelling, E::fail, S::silencing},
        stage_edge{S::linking, E::linked, S::serving},
        stage_edge{S::linking, E::lose, S::silencing},
        stage_edge{S::serving, E::lose, S::silencing},
        stage_edge{S::serving, E::drain, S::draining},
        stage_edge{S::draining, E::drained, S::silencing},
        stage_edge{S::silencing, E::no_thread, S::release_pending},
        stage_edge{S::release_pending, E::retry, S::silencing},
        stage_edge{S::silencing, E::quiet, S::unlinking},
        stage_edge{S::unlinking, E::unlinked, S::closing},
        stage_edge{S::unlinking, E::closed, S::closed},
        stage_edge{S::closing, E::closed, S::given_back},
        stage_edge{S::closed, E::unlinked, S::given_back},
        stage_edge{S::given_back, E::end, S::absent},
    };
}();

inline constexpr auto presence_edges = [] {
    using S = presence;
    using E = presence_event;
    return std::array{
        presence_edge{S::missing, E::find, S::found},     presence_edge{S::found, E::open, S::open},
        presence_edge{S::found, E::withdraw, S::missing}, presence_edge{S::open, E::lose, S::found},
        presence_edge{S::open, E::withdraw, S::missing},
    };
}();

static_assert(is_deterministic(goal_edges));
static_assert(is_complete<drive_goal::retired, goal_event::retire>(goal_edges));
static_assert(always_reaches(goal_edges, drive_goal::retired));
static_assert(!has_edge(goal_edges, drive_goal::detached, goal_event::begin),
              "what an operator took away is not brought up");
static_assert(is_deterministic(stage_edges));
static_assert(is_complete<drive_stage::given_back, stage_event::end>(stage_edges));
static_assert(always_reaches(stage_edges, drive_stage::absent));
static_assert(always_leaves(stage_edges));
// Giving a drive back cannot be interrupted or fail: a loss while it goes on is no news.
static_assert(!has_edge(stage_edges, drive_stage::silencing, stage_event::lose));
static_assert(is_deterministic(presence_edges));
static_assert(is_complete<presence::open, presence_event::withdraw>(presence_edges));
static_assert(always_reaches(presence_edges, presence::missing));

}  // namespace fulmar::backend::pcie
