// The control reactor's side of a subsystem: operations one after the other, each a row of fan-outs
// to the poll groups.
#include "operations.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/subsystem.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::core {

void operation::answer(control_answer with) {
    subject.owner().commit(what, std::exchange(request, nullptr), std::move(with));
}

void operation::fail_with(error why) {
    subject.set_last_error(why.text());
    if (request == nullptr) {
        subject.owner().operation_failed(why);
        return;
    }
    std::exchange(request, nullptr)->finish(tl::unexpected(std::move(why)));
}

subsystem::subsystem(target& owner, subsystem_id id, subsystem_spec spec, bool discovery)
    : target_(owner),
      id_(id),
      spec_(std::move(spec)),
      discovery_(discovery),
      since_(owner.control_reactor().now()),
      deadline_(*this),
      next_cntlid_(spec_.min_cntlid) {
    for (const auto& group : owner.groups()) {
        auto command = std::make_unique<group_command>();
        command->group = group.get();
        command->control = &owner.control_reactor();
        command->owner = this;
        command->subsystem = id;
        command->acknowledged = [](group_command& c) noexcept {
            static_cast<subsystem*>(c.owner)->on_ack(c);
        };
        commands_.push_back(std::move(command));
        auto escalation = std::make_unique<escalate_command>();
        escalation->group = group.get();
        escalation->subsystem = id;
        escalations_.push_back(std::move(escalation));
    }
}

subsystem::~subsystem() { target_.control_reactor().timers().cancel(deadline_); }

void subsystem::advance(subsystem_event on) {
    const auto to = next_state(subsystem_edges, state_, on);
    FULMAR_ASSERT(to.has_value());
    state_ = *to;
    since_ = target_.control_reactor().now();
}

void subsystem::advance(namespace_record& n, namespace_event on) {
    const auto to = next_state(namespace_edges, n.state, on);
    FULMAR_ASSERT(to.has_value());
    n.state = *to;
    n.since = target_.control_reactor().now();
}

// --- operations ----------------------------------------------------------------------------------

void subsystem::enqueue(std::unique_ptr<operation> op) {
    if (waiting_.size() >= limits::pending_operations_per_subsystem) {
        if (op->request != nullptr)
            op->request->finish(
                fail(errc::limit_reached,
                     fmt::format("{} operations wait for {}", waiting_.size(), spec_.nqn), {},
                     "let them finish"));
        return;
    }
    waiting_.push_back(std::move(op));
    if (current_ == nullptr) run_next();
}

void subsystem::run_next() {
    while (current_ == nullptr && !waiting_.empty()) {
        current_ = std::move(waiting_.front());
        waiting_.pop_front();
        if (!current_->resume()) return;
        current_.reset();
    }
    if (current_ == nullptr && deleted_) target_.subsystem_gone(*this);  // destroys this
}

void subsystem::fan_out(group_action action, const namespace_record* ns, subsystem_view view,
                        std::vector<std::uint32_t> changed, bool changed_ana, std::string subject) {
    transition_ = target_.next_transition();
    acks_missing_ = commands_.size();
    failure_.clear();
    subject_ = std::move(subject);
    for (const auto& command : commands_) {
        FULMAR_ASSERT(!command->busy);
        command->action = action;
        command->transition = transition_;
        command->ns = ns != nullptr ? ns->id : namespace_id{};
        command->device = ns != nullptr ? ns->device : nullptr;
        command->view = view;
        command->subject = subject_;
        command->changed_namespaces = changed;
        command->changed_ana = changed_ana ? 1 : 0;
        command->send();
    }
    target_.control_reactor().timers().arm(
        deadline_, target_.control_reactor().fresh_now() +
                       std::chrono::milliseconds(target_.options().transition_timeout_ms));
}

void subsystem::on_ack(group_command& command) noexcept {
    if (command.transition != transition_ || acks_missing_ == 0) return target_.count_stale();
    if (!command.succeeded) failure_ = command.failure;
    if (--acks_missing_ != 0) return;
    target_.control_reactor().timers().cancel(deadline_);
    if (current_ == nullptr || !current_->resume()) return;
    current_.reset();
    run_next();
}

