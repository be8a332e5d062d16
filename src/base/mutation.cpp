#include <fulmar/base/mutation.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#define FULMAR_NAME(name) \
    mutation_name { mutation::name, #name }

namespace fulmar {

namespace {

struct mutation_name {
    mutation which;
    std::string_view text;
};

// In the order of the enumeration.
constexpr std::array mutation_names{
    FULMAR_NAME(none),
    FULMAR_NAME(parked_requests_are_dropped),
    FULMAR_NAME(abandoned_tasks_answer_again),
    FULMAR_NAME(slots_ignore_generations),
    FULMAR_NAME(stale_acks_count),
    FULMAR_NAME(resumes_leave_gates_quiesced),
    FULMAR_NAME(replay_is_reversed),
    FULMAR_NAME(leftovers_are_asserted),
    FULMAR_NAME(closed_gates_let_data_through),
    FULMAR_NAME(deadlines_are_ignored),
    FULMAR_NAME(quiescing_does_not_drain),
    FULMAR_NAME(reservations_do_not_drain),
    FULMAR_NAME(hidden_namespaces_serve),
    FULMAR_NAME(hiding_does_not_wait),
    FULMAR_NAME(hidden_commands_stay_parked),
    FULMAR_NAME(late_data_reaches_hidden),
    FULMAR_NAME(strangers_hear_of_changes),
    FULMAR_NAME(closed_paths_serve),
    FULMAR_NAME(late_data_takes_closed_paths),
    FULMAR_NAME(closed_paths_keep_parked),
    FULMAR_NAME(cross_resets_do_not_wait),
    FULMAR_NAME(cross_resets_forget_what_is_given_up),
    FULMAR_NAME(ended_controllers_leave_errands),
    FULMAR_NAME(any_host_ends_controllers),
    FULMAR_NAME(quiescing_covers_all_namespaces),
    FULMAR_NAME(quiescing_stops_admin_commands),
    FULMAR_NAME(second_loss_is_asserted),
    FULMAR_NAME(second_loss_report_releases_again),
    FULMAR_NAME(returns_during_release_are_forgotten),
    FULMAR_NAME(arrivals_attach_detached_drives),
    FULMAR_NAME(drains_outlast_losses),
    FULMAR_NAME(abandoned_buffers_are_freed),
    FULMAR_NAME(drives_are_not_waited_for),
    FULMAR_NAME(aborts_end_at_once),
    FULMAR_NAME(devices_are_shared),
    FULMAR_NAME(held_devices_are_claimed),
    FULMAR_NAME(fua_is_dropped),
    FULMAR_NAME(flush_is_free),
    FULMAR_NAME(lost_caches_are_forgotten),
    FULMAR_NAME(identities_change),
    FULMAR_NAME(restarts_forget_subsystems),
    FULMAR_NAME(answers_precede_records),
    FULMAR_NAME(restarts_forget_what_hosts_made),
    FULMAR_NAME(restarts_end_what_power_ends),
    FULMAR_NAME(power_ends_nothing),
    FULMAR_NAME(writers_do_not_share_ranges),
    FULMAR_NAME(claims_do_not_wait),
    FULMAR_NAME(copies_only_read),
    FULMAR_NAME(registrants_share_any_reservation),
    FULMAR_NAME(registering_again_replaces_keys),
    FULMAR_NAME(any_key_unregisters),
    FULMAR_NAME(any_key_acquires),
    FULMAR_NAME(iekey_acquires),
    FULMAR_NAME(existing_keys_are_not_ignored),
    FULMAR_NAME(refused_commands_change_persistence),
    FULMAR_NAME(reserved_persistence_is_kept),
    FULMAR_NAME(reservations_outlive_their_holder),
    FULMAR_NAME(unregistering_always_releases),
    FULMAR_NAME(acquiring_changes_the_type),
    FULMAR_NAME(preempted_hosts_stay_registered),
    FULMAR_NAME(preempting_keeps_the_type),
    FULMAR_NAME(takers_are_preempted_too),
    FULMAR_NAME(preempting_nobody_acquires),
    FULMAR_NAME(zero_keys_preempt),
    FULMAR_NAME(zero_keys_spare_holders),
    FULMAR_NAME(preempts_are_not_counted),
    FULMAR_NAME(preempt_and_abort_ends_nobody),
    FULMAR_NAME(preempted_hosts_are_not_told),
    FULMAR_NAME(registrants_release_for_others),
    FULMAR_NAME(any_type_is_released),
    FULMAR_NAME(clearing_keeps_registrants),
    FULMAR_NAME(clearing_is_not_told),
    FULMAR_NAME(releases_are_not_told),
    FULMAR_NAME(masked_notices_are_queued),
    FULMAR_NAME(lost_notices_are_not_counted),
    FULMAR_NAME(cut_reports_count_what_fits),
};

constexpr bool each_has_its_name() noexcept {
    for (std::size_t i = 0; i < mutation_names.size(); ++i)
        if (mutation_names[i].which != static_cast<mutation>(i)) return false;
    return mutation_names.size() == static_cast<std::size_t>(last_mutation) + 1;
}
static_assert(each_has_its_name());

}  // namespace

std::string_view to_string(mutation m) noexcept {
    const auto at = static_cast<std::size_t>(m);
    return at < mutation_names.size() ? mutation_names[at].text : "?";
}

std::optional<mutation> parse_mutation(std::string_view name) noexcept {
    const auto named = [name](const mutation_name& one) { return one.text == name; };
    const auto found = std::ranges::find_if(mutation_names, named);
    return found == mutation_names.end() ? std::nullopt : std::optional(found->which);
}

}  // namespace fulmar
