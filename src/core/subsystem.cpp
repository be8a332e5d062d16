// The control reactor's side of a subsystem: operations one after the other, each a row of fan-outs
// to the poll groups.
#include "ana_layout.hpp"
#include "authentication/host_key_rules.hpp"
#include "operations.hpp"
#include "reservation/reservation_state.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/group_rules.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/subsystem.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::core {

operation_inputs operation::observe(const namespace_record* n) const {
    operation_inputs inputs;
    inputs.subsystem = subject.state();
    inputs.deleted = subject.deleted();
    inputs.failed = stage_ != operation_stage::begin && !subject.last_failure().empty();
    inputs.present = n != nullptr;
    if (n != nullptr) {
        inputs.ns = n->state;
        inputs.device_ready = n->device->state() == backend::device_state::ready;
        inputs.holds = n->holds();
    }
    return inputs;
}

operation_step operation::take_step(operation_kind kind, operation_inputs inputs,
                                    namespace_record* n) {
    const operation_step step = next_step(kind, stage_, inputs);
    if (step.at_namespace) subject.advance(*n, *step.at_namespace);
    if (step.at_subsystem) subject.advance(*step.at_subsystem);
    stage_ = step.next;
    return step;
}

void operation::answer(control_answer with) {
    subject.owner().commit(what, std::exchange(request, nullptr), std::move(with));
}

namespace {
/// Asking for what cannot be is the caller's mistake, and told to the caller alone; the subsystem's
/// last error is of what should have worked.
constexpr bool callers_mistake(errc code) noexcept {
    switch (code) {
        case errc::invalid_argument:
        case errc::not_found:
        case errc::already_exists:
        case errc::conflict:
        case errc::bad_state:
        case errc::limit_reached:
        case errc::not_supported: return true;
        case errc::unavailable:
        case errc::timed_out:
        case errc::quiesce_incomplete:
        case errc::io_error:
        case errc::no_memory:
        case errc::permission_denied:
        case errc::internal: return false;
    }
    return false;
}
}  // namespace

void operation::fail_with(error why) {
    if (request == nullptr || !callers_mistake(why.code)) subject.set_last_error(why.text());
    if (request == nullptr) {
        subject.owner().operation_failed(why);
        return;
    }
    std::exchange(request, nullptr)->finish(tl::unexpected(std::move(why)));
}

void operation::answer_unquiesced(std::string_view what_happened, std::uint32_t unreaped) {
    error why{
        errc::quiesce_incomplete,
        fmt::format("{}, but {} operations of its hosts are at a device still and may take effect",
                    what_happened, unreaped),
        {},
        "wait until the device has given them back, or reset it"};
    subject.set_last_error(why.text());
    subject.owner().commit(what, std::exchange(request, nullptr), tl::unexpected(std::move(why)));
}

void operation::answer_quiesced(control_answer with, std::string_view what_happened,
                                std::uint32_t unreaped) {
    if (unreaped != 0) return answer_unquiesced(what_happened, unreaped);
    answer(std::move(with));
}

subsystem::subsystem(target& owner, subsystem_id id, subsystem_spec spec, bool discovery)
    : target_(owner),
      id_(id),
      spec_(std::move(spec)),
      discovery_(discovery),
      since_(owner.control_reactor().now()),
      next_cntlid_(spec_.min_cntlid) {
    for (const auto& group : owner.groups()) {
        auto command = std::make_unique<group_command>();
        command->index = static_cast<std::uint32_t>(commands_.size());
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
        escalation->control = &owner.control_reactor();
        escalation->owner = this;
        escalation->returned = [](escalate_command& c) noexcept {
            static_cast<subsystem*>(c.owner)->on_escalation_home();
        };
        escalation->subsystem = id;
        escalations_.push_back(std::move(escalation));
    }
}

subsystem::~subsystem() {
    target_.control_reactor().timers().cancel(deadline_);
    target_.control_reactor().timers().cancel(ana_timer_);
}

