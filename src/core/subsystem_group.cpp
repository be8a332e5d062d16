// One subsystem on one poll group: gates open and close, what is parked is replayed or answered,
// transitions drain. Must never free a parked request without an answer.
#include "ana_layout.hpp"
#include "command/io.hpp"
#include "nqn_key.hpp"
#include "policy/policies.hpp"
#include "reservation/reservation_rules.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/subsystem_group.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <bit>
#include <new>

namespace fulmar::core {

namespace sc = nvme::sc;

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

escalate_command::escalate_command() noexcept : message(nullptr) {}

void escalate_command::send() noexcept {
    away = true;
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<escalate_command&>(m);
        self.group->escalate(self);
        self.set_handler([](engine::message& home) noexcept {
            auto& back = static_cast<escalate_command&>(home);
            back.away = false;
            back.returned(back);
        });
        self.control->post(self);
    });
    group->reactor().post(*this);
}

namespace_entry::~namespace_entry() {
    if (park_limit.armed()) group->reactor().timers().cancel(park_limit);
    if (starving_hook.is_linked()) group->forget(*this);
}

void namespace_entry::on_parked_too_long() noexcept { subsystem->parked_too_long(*this); }

void namespace_entry::on_orphaned() noexcept {
    core::target& target = group->target();
    target.control_reactor().note(
        {.what = "device", .detail = "held", .subsystem = owner, .ns = id});
    target.devices().hold(*device);
}

void namespace_entry::on_reaped() noexcept {
    const std::unique_ptr<namespace_entry> self(this);
    core::target& target = group->target();
    target.control_reactor().note(
        {.what = "device", .detail = "released", .subsystem = owner, .ns = id});
    target.devices().let_go(*device);
}

void namespace_entry::refresh(const namespace_description& from) noexcept {
    id = from.id;
    geometry = from.geometry;
    block_shift = static_cast<unsigned>(std::countr_zero(from.geometry.block_bytes));
    block_count = from.geometry.block_count;
    write_protected = from.write_protected();
    reservation = from.reservation;
    ranges = from.ranges;
    visible_to = from.visible_to;
    hold = from.hold;
    park_ms = from.park_ms;
    take_paths(from);
}

void namespace_entry::take_paths(const namespace_description& from) noexcept {
    ana = from.ana;
    ana_paths = from.ana_paths;
    ana_group = from.ana_group();
    restrict();
}

bool namespace_entry::has_closed_path() const noexcept {
    if (ana_paths == nullptr) return !is_served(ana);
    return !std::all_of(ana_paths->begin(), ana_paths->end(), is_served);
}

void namespace_entry::leave_ana() noexcept {
    ana = ana_state::optimized;
    ana_paths = nullptr;
    restrict();
}

void namespace_entry::restrict() noexcept {
    const bool reserved = reservation != nullptr && reservation->is_held();
    restricted = has_closed_path() || write_protected || reserved;
}

subsystem_group::subsystem_group(poll_group& owner, subsystem_view description) noexcept
    : group(&owner), id(description->id), view(std::move(description)) {}

void subsystem_group::note(const char* what, const char* detail, namespace_id ns,
                           std::uint64_t object, std::uint64_t value) const noexcept {
    group->reactor().note({.what = what,
                           .detail = detail,
                           .subsystem = id,
                           .ns = ns,
                           .object = object,
                           .value = value});
}

// --- gates ---------------------------------------------------------------------------------------

void subsystem_group::open_gate(namespace_entry& entry) noexcept {
    entry.gate.take(gate_event::open);
    group->reactor().timers().cancel(entry.park_limit);
    note("gate", "open", entry.id, 0, entry.gate.parked);
    // Replay in order of arrival. One whose turn it is may be parked again only if somebody
    // quiesces inside the loop: count first.
    for (std::uint32_t left = entry.gate.parked; left != 0 && !entry.parked.empty(); --left) {
        request& r =
            mutated(mutation::replay_is_reversed) ? entry.parked.back() : entry.parked.front();
        entry.parked.erase(entry.parked.iterator_to(r));
        entry.gate.unpark(r.parked_bytes);
        r.parked_bytes = 0;
        note("replayed", "", entry.id, r.owner->connection_number(), r.cid());
        group->count(&group_counters::replayed);
        command::io::replay(r);
    }
    entry.show();
}

