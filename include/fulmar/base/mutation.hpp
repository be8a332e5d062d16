// Deliberate bugs, each of which the model, the simulator or a unit test must notice by name. They
// exist in builds with FULMAR_MUTATIONS only, one at a time and none unless a test asks for it;
// everywhere else mutated() is the constant false.
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
    resumes_leave_gates_quiesced,   ///< what is parked stays parked when its subsystem opens
    replay_is_reversed,             ///< the request that was parked last goes first
    leftovers_are_asserted,         ///< a subsystem is added only where no Connect is parked
    closed_gates_let_data_through,  ///< what waited for its data goes to a device that is leaving
    // Everything has a deadline.
    deadlines_are_ignored,      ///< poll groups never hear that the deadline has passed
    quiescing_does_not_drain,   ///< a quiesce is acknowledged with operations at the backend
    reservations_do_not_drain,  ///< a reservation is adopted with commands of others at the backend
    // What a host may not see is not there for it.
    hidden_namespaces_serve,  ///< commands pass to a namespace that their host does not see
    hiding_does_not_wait,     ///< a namespace is hidden, or a path to it closed, with commands of
                              ///< those hosts at a device
    hidden_commands_stay_parked,  ///< what is parked goes on although its host sees no namespace
    late_data_reaches_hidden,     ///< data that comes when its namespace is hidden is written
    strangers_hear_of_changes,    ///< every host is told of what happens to a namespace
    // What came by a path that is closed does not land.
    closed_paths_serve,            ///< commands pass by a path whose ANA state is closed
    late_data_takes_closed_paths,  ///< data that comes when its path is closed is written
    closed_paths_keep_parked,      ///< what is parked goes on though its path is closed
    // What another controller of its host has ended is over.
    cross_resets_do_not_wait,              ///< it is answered with commands of it at a device
    cross_resets_forget_what_is_given_up,  ///< what no connection waits for any more is not asked
                                           ///< for
    ended_controllers_leave_errands,  ///< what it sent to the control reactor is carried out later
    any_host_ends_controllers,        ///< whose controller it is does not matter
    // The management plane is never parked.
    quiescing_covers_all_namespaces,  ///< quiescing one namespace quiesces its neighbours
    quiescing_stops_admin_commands,   ///< a paused subsystem refuses its admin queues
    // No crash from outside.
    second_loss_is_asserted,            ///< a device may be lost only once
    second_loss_report_releases_again,  ///< each report of one loss gives the drive back
    // A drive that comes and goes (tests/model/drive_test.cpp).
    returns_during_release_are_forgotten,  ///< who comes back while it is given back is not heard
    arrivals_attach_detached_drives,  ///< what an operator took away comes back with the kernel
    drains_outlast_losses,            ///< whoever wants a drive waits until it is idle
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
    answers_precede_records,     ///< a host is answered before its change is on stable storage
    restarts_forget_what_hosts_made,  ///< reservations and protections are not recalled
    restarts_end_what_power_ends,     ///< each start of the daemon passes for one of the machine
    power_ends_nothing,               ///< each start of the machine passes for one of the daemon
    // A fused pair is alone in its range.
    writers_do_not_share_ranges,  ///< ordinary commands go past the locks of ranges
    claims_do_not_wait,           ///< a pair begins while others are in its range still
    // One writer at a time: reservations (tests/unit/core/reservation_random_test.cpp).
    copies_only_read,                   ///< a Copy is let through by what its sources need alone
    registrants_share_any_reservation,  ///< registrants do what only the holder may
    registering_again_replaces_keys,    ///< Register by a registrant takes another key
    any_key_unregisters,                ///< Unregister does not compare the current key
    any_key_acquires,               ///< Acquire, Preempt and Release do not compare the current key
    iekey_acquires,                 ///< Acquire and Release take IEKEY for allowed
    existing_keys_are_not_ignored,  ///< Replace compares the current key in spite of IEKEY
    refused_commands_change_persistence,  ///< CPTPL takes effect in a Register that is refused
    reserved_persistence_is_kept,         ///< CPTPL 01b passes for 00b
    reservations_outlive_their_holder,    ///< a holder unregisters, and the reservation stays
    unregistering_always_releases,        ///< all registrants hold, and one who leaves ends that
    acquiring_changes_the_type,           ///< a holder acquires a reservation of another type
    preempted_hosts_stay_registered,      ///< Preempt takes the reservation only
    preempting_keeps_the_type,       ///< Preempt takes over what was held, not what it asks for
    takers_are_preempted_too,        ///< who shares the key of the holder loses its own
    preempting_nobody_acquires,      ///< Preempt without a reservation makes one
    zero_keys_preempt,               ///< PRKEY 0 is a key where a single host holds
    zero_keys_spare_holders,         ///< PRKEY 0 is a key also where all registrants hold
    preempts_are_not_counted,        ///< GEN stands still
    preempt_and_abort_ends_nobody,   ///< commands of preempted hosts go on
    preempted_hosts_are_not_told,    ///< no host hears that it was unregistered
    registrants_release_for_others,  ///< a registrant releases what another one holds
    any_type_is_released,            ///< Release does not compare the type
    clearing_keeps_registrants,      ///< Clear releases, and that is all
    clearing_is_not_told,            ///< no host hears of a Clear
    releases_are_not_told,           ///< no registrant hears that a reservation was released
    masked_notices_are_queued,       ///< feature 82h has no effect
    lost_notices_are_not_counted,    ///< the last page does not tell of what was lost after it
    cut_reports_count_what_fits,     ///< a short buffer hides how many registrants there are
};
inline constexpr auto last_mutation = mutation::cut_reports_count_what_fits;

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
