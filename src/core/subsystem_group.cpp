// One subsystem on one poll group: gates open and close, what is parked is replayed or answered,
// transitions drain. Must never free a parked request without an answer.
#include "io_steps.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/subsystem_group.hpp>

#include <bit>

namespace fulmar::core {

namespace sc = nvme::sc;

std::string_view to_string(group_action action) noexcept {
    switch (action) {
        case group_action::none: return "none";
        case group_action::add_subsystem: return "add-subsystem";
        case group_action::open_subsystem: return "open-subsystem";
        case group_action::fence_subsystem: return "fence-subsystem";
        case group_action::close_subsystem: return "close-subsystem";
        case group_action::remove_subsystem: return "remove-subsystem";
        case group_action::attach_namespace: return "attach-namespace";
        case group_action::fence_namespace: return "fence-namespace";
        case group_action::open_namespace: return "open-namespace";
        case group_action::detach_namespace: return "detach-namespace";
        case group_action::lose_namespace: return "lose-namespace";
        case group_action::update_view: return "update-view";
        case group_action::expel_host: return "expel-host";
    }
    return "?";
}

group_command::group_command() noexcept : message(nullptr) {}

void group_command::send() noexcept {
    busy = true;
    waiting_for.store(0, std::memory_order_relaxed);
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<group_command&>(m);
        self.group->execute(self);
    });
    group->reactor().post(*this);
}

void group_command::reply() noexcept {
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<group_command&>(m);
        self.busy = false;
        self.acknowledged(self);
    });
    control->post(*this);
}

escalate_command::escalate_command() noexcept
    : message([](engine::message& m) noexcept {
          auto& self = static_cast<escalate_command&>(m);
          self.group->escalate(self);
      }) {}

void namespace_entry::refresh(const namespace_description& from) noexcept {
    id = from.id;
    geometry = from.geometry;
    block_shift = static_cast<unsigned>(std::countr_zero(from.geometry.block_bytes));
    block_count = from.geometry.block_count;
    ana = from.ana;
    write_protected = from.write_protected;
}

subsystem_group::subsystem_group(poll_group& owner, subsystem_view description) noexcept
    : group(&owner), id(description->id), view(std::move(description)) {}

// --- gates ---------------------------------------------------------------------------------------

void subsystem_group::open_gate(namespace_entry& entry) noexcept {
    entry.gate.position = gate_position::open;
    // Replay in order of arrival. One whose turn it is may be parked again only if somebody fences
    // inside the loop: count first.
    for (std::uint32_t left = entry.gate.parked; left != 0 && !entry.parked.empty(); --left) {
        request& r = entry.parked.front();
        entry.parked.pop_front();
        entry.gate.unpark(r.parked_bytes);
        r.parked_bytes = 0;
        group->count(&group_counters::replayed);
        io_steps::replay(r);
    }
}

void subsystem_group::answer_parked(namespace_entry& entry, nvme::status answer) noexcept {
    while (!entry.parked.empty()) {
        request& r = entry.parked.front();
        entry.parked.pop_front();
        entry.gate.unpark(r.parked_bytes);
        r.parked_bytes = 0;
        r.owner->finish(r, answer.dnr ? answer : io_steps::retry_later(*r.owner, answer));
    }
}

void subsystem_group::close_gate(namespace_entry& entry, nvme::status answer) noexcept {
    entry.gate.position = gate_position::closed;
    entry.closed_status = answer;
    answer_parked(entry, answer);
}

void subsystem_group::abandon_tasks(namespace_entry& entry, nvme::status answer) noexcept {
    for (auto at = entry.tasks.begin(); at != entry.tasks.end();) {
        io_task& task = *at++;
        entry.channel->abort(task);
        io_steps::abandon(task, answer);
    }
}

// --- actions -------------------------------------------------------------------------------------

bool subsystem_group::add_namespace(const namespace_description& what, backend::device& device) {
    auto channel = device.open_channel(group->reactor());
    if (!channel) return false;
    if (entries.size() <= what.id.index) entries.resize(what.id.index + 1);
    auto entry = std::make_unique<namespace_entry>();
    entry->subsystem = this;
    entry->refresh(what);
    entry->gate.generation = what.id.generation;
    entry->closed_status = sc::namespace_not_ready;
    entry->channel = std::move(*channel);
    entries[what.id.index] = std::move(entry);
    return true;
}

void subsystem_group::replace_view(subsystem_view description) noexcept {
    if (description == nullptr) return;
    const subsystem_view old = std::exchange(view, std::move(description));
    group->view_replaced(*this, old->nqn);
    for (const namespace_description& n : view->namespaces) {
        namespace_entry* entry = find(n.number().value());
        if (entry != nullptr && entry->id == n.id) entry->refresh(n);
    }
}

void subsystem_group::tell_namespace_changed(std::uint32_t number) noexcept {
    for (controller& c : controllers) c.namespace_changed(number);
}

void subsystem_group::close_all() noexcept {
    state = view_state::closed;
    for (const auto& e : entries)
        if (e != nullptr) close_gate(*e, sc::namespace_not_ready);
    for (auto at = controllers.begin(); at != controllers.end();)
        (at++)->disconnect(close_reason::operator_request);
    for (auto at = qpairs.begin(); at != qpairs.end();)
        (at++)->close(close_reason::operator_request);
}