void subsystem::advance(subsystem_event on) {
    const auto to = next_state(subsystem_edges, state_, on);
    FULMAR_ASSERT(to.has_value());
    state_ = *to;
    since_ = target_.control_reactor().now();
    note("subsystem-state", to_string(state_));
}

void subsystem::advance(namespace_record& n, namespace_event on) {
    const auto to = next_state(namespace_edges, n.state, on);
    FULMAR_ASSERT(to.has_value());
    n.state = *to;
    n.since = target_.control_reactor().now();
    note("namespace-state", to_string(n.state), n.id);
}

void subsystem::note(const char* what, std::string_view detail, namespace_id ns,
                     std::uint64_t object, std::uint64_t value) const noexcept {
    target_.control_reactor().note({.what = what,
                                    .detail = detail.data(),  // a literal
                                    .subsystem = id_,
                                    .ns = ns,
                                    .object = object,
                                    .value = value});
}

// --- operations ----------------------------------------------------------------------------------

void subsystem::enqueue(std::unique_ptr<operation> op) {
    if (op->request != nullptr && waiting_.size() >= limits::pending_operations_per_subsystem)
        return op->request->finish(
            fail(errc::limit_reached,
                 fmt::format("{} operations wait for {}", waiting_.size(), spec_.nqn), {},
                 "let them finish"));
    waiting_.push_back(std::move(op));
    if (current_ == nullptr) run_next();
}

// What a device does is never turned away. It is bounded all the same: one of each kind waits per
// namespace.
void subsystem::enqueue_first(std::unique_ptr<operation> op) {
    waiting_.push_front(std::move(op));
    if (current_ == nullptr) run_next();
}

void subsystem::run_next() noexcept {
    while (current_ == nullptr && !waiting_.empty()) {
        current_ = std::move(waiting_.front());
        waiting_.pop_front();
        if (!current_->resume()) return;
        current_.reset();
    }
    if (current_ == nullptr && deleted_ && !escalating())
        target_.subsystem_gone(*this);  // destroys this
}

void subsystem::cancel(instant deadline) {
    for (const auto& op : waiting_)
        if (op->request != nullptr)
            op->request->finish(fail(errc::unavailable, "the target is shutting down"));
    waiting_.clear();
    if (current_) current_->cancel(deadline);
    end_by(deadline);
}

void subsystem::end_by(instant deadline) {
    if (deadline_.armed() && deadline_.deadline() > deadline)
        target_.control_reactor().timers().arm(deadline_, deadline);
}

void subsystem::fan_out(group_action action, const namespace_record* ns, subsystem_view view,
                        std::vector<std::uint32_t> changed, std::uint32_t ana_group,
                        std::string subject) {
    acks_.begin(target_.next_transition(), static_cast<std::uint32_t>(commands_.size()));
    failure_.clear();
    subject_ = std::move(subject);
    note("sent", to_string(action), ns != nullptr ? ns->id : namespace_id{}, acks_.transition);
    std::size_t group = 0;
    for (const auto& command : commands_) {
        FULMAR_ASSERT(!command->busy);
        command->gauge = nullptr;
        if (action == group_action::attach_namespace) command->gauge = &ns->gauges[group];
        ++group;
        command->action = action;
        command->transition = acks_.transition;
        command->ns = ns != nullptr ? ns->id : namespace_id{};
        command->device = ns != nullptr ? ns->device : nullptr;
        command->view = view;
        command->subject = subject_;
        command->changed_namespaces = changed;
        command->ana_group = ana_group;
        command->adopted = adopted_;
        command->ended = ended_;
        command->flushes = flushes_;
        command->send();
    }
    adopted_ = nullptr;
    ended_ = {};
    flushes_ = false;
    target_.control_reactor().timers().arm(deadline_, target_.transition_deadline());
}