void subsystem_group::answer_parked(namespace_entry& entry, nvme::status answer) noexcept {
    while (!entry.parked.empty()) {
        request& r = entry.parked.front();
        entry.parked.pop_front();
        entry.gate.unpark(r.parked_bytes);
        r.parked_bytes = 0;
        note("unparked", "answered", entry.id, r.owner->connection_number(), r.cid());
        if (mutated(mutation::parked_requests_are_dropped)) {
            r.advance(request_event::replay);  // out of every list, and nobody goes on with it
            continue;
        }
        r.owner->finish(r, answer.dnr ? answer : command::io::retry_later(*r.owner, answer));
    }
}

void subsystem_group::close_gate(namespace_entry& entry, nvme::status answer) noexcept {
    entry.gate.take(gate_event::close);
    group->reactor().timers().cancel(entry.park_limit);
    entry.closed_status = answer;
    note("gate", "closed", entry.id, 0, entry.gate.parked);
    answer_parked(entry, answer);
    entry.show();
}

void subsystem_group::watch_parked(namespace_entry& entry) noexcept {
    if (!entry.held() || entry.parked.empty() || entry.park_limit.armed()) return;
    group->reactor().timers().arm(entry.park_limit, entry.parked.front().parked_at +
                                                        std::chrono::milliseconds(entry.park_ms));
}

// Told to try again later: a host counts its tries, or gives up when it has had enough.
void subsystem_group::parked_too_long(namespace_entry& entry) noexcept {
    const instant now = group->reactor().now();
    while (!entry.parked.empty()) {
        request& r = entry.parked.front();
        if (now - r.parked_at < std::chrono::milliseconds(entry.park_ms)) break;
        entry.parked.pop_front();
        entry.gate.unpark(r.parked_bytes);
        r.parked_bytes = 0;
        note("unparked", "waited", entry.id, r.owner->connection_number(), r.cid());
        r.owner->finish(r, command::io::retry_later(*r.owner, sc::namespace_not_ready));
    }
    entry.show();
    watch_parked(entry);
}

// Everything inside the gate ends now: what is at the device, in the order of submission, and what
// waits for a buffer. Who awaits its host's data ends when the data is there, or its connection.
void subsystem_group::abandon_tasks(namespace_entry& entry, nvme::status answer) noexcept {
    for (auto at = entry.tasks.begin(); at != entry.tasks.end();) {
        io_task& task = *at++;
        command::io::abandon(task, answer);  // first: an abort may end the task inside the call
        entry.channel->abort(task);
    }
    struct context {
        const namespace_entry* lost;
        nvme::status answer;
    } about{.lost = &entry, .answer = answer};
    for (auto at = qpairs.begin(); at != qpairs.end();) {
        qpair& q = *at++;
        if (!q.is_io()) continue;
        q.for_each_request(
            [](request& r, void* in) {
                const context& c = *static_cast<const context*>(in);
                if (r.entered && r.entry == c.lost && !command::io::give_up(r, c.answer) &&
                    r.cut == cut_off::no)
                    r.cut = cut_off::lost;
            },
            &about);
    }
}

// --- actions -------------------------------------------------------------------------------------

bool subsystem_group::add_namespace(const namespace_description& what, group_command& command) {
    auto channel = command.device->open_channel(group->reactor());
    if (!channel) return false;
    if (entries.size() <= what.id.index) entries.resize(what.id.index + 1);
    auto entry = std::make_unique<namespace_entry>();
    entry->subsystem = this;
    entry->owner = id;
    entry->owner_key = nqn_key(view->nqn);
    entry->group = group;
    entry->device = command.device;
    entry->gauge = command.gauge;
    entry->refresh(what);
    entry->gate.generation = what.id.generation;
    entry->closed_status = sc::namespace_not_ready;
    entry->channel = std::move(*channel);
    choose_viewers(*entry, what, false);
    entries[what.id.index] = std::move(entry);
    return true;
}