void subsystem_group::attach(group_command& command) {
    const std::uint32_t number = command.ns.index + 1;
    const namespace_description* what = command.view->find(nsid(number));
    if (what == nullptr || command.device == nullptr || !add_namespace(*what, *command.device)) {
        command.succeeded = false;
        command.failure = "the device refused a channel";
        return;
    }
    replace_view(std::move(command.view));
    find(number)->gate.position =
        state == view_state::fenced ? gate_position::fenced : gate_position::open;
    tell_namespace_changed(number);
}

bool subsystem_group::begin(group_command& command) {
    namespace_entry* entry = command.ns.valid() ? find(command.ns.index + 1) : nullptr;
    if (entry != nullptr && entry->id != command.ns) entry = nullptr;
    switch (command.action) {
        case group_action::open_subsystem:
            replace_view(std::move(command.view));
            state = view_state::open;
            for (const auto& e : entries)
                if (e != nullptr && e->gate.position == gate_position::fenced) open_gate(*e);
            group->retry_parked_connects(view->nqn);
            return true;
        case group_action::fence_subsystem:
            state = view_state::fenced;
            for (const auto& e : entries)
                if (e != nullptr && e->gate.position == gate_position::open)
                    e->gate.position = gate_position::fenced;
            return false;
        case group_action::close_subsystem: close_all(); return false;
        case group_action::attach_namespace: attach(command); return true;
        case group_action::fence_namespace:
            if (entry == nullptr) return true;
            if (entry->gate.position == gate_position::open)
                entry->gate.position = gate_position::fenced;
            return false;
        case group_action::open_namespace:
            replace_view(std::move(command.view));
            if (entry != nullptr && state == view_state::open) open_gate(*entry);
            return true;
        case group_action::detach_namespace:
            replace_view(std::move(command.view));
            if (entry == nullptr) return true;
            close_gate(*entry, sc::invalid_namespace_or_format.no_retry());
            tell_namespace_changed(command.ns.index + 1);
            return false;
        case group_action::lose_namespace:
            replace_view(std::move(command.view));
            if (entry == nullptr) return true;
            close_gate(*entry, sc::internal_error.no_retry());
            abandon_tasks(*entry, sc::internal_error.no_retry());
            tell_namespace_changed(command.ns.index + 1);
            return true;
        case group_action::update_view:
            replace_view(std::move(command.view));
            for (const std::uint32_t number : command.changed_namespaces)
                tell_namespace_changed(number);
            if (command.changed_ana != 0)
                for (controller& c : controllers) c.ana_changed();
            return true;
        case group_action::expel_host:
            replace_view(std::move(command.view));
            for (auto at = controllers.begin(); at != controllers.end();) {
                controller& c = *at++;
                if (c.host_nqn() == command.subject) c.disconnect(close_reason::operator_request);
            }
            return false;
        case group_action::none:
        case group_action::add_subsystem:
        case group_action::remove_subsystem: return true;
    }
    return true;
}

// --- what a transition waits for -----------------------------------------------------------------

std::uint32_t subsystem_group::still_waiting(const group_command& command) noexcept {
    std::uint32_t left = 0;
    switch (command.action) {
        case group_action::fence_subsystem:
            for (const auto& e : entries)
                if (e != nullptr) left += e->gate.inside;
            return left;
        case group_action::close_subsystem:
            for (const auto& e : entries)
                if (e != nullptr) left += e->gate.inside + e->abandoned;
            return left + static_cast<std::uint32_t>(controllers.size() + qpairs.size());
        case group_action::fence_namespace:
        case group_action::detach_namespace: {
            const namespace_entry* entry = find(command.ns.index + 1);
            if (entry == nullptr || entry->id != command.ns) return 0;
            return entry->gate.inside +
                   (command.action == group_action::detach_namespace ? entry->abandoned : 0);
        }
        case group_action::expel_host:
            for (const controller& c : controllers)
                if (c.host_nqn() == command.subject) ++left;
            return left;
        case group_action::none:
        case group_action::add_subsystem:
        case group_action::open_subsystem:
        case group_action::remove_subsystem:
        case group_action::attach_namespace:
        case group_action::open_namespace:
        case group_action::lose_namespace:
        case group_action::update_view: return 0;
    }
    return 0;
}

void subsystem_group::check_pending() noexcept {
    if (pending != nullptr) group->settle_later(*this);
}

void subsystem_group::settle() noexcept {
    if (pending == nullptr) return;
    group_command& command = *pending;
    const std::uint32_t left = still_waiting(command);
    command.waiting_for.store(left, std::memory_order_relaxed);
    if (left != 0) return;
    pending = nullptr;
    if (command.action == group_action::detach_namespace && command.ns.index < entries.size())
        entries[command.ns.index].reset();
    group->acknowledge(command);
}

// The deadline has passed: hosts get their answers now, whatever the backends still hold.
void subsystem_group::give_up_pending() noexcept {
    const group_command& command = *pending;
    for (const auto& e : entries) {
        if (e == nullptr) continue;
        const bool concerned = !command.ns.valid() || e->id == command.ns;
        if (concerned) abandon_tasks(*e, sc::internal_error);
    }
    check_pending();
}

}  // namespace fulmar::core