void subsystem::on_ack(group_command& command) noexcept {
    switch (acks_.on_ack(command.index, command.transition, command.succeeded, command.unreaped)) {
        case ack_verdict::stale:
            note("stale-ack", to_string(command.action), command.ns, command.transition);
            return target_.count_stale();
        case ack_verdict::more:
        case ack_verdict::last: break;
    }
    if (!command.succeeded) failure_ = command.failure;
    if (!acks_.complete()) return;
    note("all-done", to_string(command.action), command.ns, acks_.transition, acks_.unreaped);
    target_.control_reactor().timers().cancel(deadline_);
    resume_current();
}

void subsystem::resume_current() noexcept {
    if (current_ == nullptr || !current_->resume()) return;
    current_.reset();
    run_next();
}

// Poll groups that have not answered give up what they wait for; their acks follow.
void subsystem::on_deadline() noexcept {
    const group_action action = commands_.front()->action;
    last_error_ = fmt::format("{} did not finish within {} ms: {}", to_string(action),
                              target_.options().transition_timeout_ms,
                              group_rules::gives_up(action) ? "outstanding I/O was failed"
                                                            : "it is refused, and I/O goes on");
    log::warn("{}: {}", spec_.nqn, last_error_);
    acks_.on_deadline();
    note("deadline", to_string(action), commands_.front()->ns, acks_.transition);
    escalate();
}

void subsystem::escalate() noexcept {
    for (std::uint32_t i = 0; i < escalations_.size(); ++i) {
        escalate_command& e = *escalations_[i];
        if (e.away || !acks_.must_escalate(i, e.transition)) continue;
        e.transition = acks_.transition;
        e.send();
    }
}

bool subsystem::escalating() const noexcept {
    return std::any_of(escalations_.begin(), escalations_.end(),
                       [](const auto& e) { return e->away; });
}

// One that was still away for a former transition is sent again for this one.
void subsystem::on_escalation_home() noexcept {
    if (!acks_.complete()) return escalate();
    if (current_ == nullptr && waiting_.empty()) run_next();
}

namespace {
// `hold` promises hosts that nothing is lost while their I/O waits.
void warn_of_cache(const namespace_record& n) {
    if (n.spec.on_loss != loss_policy::hold || !n.device->geometry().volatile_write_cache) return;
    log::warn(
        "namespace {} holds I/O while device {} is away, and that has a volatile write cache: with "
        "writes that no Flush has covered it fails instead. \"write_cache\": \"through\" of the "
        "device makes every write durable",
        n.spec.nsid, n.spec.device);
}
}  // namespace

void subsystem::device_lost(std::uint32_t nsid, const backend::device& which) {
    namespace_record* n = find(nsid);
    if (n == nullptr || n->device != &which || deleted_ || std::exchange(n->loss_waits, true))
        return;
    note("device", "lost", n->id);
    enqueue_first(std::make_unique<lose_namespace_operation>(*this, nsid, n->id.generation));
}

void subsystem::device_returned(std::uint32_t nsid, const backend::device& which) {
    namespace_record* n = find(nsid);
    if (n == nullptr || n->device != &which || deleted_) return;
    warn_of_cache(*n);
    enqueue(std::make_unique<refresh_namespace_operation>(*this, nsid, nullptr));
}

bool subsystem::takes_back_without_data(std::uint32_t nsid, const backend::device& which) {
    namespace_record* n = find(nsid);
    if (n == nullptr || n->device != &which || deleted_) return true;
    if (n->spec.on_loss != loss_policy::hold) return true;
    note("device", "back-without-data", n->id);
    enqueue(std::make_unique<end_hold_operation>(*this, n->id));  // behind the loss
    return false;
}

void subsystem::judge_loss(namespace_record& n) noexcept {
    if (n.state != namespace_state::lost) n.hold_over = n.device->lost_data();
}

