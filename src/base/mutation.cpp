#include <fulmar/base/mutation.hpp>

#define FULMAR_NAME(name) \
    case mutation::name: return #name

namespace fulmar {

std::string_view to_string(mutation m) noexcept {
    switch (m) {
        FULMAR_NAME(none);
        FULMAR_NAME(parked_requests_are_dropped);
        FULMAR_NAME(abandoned_tasks_answer_again);
        FULMAR_NAME(slots_ignore_generations);
        FULMAR_NAME(stale_acks_count);
        FULMAR_NAME(resumes_leave_gates_fenced);
        FULMAR_NAME(replay_is_reversed);
        FULMAR_NAME(leftovers_are_asserted);
        FULMAR_NAME(closed_gates_let_data_through);
        FULMAR_NAME(deadlines_are_ignored);
        FULMAR_NAME(fences_do_not_drain);
        FULMAR_NAME(fences_cover_all_namespaces);
        FULMAR_NAME(fences_stop_admin_commands);
        FULMAR_NAME(second_loss_is_asserted);
        FULMAR_NAME(second_sign_releases_again);
        FULMAR_NAME(abandoned_buffers_are_freed);
        FULMAR_NAME(drives_are_not_waited_for);
        FULMAR_NAME(aborts_end_at_once);
        FULMAR_NAME(devices_are_shared);
        FULMAR_NAME(held_devices_are_claimed);
        FULMAR_NAME(fua_is_dropped);
        FULMAR_NAME(flush_is_free);
        FULMAR_NAME(lost_caches_are_forgotten);
        FULMAR_NAME(identities_change);
        FULMAR_NAME(restarts_forget_subsystems);
    }
    return "?";
}

std::optional<mutation> parse_mutation(std::string_view name) noexcept {
    for (unsigned i = 0; i <= static_cast<unsigned>(last_mutation); ++i)
        if (const auto m = static_cast<mutation>(i); to_string(m) == name) return m;
    return std::nullopt;
}

}  // namespace fulmar