void subsystem_group::replace_view(subsystem_view description) noexcept {
    if (description == nullptr) return;
    const subsystem_view old = std::exchange(view, std::move(description));
    group->view_replaced(*this, old->nqn);
    // Columns and what is in them, before anybody is asked about a path.
    for (qpair& q : qpairs) q.ana_column_ = view->ana_column(q.listener_name());
    for (const namespace_description& n : view->namespaces)
        if (namespace_entry* entry = find(n.number().value());
            entry != nullptr && entry->id == n.id)
            entry->take_paths(n);
    for (const namespace_description& n : view->namespaces) {
        namespace_entry* entry = find(n.number().value());
        if (entry == nullptr || entry->id != n.id) continue;
        if (entry->visible_to != n.visible_to) choose_viewers(*entry, n, true);
        entry->refresh(n);
    }
    tell_of_paths(*old);
}

// --- who sees a namespace, and by which paths ----------------------------------------------------

// Each queue and each controller here notes whether its host does. `told`: hosts know the namespace
// already, and hear where that changes for them.
void subsystem_group::choose_viewers(namespace_entry& entry, const namespace_description& now,
                                     bool told) noexcept {
    const std::uint32_t number = now.number().value();
    for (controller& c : controllers) c.set_hidden(number, !now.visible(c.host_nqn()), told);
    for (qpair& q : qpairs) q.hidden_.set(number, !now.visible(q.connect_.host_nqn()));
    if (told) turn_away(entry);
}

namespace {
nvme::status why_shut_out(const qpair& q, const namespace_entry& entry) noexcept {
    return q.hides(entry) ? policy::unseen : policy::status_of_path(q, entry);
}

bool stays_parked(const qpair& q, const namespace_entry& entry) noexcept {
    return mutated(q.hides(entry) ? mutation::hidden_commands_stay_parked
                                  : mutation::closed_paths_keep_parked);
}

// It is inside its gate, and whoever sent it is shut out.
void keep_from_device(request& r) noexcept {
    const bool hidden = r.owner->hides(*r.entry);
    const cut_off why = hidden ? cut_off::hidden : cut_off::path;
    if (r.task != nullptr) {  // of a pair, whose Write has not been submitted
        if (r.partner != nullptr) r.cut = why;
        return;
    }
    if (command::io::give_up(r, why_shut_out(*r.owner, *r.entry))) return;
    if (!mutated(hidden ? mutation::late_data_reaches_hidden
                        : mutation::late_data_takes_closed_paths))
        r.cut = why;
}
}  // namespace

// What has not reached the device yet of hosts that do not see the namespace, or that came by a
// path which is closed, never does. What is there ends by itself, or by the deadline.
void subsystem_group::turn_away(namespace_entry& entry) noexcept {
    note("access", "changed", entry.id, 0, entry.gate.inside);
    for (auto at = entry.parked.begin(); at != entry.parked.end();) {
        request& r = *at++;
        if (!policy::shuts_out(*r.owner, entry) || stays_parked(*r.owner, entry)) continue;
        entry.parked.erase(entry.parked.iterator_to(r));
        entry.gate.unpark(r.parked_bytes);
        r.parked_bytes = 0;
        note("unparked", "shut-out", entry.id, r.owner->connection_number(), r.cid());
        r.owner->finish(r, why_shut_out(*r.owner, entry));
    }
    for (auto at = qpairs.begin(); at != qpairs.end();) {
        qpair& q = *at++;
        // One that detaches has no request, and its controller may have gone at its home already.
        if (!q.is_io() || q.state() == qpair_state::detaching) continue;
        if (!policy::shuts_out(q, entry)) continue;
        q.for_each_request(
            [](request& r, void* about) {
                if (r.entered && r.entry == about) keep_from_device(r);
            },
            &entry);
    }
    entry.show();
}

bool subsystem_group::changes_access(const group_command& command,
                                     const namespace_entry& entry) const noexcept {
    if (command.action != group_action::change_access) return false;
    if (command.ns.valid()) return entry.id == command.ns;
    if (!entry.held()) return entry.ana_group == command.ana_group;
    const namespace_description* const about = view->find(nsid(entry.id.index + 1));
    return about != nullptr && about->configured.group == command.ana_group;
}