namespace_record::hold_timer::hold_timer(subsystem& s, namespace_id which) noexcept
    : timer([](engine::timer& t) noexcept {
          auto& self = static_cast<hold_timer&>(t);
          self.owner->hold_passed(self.id);
      }),
      owner(&s),
      id(which) {}

namespace_record::hold_timer::~hold_timer() {
    owner->owner().control_reactor().timers().cancel(*this);
}

void subsystem::begin_hold(namespace_record& n) {
    engine::reactor& control = target_.control_reactor();
    control.timers().arm(*n.hold_limit, control.now() + std::chrono::seconds(n.spec.hold_s));
}

void subsystem::end_hold(namespace_record& n, bool over) {
    target_.control_reactor().timers().cancel(*n.hold_limit);
    n.hold_over = over;
}

// --- ANA groups ----------------------------------------------------------------------------------

namespace {
bool is_in_ana_change(const ana_group_spec& group) {
    return group.state == ana_state::change ||
           std::any_of(group.listeners.begin(), group.listeners.end(),
                       [](const auto& one) { return one.second == ana_state::change; });
}
}  // namespace

std::vector<std::uint32_t> subsystem::members_of(std::uint32_t ana_group) const {
    std::vector<std::uint32_t> out;
    for (const auto& [nsid, n] : namespaces_)
        if (n.spec.ana_group == ana_group) out.push_back(nsid);
    return out;
}

ana_state subsystem::ana_state_at(const namespace_record& n, const std::string& listener) const {
    const auto group =
        std::find_if(spec_.ana_groups.begin(), spec_.ana_groups.end(),
                     [&n](const ana_group_spec& one) { return one.id == n.spec.ana_group; });
    return group != spec_.ana_groups.end() ? group->at(listener) : n.spec.ana;
}