// Poll groups that have not answered give up what they wait for; their acks follow.
void subsystem::on_deadline(engine::timer& t) noexcept {
    subsystem& s = *static_cast<deadline_timer&>(t).owner;
    s.last_error_ = fmt::format("{} did not finish within {} ms: outstanding I/O was failed",
                                to_string(s.commands_.front()->action),
                                s.target_.options().transition_timeout_ms);
    log::warn("{}: {}", s.spec_.nqn, s.last_error_);
    for (std::size_t i = 0; i < s.commands_.size(); ++i) {
        if (!s.commands_[i]->busy || s.escalations_[i]->queued()) continue;
        s.escalations_[i]->transition = s.transition_;
        s.escalations_[i]->group->reactor().post(*s.escalations_[i]);
    }
}

void subsystem::device_lost(std::uint32_t nsid, const backend::device& which) {
    namespace_record* n = find(nsid);
    if (n == nullptr || n->device != &which || deleted_) return;
    enqueue(std::make_unique<lose_namespace_operation>(*this, nsid, n->id.generation));
}

void subsystem::device_resized(std::uint32_t nsid) {
    if (find(nsid) != nullptr && !deleted_)
        enqueue(std::make_unique<refresh_namespace_operation>(*this, nsid, nullptr));
}

// --- namespaces ----------------------------------------------------------------------------------

namespace_record* subsystem::find(std::uint32_t nsid) {
    const auto at = namespaces_.find(nsid);
    return at == namespaces_.end() ? nullptr : &at->second;
}

namespace {
// Fills in what the caller left to us, and refuses what cannot be.
result<void> complete_spec(namespace_spec& spec, const std::string& nqn,
                           const std::map<std::uint32_t, namespace_record>& present) {
    if (spec.nsid == 0) {
        spec.nsid = 1;
        for (const auto& [taken, record] : present)
            if (taken == spec.nsid) ++spec.nsid;
    }
    if (spec.nsid > limits::max_namespaces)
        return fail(errc::invalid_argument,
                    fmt::format("nsid {} is above {}", spec.nsid, limits::max_namespaces), "/nsid",
                    "choose a smaller one, or leave it out");
    if (present.contains(spec.nsid))
        return fail(errc::already_exists, fmt::format("namespace {} exists in {}", spec.nsid, nqn),
                    "/nsid", "choose another one, or leave it out");
    if (spec.uuid.empty())
        spec.uuid = std::string(nvme::to_text(nvme::derive_uuid(nqn, spec.nsid)).view());
    if (spec.nguid.empty())
        spec.nguid = std::string(nvme::to_text(nvme::derive_nguid(nqn, spec.nsid)).view());
    if (!nvme::parse_uuid(spec.uuid))
        return fail(errc::invalid_argument, fmt::format("{} is not a UUID", spec.uuid), "/uuid");
    if (!nvme::parse_nguid(spec.nguid))
        return fail(errc::invalid_argument, fmt::format("{} is not an NGUID", spec.nguid), "/nguid",
                    "32 hexadecimal digits");
    for (const auto& [nsid, record] : present)
        if (record.spec.uuid == spec.uuid)
            return fail(errc::conflict, fmt::format("namespace {} has that UUID", nsid), "/uuid");
    return {};
}
}  // namespace

result<namespace_record*> subsystem::add_record(namespace_spec spec) {
    FULMAR_CHECK(complete_spec(spec, spec_.nqn, namespaces_));
    FULMAR_TRY(device_registry::entry * claimed,
               target_.devices().claim(spec.device, *this, spec.nsid));
    namespace_record record;
    record.id = {.index = spec.nsid - 1, .generation = ++namespace_generations_[spec.nsid]};
    record.device = claimed->device.get();
    record.geometry = claimed->device->geometry();
    record.since = target_.control_reactor().now();
    record.spec = std::move(spec);
    return &namespaces_.emplace(record.spec.nsid, std::move(record)).first->second;
}