std::uint32_t subsystem_group::tasks_shut_out(const namespace_entry& entry) noexcept {
    if (entry.visible_to == nullptr && !entry.has_closed_path()) return 0;
    return static_cast<std::uint32_t>(
        std::count_if(entry.tasks.begin(), entry.tasks.end(), [&](const io_task& task) {
            return task.owner != nullptr && policy::shuts_out(*task.owner->owner, entry);
        }));
}

// The host of a task that was given up may be gone, and its connection; the keys of their names
// stay. While a device is away the paths are closed for that, and not by anybody who asks for it:
// what operators have configured counts.
std::uint32_t subsystem_group::unreaped_shut_out(const namespace_entry& entry) const noexcept {
    if (entry.abandoned == 0) return 0;
    const namespace_description* const about = view->find(nsid(entry.id.index + 1));
    const auto sees = [&](std::uint64_t host) {
        return entry.visible_to == nullptr ||
               std::any_of(entry.visible_to->begin(), entry.visible_to->end(),
                           [host](const std::string& nqn) { return nqn_key(nqn) == host; });
    };
    const auto is_open = [&](std::uint64_t listener) {
        if (about == nullptr) return true;
        const auto& named = view->ana_listeners;
        const auto at =
            std::find_if(named.begin(), named.end(),
                         [listener](const std::string& name) { return nqn_key(name) == listener; });
        const bool own = at != named.end();
        return is_served(
            about->configured.at(own ? static_cast<std::size_t>(at - named.begin()) + 1 : 0));
    };
    std::uint32_t count = 0;
    for (const io_task& task : entry.tasks) {
        const bool of_a_host = task.owner == nullptr && task.host != 0;  // a flush has none
        count += of_a_host && !(sees(task.host) && is_open(task.listener)) ? 1 : 0;
    }
    return count;
}

// --- what hosts are told -------------------------------------------------------------------------

namespace {
bool hears(const controller& c, std::uint32_t number) noexcept {
    return !c.hides(number) || mutated(mutation::strangers_hear_of_changes);
}
}  // namespace

void subsystem_group::tell_namespaces_changed(const group_command& command) noexcept {
    for (const std::uint32_t number : command.changed_namespaces) tell_namespace_changed(number);
}

void subsystem_group::tell_of_paths(const subsystem_description& former) noexcept {
    if (same_ana(former, *view)) return;
    for (controller& c : controllers) c.paths_replaced(former, *view);
}

void subsystem_group::tell_of_reservation(const group_command& command) noexcept {
    if (command.adopted == nullptr) return;
    for (const reservation_effect& effect : command.adopted->effects) {
        if (effect.notice == nvme::reservation_notice::empty) continue;
        for (controller& c : controllers)
            if (nvme::host_id{c.host_id()} == effect.host && hears(c, command.ns.index + 1))
                c.reservation_changed(command.ns.index + 1, effect.notice);
    }
}

void subsystem_group::tell_namespace_changed(std::uint32_t number) noexcept {
    for (controller& c : controllers)
        if (hears(c, number)) c.namespace_changed(number);
}

// What hosts are told by a gate that `action` closes.
nvme::status subsystem_group::closing_status(group_action action) noexcept {
    if (action == group_action::detach_namespace) return sc::invalid_namespace_or_format.no_retry();
    if (action == group_action::lose_namespace) return sc::internal_error.no_retry();
    return sc::namespace_not_ready;
}

void subsystem_group::move_gates(const group_command& command) noexcept {
    state = group_rules::view_after(command.action, state);
    for (const auto& e : entries) {
        if (e == nullptr) continue;
        const auto on =
            group_rules::at_gate(command.action, e->id == command.ns, state, e->gate.position);
        if (!on) continue;
        switch (*on) {
            case gate_event::open: open_gate(*e); break;
            case gate_event::quiesce:
            case gate_event::restore:
            case gate_event::hold:
                e->gate.take(*on);
                watch_parked(*e);
                note("gate", to_string(e->gate.position).data(), e->id, 0, e->gate.inside);
                break;
            case gate_event::close: close_gate(*e, closing_status(command.action)); break;
        }
    }
}

