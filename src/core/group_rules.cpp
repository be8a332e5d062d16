#include <fulmar/base/mutation.hpp>
#include <fulmar/core/group_rules.hpp>

namespace fulmar::core {

std::string_view to_string(group_action action) noexcept {
    switch (action) {
        case group_action::none: return "none";
        case group_action::add_subsystem: return "add-subsystem";
        case group_action::open_subsystem: return "open-subsystem";
        case group_action::quiesce_subsystem: return "quiesce-subsystem";
        case group_action::close_subsystem: return "close-subsystem";
        case group_action::remove_subsystem: return "remove-subsystem";
        case group_action::attach_namespace: return "attach-namespace";
        case group_action::quiesce_namespace: return "quiesce-namespace";
        case group_action::drain_namespace: return "drain-namespace";
        case group_action::open_namespace: return "open-namespace";
        case group_action::detach_namespace: return "detach-namespace";
        case group_action::lose_namespace: return "lose-namespace";
        case group_action::hold_namespace: return "hold-namespace";
        case group_action::update_view: return "update-view";
        case group_action::change_access: return "change-access";
        case group_action::expel_hosts: return "expel-hosts";
        case group_action::end_controller: return "end-controller";
    }
    return "?";
}

std::string_view to_string(view_state state) noexcept {
    switch (state) {
        case view_state::closed: return "closed";
        case view_state::open: return "open";
        case view_state::quiesced: return "quiesced";
    }
    return "?";
}

bool group_rules::is_same(subsystem_id meant, subsystem_id present) noexcept {
    if (mutated(mutation::slots_ignore_generations)) return meant.index == present.index;
    return meant == present;
}

view_state group_rules::view_after(group_action action, view_state view) noexcept {
    switch (action) {
        case group_action::open_subsystem: return view_state::open;
        case group_action::quiesce_subsystem: return view_state::quiesced;
        case group_action::close_subsystem: return view_state::closed;
        case group_action::none:
        case group_action::add_subsystem:
        case group_action::remove_subsystem:
        case group_action::attach_namespace:
        case group_action::quiesce_namespace:
        case group_action::drain_namespace:
        case group_action::open_namespace:
        case group_action::detach_namespace:
        case group_action::lose_namespace:
        case group_action::hold_namespace:
        case group_action::update_view:
        case group_action::change_access:
        case group_action::expel_hosts:
        case group_action::end_controller: return view;
    }
    return view;
}

std::optional<gate_event> group_rules::at_gate(group_action action, bool named, view_state view,
                                               gate_position now) noexcept {
    if (mutated(mutation::quiescing_covers_all_namespaces) &&
        action == group_action::quiesce_namespace)
        named = true;
    switch (action) {
        case group_action::open_subsystem:  // closed or held: lost, and stays so
            if (now == gate_position::quiesced && !mutated(mutation::resumes_leave_gates_quiesced))
                return gate_event::open;
            return std::nullopt;
        case group_action::quiesce_subsystem: return gate_event::quiesce;
        case group_action::close_subsystem: return gate_event::close;
        case group_action::attach_namespace:
        case group_action::open_namespace:
            if (!named) return std::nullopt;
            if (view == view_state::open) return gate_event::open;
            return gate_event::restore;  // opens with its subsystem
        case group_action::quiesce_namespace:
        case group_action::drain_namespace:
            if (named) return gate_event::quiesce;
            return std::nullopt;
        case group_action::detach_namespace:
        case group_action::lose_namespace:
            if (named) return gate_event::close;
            return std::nullopt;
        case group_action::hold_namespace:
            if (named) return gate_event::hold;
            return std::nullopt;
        case group_action::none:
        case group_action::add_subsystem:
        case group_action::remove_subsystem:
        case group_action::update_view:
        case group_action::change_access:
        case group_action::expel_hosts:
        case group_action::end_controller: return std::nullopt;
    }
    return std::nullopt;
}

bool group_rules::drains(group_action action, bool named, gate_position now) noexcept {
    switch (action) {
        case group_action::quiesce_subsystem:
            return now == gate_position::open || now == gate_position::quiesced;  // else: answered
        case group_action::close_subsystem: return true;
        case group_action::quiesce_namespace:
        case group_action::drain_namespace:
        case group_action::detach_namespace: return named;
        case group_action::none:
        case group_action::add_subsystem:
        case group_action::open_subsystem:
        case group_action::remove_subsystem:
        case group_action::attach_namespace:
        case group_action::open_namespace:
        case group_action::lose_namespace:
        case group_action::hold_namespace:
        case group_action::update_view:
        case group_action::change_access:
        case group_action::expel_hosts:
        case group_action::end_controller: return false;
    }
    return false;
}

bool group_rules::may_wait(group_action action) noexcept {
    if (mutated(mutation::quiescing_does_not_drain) && action == group_action::quiesce_subsystem)
        return false;
    if (mutated(mutation::hiding_does_not_wait) && action == group_action::change_access)
        return false;
    if (mutated(mutation::cross_resets_do_not_wait) && action == group_action::end_controller)
        return false;
    return action == group_action::quiesce_subsystem || action == group_action::close_subsystem ||
           action == group_action::quiesce_namespace || action == group_action::drain_namespace ||
           action == group_action::detach_namespace || action == group_action::change_access ||
           action == group_action::expel_hosts || action == group_action::end_controller;
}

bool group_rules::gives_up(group_action action) noexcept {
    return action != group_action::drain_namespace;
}

bool group_rules::drops(group_action action, bool named) noexcept {
    return action == group_action::close_subsystem ||
           (action == group_action::detach_namespace && named);
}

}  // namespace fulmar::core