// Half of what hosts are told: another operation may be under way when it ends, and the hosts have
// to hear of it, too.
void subsystem::watch_ana_transitions() {
    engine::reactor& control = target_.control_reactor();
    const auto patience =
        std::chrono::milliseconds(1000) * std::max(target_.options().ana_transition_s, 1u) / 2;
    std::map<std::uint32_t, instant> ends;
    const auto watch = [&](std::uint32_t group) {
        const auto known = ana_transitions_.find(group);
        ends[group] = known != ana_transitions_.end() ? known->second : control.now() + patience;
    };
    for (const ana_group_spec& one : spec_.ana_groups)
        if (is_in_ana_change(one)) watch(one.id);
    for (const auto& [nsid, n] : namespaces_)
        if (n.spec.ana_group == 0 && n.spec.ana == ana_state::change)
            watch(limits::max_ana_groups + nsid);
    ana_transitions_ = std::move(ends);
    control.timers().cancel(ana_timer_);
    const auto first =
        std::min_element(ana_transitions_.begin(), ana_transitions_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (first != ana_transitions_.end()) control.timers().arm(ana_timer_, first->second);
}

// Whoever asked for it hears that its time was over before what came by those paths was.
void subsystem::end_by_ana_transition(std::uint32_t group) {
    if (const auto at = ana_transitions_.find(group); at != ana_transitions_.end())
        end_by(at->second);
}

void subsystem::on_ana_timer() noexcept {
    if (deleted_) return;
    note("ana", "transition-over");
    enqueue_first(std::make_unique<end_ana_transition_operation>(*this));
}

bool subsystem::ana_transition_is_over(std::uint32_t group) const noexcept {
    const auto at = ana_transitions_.find(group);
    return at != ana_transitions_.end() && at->second <= target_.control_reactor().now();
}

void subsystem::hold_passed(namespace_id which) {
    note("hold", "over", which);
    enqueue_first(std::make_unique<end_hold_operation>(*this, which));
}

void subsystem::device_resized(std::uint32_t nsid) {
    namespace_record* n = find(nsid);
    if (n == nullptr || deleted_ || std::exchange(n->refresh_waits, true)) return;
    enqueue_first(std::make_unique<refresh_namespace_operation>(*this, nsid, nullptr));
}

bool subsystem::allows(std::string_view host) const noexcept {
    return discovery_ || spec_.allow_any_host ||
           std::find(spec_.hosts.begin(), spec_.hosts.end(), host) != spec_.hosts.end();
}

// --- namespaces ----------------------------------------------------------------------------------

namespace_record* subsystem::find(std::uint32_t nsid) {
    const auto at = namespaces_.find(nsid);
    return at == namespaces_.end() ? nullptr : &at->second;
}

namespace {
// Fills in what the caller left to us, and refuses what cannot be.
result<namespace_identity> complete_spec(namespace_spec& spec, const subsystem_spec& of,
                                         const std::map<std::uint32_t, namespace_record>& present) {
    FULMAR_TRY(spec.nsid, choose_nsid(spec.nsid, of, [&present](std::uint32_t nsid) {
                   return present.contains(nsid);
               }));
    if (spec.uuid.empty() && mutated(mutation::identities_change)) {
        const std::uint32_t from =
            spec.nsid + limits::max_namespaces * another_if(mutation::identities_change);
        spec.uuid = std::string(nvme::to_text(nvme::derive_uuid(of.nqn, from)).view());
    }
    derive_identity(spec, of.nqn);
    FULMAR_TRY(const namespace_identity known, read_identity(spec));
    namespace_twin twin{.has_nsid = present.contains(spec.nsid)};
    for (const auto& [nsid, record] : present)
        if (record.uuid == known.uuid) twin.with_uuid = nsid;
    FULMAR_CHECK(check_twin(spec, of.nqn, twin));
    return known;
}
}  // namespace

result<namespace_record*> subsystem::add_record(namespace_spec spec, bool even_unknown) {
    FULMAR_TRY(const namespace_identity known, complete_spec(spec, spec_, namespaces_));
    FULMAR_CHECK(check_ana_group(spec, spec_));
    FULMAR_TRY(device_registry::entry * claimed,
               target_.devices().claim(spec.device, *this, spec.nsid));
    const bool lost = claimed->device->state() != backend::device_state::ready;
    if (lost && !even_unknown && claimed->device->geometry().block_count == 0) {
        const std::string why = claimed->lost_reason;
        const std::string_view is = claimed->device->condition();
        target_.devices().release(spec.device);
        return fail(errc::conflict,
                    fmt::format("device {} is {}, and nobody knows how large it is{}{}",
                                spec.device, is, why.empty() ? "" : ": ", why),
                    "/device", "add it when the device serves; or make a device of a given size");
    }
    namespace_record record;
    record.uuid = known.uuid;
    record.nguid = known.nguid;
    record.id = {.index = spec.nsid - 1, .generation = ++namespace_generations_[spec.nsid]};
    record.device = claimed->device.get();
    record.geometry = claimed->device->geometry();
    record.since = target_.control_reactor().now();
    record.hold_limit = std::make_unique<namespace_record::hold_timer>(*this, record.id);
    record.gauges = std::make_unique<namespace_gauge[]>(commands_.size());
    record.visible_to = in_order(spec.visible_to);
    record.spec = std::move(spec);
    recall(record);
    if (!lost) warn_of_cache(record);
    return &namespaces_.emplace(record.spec.nsid, std::move(record)).first->second;
}

void subsystem::drop_record(std::uint32_t nsid) {
    const auto at = namespaces_.find(nsid);
    if (at == namespaces_.end()) return;
    target_.devices().release(at->second.spec.device);
    namespaces_.erase(at);
}

void subsystem::drop_all() {
    while (!namespaces_.empty()) drop_record(namespaces_.begin()->first);
    deleted_ = true;
}

subsystem_view subsystem::make_view() const {
    auto view = std::make_shared<subsystem_description>();
    view->id = id_;
    view->discovery = discovery_;
    view->nqn = spec_.nqn;
    view->serial = spec_.serial;
    view->model = spec_.model;
    view->allow_any_host = spec_.allow_any_host || discovery_;
    view->closed = spec_.closed;
    view->keeps_protection = target_.memory() != nullptr;
    view->hosts = spec_.hosts;
    view->listeners = spec_.listeners;
    std::sort(view->hosts.begin(), view->hosts.end());
    view->host_keys = spec_.host_keys;
    std::sort(view->host_keys.begin(), view->host_keys.end(),
              [](const auto& a, const auto& b) { return a.nqn < b.nqn; });
    view->dhchap = dhchap_policy_of(spec_);
    std::sort(view->listeners.begin(), view->listeners.end());
    view->namespace_limit = spec_.max_namespaces;
    view->namespaces.reserve(namespaces_.size());
    for (const auto& [nsid, n] : namespaces_) {
        if (n.state == namespace_state::detaching || n.state == namespace_state::absent) continue;
        namespace_description d;
        d.id = n.id;
        d.uuid = n.uuid;
        d.nguid = n.nguid;
        d.geometry = n.geometry;
        // While its I/O waits it is alone in a group: nothing is wrong with the paths of others.
        d.ana = n.held() ? ana_state::inaccessible : n.spec.ana;
        d.group = n.held() ? 0 : n.spec.ana_group;
        d.configured.group = n.spec.ana_group;
        d.configured.ana = n.spec.ana;
        d.ready = n.state != namespace_state::lost;
        d.hold = n.holds();
        d.park_ms = n.spec.park_ms;
        d.protection = n.protection;
        d.reservation = n.reservation;
        d.ranges = n.ranges;
        d.visible_to = n.visible_to;
        d.keeps_reservations = target_.memory() != nullptr;
        view->namespaces.push_back(d);
    }
    lay_out_ana(spec_.ana_groups, *view);
    return view;
}

// --- controllers: subsystem_controllers.cpp too --------------------------------------------------

void subsystem::place_controller(cntlid number, controller& where) noexcept {
    const auto at = controllers_.find(number.value());
    if (at != controllers_.end()) at->second.where = &where;
}

void subsystem::release_controller(cntlid number) noexcept {
    const auto at = controllers_.find(number.value());
    if (at == controllers_.end()) return;
    if (at->second.standing != host_standing::unproven) remember_controller(number, at->second);
    controllers_.erase(at);
}

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

void add_wait(std::string& text, const group_command& command) {
    text += fmt::format("{}poll group {}: {}, {} left", text.empty() ? "" : "; ",
                        command.group->reactor().id().value(), to_string(command.action),
                        command.waiting_for.load(std::memory_order_relaxed));
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
        if (command->busy) add_wait(s.transition.waiting_for, *command);
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
    for (std::size_t i = 0; i < commands_.size(); ++i) {
        const namespace_gauge& gauge = n.gauges[i];
        const namespace_status::place here{
            .reactor = commands_[i]->group->reactor().id().value(),
            .outstanding = gauge.outstanding.load(std::memory_order_relaxed),
            .parked = gauge.parked.load(std::memory_order_relaxed),
            .abandoned = gauge.abandoned.load(std::memory_order_relaxed)};
        s.outstanding += here.outstanding;
        s.parked += here.parked;
        s.abandoned += here.abandoned;
        s.quarantined_bytes +=
            gauge.quarantined.load(std::memory_order_relaxed) * limits::chunk_bytes;
        if (here.outstanding + here.parked + here.abandoned != 0) s.where.push_back(here);
    }
    for (const auto& command : commands_)
        if (command->busy && command->ns == n.id) add_wait(s.transition.waiting_for, *command);
    s.protection = n.protection;
    s.preempted = n.preempted;
    if (n.reservation) s.reservation = describe(*n.reservation);
    return s;
}

}  // namespace fulmar::core