void subsystem_group::end_connections() noexcept {
    for (auto at = controllers.begin(); at != controllers.end();)
        (at++)->disconnect(close_reason::operator_request);
    for (auto at = qpairs.begin(); at != qpairs.end();)
        (at++)->close(close_reason::operator_request);
}

bool subsystem_group::attach(group_command& command) {
    const namespace_description* what = command.view->find(nsid(command.ns.index + 1));
    if (what != nullptr && command.device != nullptr && add_namespace(*what, command)) return true;
    command.succeeded = false;
    command.failure = "the device refused a channel";
    return false;
}

// True: done at once. False: the ack comes when what it waits for has drained.
bool subsystem_group::begin(group_command& command) {
    if (command.action == group_action::attach_namespace && !attach(command)) return true;
    replace_view(std::move(command.view));
    move_gates(command);
    const std::uint32_t number = command.ns.index + 1;
    namespace_entry* entry = command.ns.valid() ? find(number) : nullptr;
    if (entry != nullptr && entry->id != command.ns) entry = nullptr;
    switch (command.action) {
        case group_action::open_subsystem: group->retry_parked_connects(view->nqn); break;
        case group_action::close_subsystem: end_connections(); break;
        case group_action::lose_namespace:
        case group_action::hold_namespace:
            if (entry != nullptr) abandon_tasks(*entry, backend::device_gone);
            if (entry != nullptr) tell_namespace_changed(number);
            break;
        case group_action::detach_namespace:  // it is in no ANA group any more: its gate answers
            if (entry != nullptr) entry->leave_ana();
            [[fallthrough]];
        case group_action::attach_namespace:
            if (entry != nullptr) tell_namespace_changed(number);
            break;
        case group_action::open_namespace:
        case group_action::update_view: tell_namespaces_changed(command); break;
        case group_action::expel_hosts: disconnect_disallowed(); break;
        case group_action::change_access:
            for (const auto& e : entries)
                if (e != nullptr && changes_access(command, *e)) turn_away(*e);
            break;
        case group_action::end_controller: end_controller(command.ended.number); break;
        case group_action::none:
        case group_action::add_subsystem:
        case group_action::quiesce_subsystem:
        case group_action::remove_subsystem:
        case group_action::quiesce_namespace:
        case group_action::drain_namespace: break;
    }
    tell_of_reservation(command);
    return !group_rules::may_wait(command.action);
}

// --- what a transition waits for -----------------------------------------------------------------

// Controllers at home here, and queues here, wherever their controllers live, of hosts that the new
// view does not allow.
void subsystem_group::disconnect_disallowed() noexcept {
    for (auto at = controllers.begin(); at != controllers.end();) {
        controller& c = *at++;
        if (!view->allows(c.host_nqn())) c.disconnect(close_reason::operator_request);
    }
    for (auto at = qpairs.begin(); at != qpairs.end();) {
        qpair& q = *at++;
        if (!view->allows(q.connect_.host_nqn())) q.close(close_reason::operator_request);
    }
}

// The same of one controller, which is at home here or elsewhere.
void subsystem_group::end_controller(std::uint64_t instance) noexcept {
    for (auto at = controllers.begin(); at != controllers.end();) {
        controller& c = *at++;
        if (c.who().instance.number == instance) c.disconnect(close_reason::cross_reset);
    }
    for (auto at = qpairs.begin(); at != qpairs.end();) {
        qpair& q = *at++;
        if (q.connect_.instance.number == instance) q.close(close_reason::cross_reset);
    }
}

std::uint32_t subsystem_group::queues_of_controller(std::uint64_t instance) const noexcept {
    std::uint32_t count = 0;
    for (const controller& c : controllers) count += c.who().instance.number == instance ? 1 : 0;
    for (const qpair& q : qpairs) count += q.connect_.instance.number == instance ? 1 : 0;
    return count;
}

