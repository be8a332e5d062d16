// Deliberate bugs, each of which the model or the simulator must notice by name. They exist in
// builds with FULMAR_MUTATIONS only, one at a time and none unless a test asks for it; everywhere
// else mutated() is the constant false.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar {

enum class mutation : std::uint8_t {
    none,
    // Exactly one completion.
    parked_requests_are_dropped,   ///< a closing gate forgets what is parked, without an answer
    abandoned_tasks_answer_again,  ///< a task that comes home late answers its request once more
    // No crossing of incarnations.
    slots_ignore_generations,  ///< what was meant for a former subsystem reaches its successor
    stale_acks_count,          ///< an ack of a former transition is taken for one of this
    // Leftovers are legal.
    resumes_leave_gates_fenced,     ///< what is parked stays parked when its subsystem opens
    replay_is_reversed,             ///< the request that was parked last goes first
    leftovers_are_asserted,         ///< a subsystem is added only where no Connect is parked
    closed_gates_let_data_through,  ///< what waited for its data goes to a device that is leaving
    // Everything has a deadline.
    deadlines_are_ignored,  ///< poll groups never hear that the deadline has passed
    fences_do_not_drain,    ///< a fence is acknowledged with operations at the backend
    // The management plane is never parked.
    fences_cover_all_namespaces,  ///< fencing one namespace fences its neighbours
    fences_stop_admin_commands,   ///< a paused subsystem refuses its admin queues
    // No crash from outside.
    second_loss_is_asserted,     ///< a device may be lost only once
    second_sign_releases_again,  ///< each sign of one loss gives the drive back
    // Memory outlives its borrowers.
    abandoned_buffers_are_freed,  ///< a buffer is reused while a silent device has it
    drives_are_not_waited_for,    ///< commands are answered while their drive reaches their memory
    aborts_end_at_once,  ///< what is given up frees its memory, with its command at the drive still
    // The same drive, the same namespace.
    devices_are_shared,        ///< a device backs a second namespace
    held_devices_are_claimed,  ///< a device with operations of a former namespace is given away
    // Durability is honest.
    fua_is_dropped,             ///< Force Unit Access does not reach the device
    flush_is_free,              ///< Flush is answered without asking the device
    lost_caches_are_forgotten,  ///< a drive without writes that it acknowledged serves again
    // A restart is not an outage.
    identities_change,           ///< a namespace has another UUID each time that it is made
    restarts_forget_subsystems,  ///< what a shutdown takes down is missing in the configuration
};
inline constexpr auto last_mutation = mutation::restarts_forget_subsystems;

[[nodiscard]] std::string_view to_string(mutation m) noexcept;
[[nodiscard]] std::optional<mutation> parse_mutation(std::string_view name) noexcept;

#ifdef FULMAR_MUTATIONS
inline mutation active_mutation = mutation::none;  ///< set by tests, before any reactor runs
inline std::uint32_t numbers_given = 0;
[[nodiscard]] inline bool mutated(mutation m) noexcept { return active_mutation == m; }
/// Another number each time, or always 0.
[[nodiscard]] inline std::uint32_t another_if(mutation m) noexcept {
    return mutated(m) ? ++numbers_given : 0;
}
#else
[[nodiscard]] constexpr bool mutated(mutation) noexcept { return false; }
[[nodiscard]] constexpr std::uint32_t another_if(mutation) noexcept { return 0; }
#endif

}  // namespace fulmar