void subsystem::drop_record(std::uint32_t nsid) {
    const auto at = namespaces_.find(nsid);
    if (at == namespaces_.end()) return;
    target_.devices().release(at->second.spec.device);
    namespaces_.erase(at);
}

subsystem_view subsystem::make_view() const {
    auto view = std::make_shared<subsystem_description>();
    view->id = id_;
    view->discovery = discovery_;
    view->nqn = spec_.nqn;
    view->serial = spec_.serial;
    view->model = spec_.model;
    view->allow_any_host = spec_.allow_any_host || discovery_;
    view->hosts = spec_.hosts;
    view->listeners = spec_.listeners;
    std::sort(view->hosts.begin(), view->hosts.end());
    std::sort(view->listeners.begin(), view->listeners.end());
    view->ana_change_count = ana_changes_;
    for (const auto& [nsid, n] : namespaces_) {
        if (n.state == namespace_state::detaching || n.state == namespace_state::absent) continue;
        namespace_description d;
        d.id = n.id;
        d.uuid = nvme::parse_uuid(n.spec.uuid).value_or(nvme::uuid{});
        d.nguid = nvme::parse_nguid(n.spec.nguid).value_or(nvme::nguid{});
        d.geometry = n.geometry;
        d.ana = n.spec.ana;
        d.ready = n.state != namespace_state::lost;
        view->namespaces.push_back(d);
    }
    return view;
}

// --- controllers ---------------------------------------------------------------------------------

// In turn, so that a number is not handed out again while somebody may still remember its former
// owner.
cntlid subsystem::assign_controller_id(poll_group& home) {
    if (controllers_.size() >= limits::max_controllers) return {};
    const std::uint32_t span = spec_.max_cntlid - spec_.min_cntlid + 1u;
    for (std::uint32_t tried = 0; tried < span; ++tried) {
        const std::uint16_t candidate = next_cntlid_;
        next_cntlid_ = candidate == spec_.max_cntlid ? spec_.min_cntlid
                                                     : static_cast<std::uint16_t>(candidate + 1);
        if (controllers_.contains(candidate)) continue;
        controllers_.emplace(candidate, controller_place{.home = &home});
        return cntlid(candidate);
    }
    return {};
}

void subsystem::place_controller(cntlid number, controller& where) noexcept {
    const auto at = controllers_.find(number.value());
    if (at != controllers_.end()) at->second.where = &where;
}

void subsystem::release_controller(cntlid number) noexcept { controllers_.erase(number.value()); }

const subsystem::controller_place* subsystem::find_controller(cntlid number) const noexcept {
    const auto at = controllers_.find(number.value());
    return at == controllers_.end() ? nullptr : &at->second;
}

// --- reports -------------------------------------------------------------------------------------

namespace {
std::uint64_t ms_between(instant from, instant to) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
}
}  // namespace

subsystem_status subsystem::status() const {
    subsystem_status s;
    s.spec = spec_;
    s.spec.namespaces.clear();
    s.transition.state = to_string(state_);
    s.transition.in_state_ms = ms_between(since_, target_.control_reactor().now());
    s.transition.last_error = last_error_;
    for (const auto& command : commands_)
        if (command->busy)
            s.transition.waiting_for += fmt::format(
                "{}poll group {}: {}, {} left", s.transition.waiting_for.empty() ? "" : "; ",
                command->group->reactor().id().value(), to_string(command->action),
                command->waiting_for.load(std::memory_order_relaxed));
    s.slot = id_.index;
    s.generation = id_.generation;
    s.controllers = controllers_.size();
    s.queued_operations = waiting_.size();
    for (const auto& [nsid, n] : namespaces_) {
        s.spec.namespaces.push_back(n.spec);
        s.namespaces.push_back(status(n));
    }
    return s;
}

namespace_status subsystem::status(const namespace_record& n) const {
    namespace_status s;
    s.spec = n.spec;
    s.transition.state = to_string(n.state);
    s.transition.in_state_ms = ms_between(n.since, target_.control_reactor().now());
    s.generation = n.id.generation;
    s.block_count = n.geometry.block_count;
    s.block_bytes = n.geometry.block_bytes;
    return s;
}

}  // namespace fulmar::core