bool subsystem_group::concerns(const group_command& command,
                               const namespace_entry& entry) const noexcept {
    return group_rules::drains(command.action, entry.id == command.ns, entry.gate.position);
}

// What was given up, is at a backend still, and belongs to whom `is_meant` says.
template <typename Is>
std::uint32_t subsystem_group::count_unreaped(Is is_meant) const noexcept {
    std::uint32_t count = 0;
    const auto look_at = [&](const namespace_entry& e) {
        if (e.abandoned == 0) return;
        for (const io_task& task : e.tasks)
            count += task.owner == nullptr && task.host != 0 && is_meant(task) ? 1 : 0;
    };
    for (const auto& e : entries)
        if (e != nullptr) look_at(*e);
    for (const namespace_entry& e : group->orphans())
        if (e.owner_key == nqn_key(view->nqn)) look_at(e);  // of a former incarnation, too
    return count;
}

// Of the host that was removed, or of all that are not allowed any more.
std::uint32_t subsystem_group::unreaped_of_expelled(std::string_view host) const noexcept {
    if (view->allow_any_host) return 0;
    return count_unreaped([&](const io_task& task) {
        if (!host.empty()) return nqn_key(host) == task.host;
        return std::none_of(view->hosts.begin(), view->hosts.end(),
                            [&](const std::string& nqn) { return nqn_key(nqn) == task.host; });
    });
}

std::uint32_t subsystem_group::unreaped_of_controller(std::uint64_t instance) const noexcept {
    if (mutated(mutation::cross_resets_forget_what_is_given_up)) return 0;
    return count_unreaped([&](const io_task& task) { return task.controller == instance; });
}

// Given up, and at a backend still.
std::uint32_t subsystem_group::unreaped(const group_command& command) const noexcept {
    if (command.action == group_action::expel_hosts) return unreaped_of_expelled(command.subject);
    if (command.action == group_action::end_controller)
        return unreaped_of_controller(command.ended.number);
    std::uint32_t count = 0;
    for (const auto& e : entries) {
        if (e == nullptr) continue;
        if (changes_access(command, *e)) count += unreaped_shut_out(*e);
        if (concerns(command, *e)) count += e->abandoned;
    }
    return count;
}

// What is given up counts until the deadline; after it, it is reported.
std::uint32_t subsystem_group::still_waiting(const group_command& command) const noexcept {
    std::uint32_t left = gave_up ? 0 : unreaped(command);
    for (const auto& e : entries) {
        if (e == nullptr) continue;
        if (changes_access(command, *e)) left += tasks_shut_out(*e);
        if (concerns(command, *e)) left += e->gate.inside;
    }
    if (command.action == group_action::close_subsystem)
        left += static_cast<std::uint32_t>(controllers.size() + qpairs.size());
    if (command.action == group_action::expel_hosts) {
        for (const controller& c : controllers) left += view->allows(c.host_nqn()) ? 0 : 1;
        for (const qpair& q : qpairs) left += view->allows(q.connect_.host_nqn()) ? 0 : 1;
    }
    if (command.action == group_action::end_controller)
        left += queues_of_controller(command.ended.number);
    return left;
}

void subsystem_group::check_pending() noexcept {
    if (pending != nullptr) group->settle_later(*this);
}

void subsystem_group::settle() noexcept {
    if (pending == nullptr) return;
    group_command& command = *pending;
    const std::uint32_t left = still_waiting(command);
    command.waiting_for.store(left, std::memory_order_relaxed);
    if (left != 0) {
        // Others go on meanwhile, so that its gate says nothing of these; what is orphaned has
        // none.
        const bool looks_again =
            command.action == group_action::change_access ||
            (command.action == group_action::end_controller && !group->orphans().empty());
        if (looks_again) group->settle_next_turn(*this);
        return;
    }
    if (std::exchange(command.flushes, false) && flush_drained(command)) return;
    pending = nullptr;
    note(gave_up ? "given-up" : "drained", to_string(command.action).data(), command.ns,
         command.transition);
    gave_up = false;
    command.unreaped = unreaped(command);
    orphan_what_is_left(command);
    group->acknowledge(command);
}

// Each poll group after its own drain: together they cover every write. It counts as one that was
// given up, since no request waits for it. False: there is nothing to flush, or no memory to do it.
// A task of its own, since a poll group without queues has none in its pool.
bool subsystem_group::flush_drained(group_command& command) noexcept {
    namespace_entry* entry = find(command.ns.index + 1);
    if (entry == nullptr || entry->id != command.ns || !entry->geometry.volatile_write_cache)
        return false;
    if (entry->flush == nullptr) entry->flush.reset(new (std::nothrow) io_task);
    if (entry->flush == nullptr) {
        command.succeeded = false;
        command.failure = "there is no memory to flush";
        return false;
    }
    io_task& task = *entry->flush;  // at rest: what was given up has been waited for
    task.kind = backend::io_kind::flush;
    task.entry = entry;
    task.done = &drained_flushed;
    entry->flushed_for = command.transition;
    entry->tasks.push_back(task);
    ++entry->abandoned;
    entry->show_abandoned();
    entry->channel->submit(task);
    return true;
}

void subsystem_group::drained_flushed(backend::io_op& op, nvme::status status) noexcept {
    auto& task = static_cast<io_task&>(op);
    namespace_entry& entry = *task.entry;
    entry.tasks.erase(entry.tasks.iterator_to(task));
    --entry.abandoned;
    entry.show_abandoned();
    const std::uint64_t meant = std::exchange(entry.flushed_for, 0);
    if (entry.subsystem == nullptr) {  // orphaned
        if (entry.abandoned == 0) entry.group->reap_orphan(entry);
        return;
    }
    group_command* const waits = entry.subsystem->pending;
    if (waits != nullptr && waits->transition == meant && !nvme::is_success(status)) {
        waits->succeeded = false;
        waits->failure = "the device did not flush";
    }
    entry.subsystem->check_pending();
}

// The namespace goes; what its device still holds keeps the entry.
void subsystem_group::orphan_what_is_left(const group_command& command) noexcept {
    for (auto& e : entries) {
        if (e == nullptr || !group_rules::drops(command.action, e->id == command.ns)) continue;
        if (e->abandoned != 0)
            group->orphan(std::move(e));
        else if (command.action == group_action::detach_namespace)
            e.reset();
    }
}

void subsystem_group::refuse_pending() noexcept {
    group_command& command = *std::exchange(pending, nullptr);
    command.succeeded = false;
    command.failure = "commands are at the device still";
    command.unreaped = unreaped(command);
    group->acknowledge(command);
}

// What of the namespaces' I/O the deadline of `command` ends.
bool subsystem_group::ends_with(const group_command& command, const request& r) const noexcept {
    switch (command.action) {
        case group_action::expel_hosts: return !view->allows(r.owner->connect_.host_nqn());
        case group_action::change_access:
            return changes_access(command, *r.entry) && r.task != nullptr &&
                   policy::shuts_out(*r.owner, *r.entry);
        case group_action::end_controller:
            return r.owner->connect_.instance.number == command.ended.number;
        default: return concerns(command, *r.entry);
    }
}

// The deadline has passed: hosts get their answers now, whatever the backends still hold. Who owes
// data is not waited for.
void subsystem_group::give_up_pending() noexcept {
    struct context {
        const subsystem_group* self;
        const group_command* command;
        bool owes = false;
    };
    note("deadline", to_string(pending->action).data(), pending->ns, pending->transition);
    if (!group_rules::gives_up(pending->action)) return refuse_pending();
    gave_up = true;
    for (auto at = qpairs.begin(); at != qpairs.end();) {
        qpair& q = *at++;
        if (!q.is_io()) continue;
        context c{.self = this, .command = pending};
        q.for_each_request(
            [](request& r, void* in) {
                context& about = *static_cast<context*>(in);
                const group_command& command = *about.command;
                const bool concerned = r.entered && about.self->ends_with(command, r);
                if (concerned && !command::io::give_up(r, sc::internal_error)) about.owes = true;
            },
            &c);
        if (c.owes) q.close(close_reason::stalled);
    }
    check_pending();
}

}  // namespace fulmar::core
