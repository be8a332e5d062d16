#include "reserve_operation.hpp"

#include "namespace_occurrences.hpp"
#include "policy/ana.hpp"
#include "policy/write_protection.hpp"
#include "reservation_access.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/target.hpp>

#include <new>
#include <utility>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {

const reservation_state& state_of(const namespace_record& n) noexcept {
    static const reservation_state nobody{};
    return n.reservation ? *n.reservation : nobody;
}

bool asks_for_persistence(const reservation_errand& errand) noexcept {
    if (const auto* asked = std::get_if<reservation_request>(&errand.what))
        return asked->opcode == nvme::io_opcode::reservation_register &&
               asked->command.persist == nvme::persist_change::on;
    if (const auto* asked = std::get_if<persistence_request>(&errand.what))
        return asked->persistent;
    return true;
}

bool is_protected(nvme::write_protection state) noexcept {
    return state != nvme::write_protection::none;
}

}  // namespace

reserve_operation::reserve_operation(subsystem& s, std::unique_ptr<reservation_errand> from)
    : operation(s, remove_namespace{}, nullptr), errand_(std::move(from)) {}

reserve_operation::~reserve_operation() {
    subject.owner().control_reactor().timers().cancel(record_deadline_);
    if (waits_) subject.owner().memory()->withdraw(*this);
    if (errand_) reservation_errand::go_home(std::move(errand_), sc::namespace_not_ready);
}

// It waited its turn while its path was closed: then nothing that came by it is carried out. While
// a device is away its reservations are asked about all the same.
bool reserve_operation::path_is_closed(const namespace_record& n) {
    if (std::holds_alternative<protection_request>(errand_->what)) return false;
    if (n.held() || n.state == namespace_state::lost) return false;
    const policy::verdict path =
        policy::ana(subject.ana_state_at(n, errand_->listener), false, true);
    if (path.says == policy::word::pass) return false;
    outcome_.status = path.status;
    return true;
}

void reserve_operation::decide(const namespace_record& n) {
    const reservation_state& now = state_of(n);
    if (subject.owner().memory() == nullptr && asks_for_persistence(*errand_)) {
        outcome_.status = sc::invalid_field.no_retry();  // as Identify says: RESCAP
        return;
    }
    if (const auto* asked = std::get_if<protection_request>(&errand_->what))
        return decide_protection(n, *asked);
    if (const auto* asked = std::get_if<reservation_request>(&errand_->what))
        outcome_ = core::decide(now, errand_->who, *asked);
    else
        outcome_ = decide_persistence(now, std::get<persistence_request>(errand_->what).persistent);
    takes_ = outcome_.next && takes_access(now, *outcome_.next);
}

void reserve_operation::decide_protection(const namespace_record& n,
                                          const protection_request& asked) {
    if (!asked.by_operator) outcome_.status = policy::may_protect(n.protection, asked.state);
    // What cannot be read is what it is here by caution alone: to be told so again is news.
    const namespace_memory* const memory = subject.owner().memory();
    const bool is_kept = memory == nullptr || memory->recall(n.uuid).has_value();
    if (!nvme::is_success(outcome_.status) || (asked.state == n.protection && is_kept)) return;
    protection_ = asked.state;
    takes_ = is_protected(asked.state) && !is_protected(n.protection);
}

bool reserve_operation::resume() {
    namespace_record* n = subject.find(errand_->ns.index + 1);
    if (n != nullptr && n->id != errand_->ns) n = nullptr;
    const bool of_host = errand_->operators == nullptr;
    if (stage() == operation_stage::begin && n != nullptr && of_host &&
        !has(n->visible_to, errand_->host_nqn))
        n = nullptr;  // hidden while the command waited its turn
    if (stage() == operation_stage::begin && n != nullptr && !path_is_closed(*n)) decide(*n);
    for (;;) {
        operation_inputs inputs = observe(n);
        inputs.changes = outcome_.next.has_value() || protection_.has_value();
        inputs.takes = takes_;
        if (stage() == operation_stage::recording) inputs.failed = failed_;
        const operation_step step = take_step(operation_kind::reserve, inputs, n);
        if (step.end != operation_end::none) return finish(step.end);
        if (step.record) {
            if (record(*n)) return false;
            continue;
        }
        std::vector<std::uint32_t> changed;
        if (step.adopt) changed = adopt(*n);
        const bool drains = step.ask == group_action::drain_namespace;
        if (drains && protection_) subject.flush_what_is_drained();
        subject.fan_out(step.ask, n, drains ? nullptr : subject.make_view(), std::move(changed));
        return false;
    }
}

// The namespaces whose attributes hosts are told to look at again.
std::vector<std::uint32_t> reserve_operation::adopt(namespace_record& n) {
    describe_adoption(n);
    std::vector<std::uint32_t> changed;
    if (protection_) {
        changed.push_back(n.spec.nsid);
        n.protection = *protection_;
        return changed;
    }
    if (preempts(errand_->what)) n.preempted += count_lost(state_of(n), *outcome_.next);
    subsystem::adopt(n, std::move(*outcome_.next));
    outcome_.next.reset();
    subject.adopted(outcome_);
    return changed;
}

// An event is news, and no part of the change: without memory for it, it is left out.
void reserve_operation::describe_adoption(const namespace_record& n) noexcept try {
    occurrence_ =
        describe_change(errand_->what, state_of(n), outcome_.next ? *outcome_.next : state_of(n));
} catch (const std::bad_alloc&) {
    log::warn("{}: an event of namespace {} is left out for want of memory", subject.spec().nqn,
              n.spec.nsid);
}

void reserve_operation::tell_operators() noexcept {
    if (!occurrence_) return;
    occurrence_->subsystem = subject.spec().nqn;
    occurrence_->nsid = errand_->ns.index + 1;
    occurrence_->host = errand_->host_nqn;
    subject.owner().tell(*occurrence_);
}

// What is so now, or with what has been decided.
kept_namespace reserve_operation::describe(const namespace_record& n, bool decided) const {
    kept_namespace all{.reservation = {}, .protection = n.protection};
    if (n.reservation) all.reservation = to_record(*n.reservation);
    if (!decided) return all;
    if (outcome_.next) all.reservation = to_record(*outcome_.next);
    if (protection_) all.protection = *protection_;
    return all;
}

bool reserve_operation::record(namespace_record& n) {
    namespace_memory* const memory = subject.owner().memory();
    if (memory == nullptr) return false;
    const bool waits = !mutated(mutation::answers_precede_records);
    try {
        memory->record(n.uuid, describe(n, true), waits ? this : nullptr);
        n.recorded = true;
    } catch (const std::bad_alloc&) {
        failed_ = true;
        return false;
    }
    if (!waits) return false;
    waits_ = true;
    engine::reactor& control = subject.owner().control_reactor();
    control.timers().arm(record_deadline_, subject.owner().transition_deadline());
    return true;
}

void reserve_operation::cancel(instant deadline) noexcept {
    if (record_deadline_.armed() && record_deadline_.deadline() > deadline)
        subject.owner().control_reactor().timers().arm(record_deadline_, deadline);
}

void reserve_operation::on_recorded(result<void> outcome) noexcept {
    waits_ = false;
    subject.owner().control_reactor().timers().cancel(record_deadline_);
    failed_ = !outcome.has_value();
    if (failed_)
        log::error("{}: a change of namespace {} cannot be recorded, so that it is refused: {}",
                   subject.spec().nqn, errand_->ns.index + 1, outcome.error().text());
    subject.resume_current();  // may destroy this
}

// The storage hangs. What it was asked to write may still get there: behind it comes what holds.
void reserve_operation::on_record_late() noexcept {
    subject.owner().memory()->withdraw(*this);
    on_recorded(fail(errc::timed_out, "the state directory does not answer"));
}

void reserve_operation::undo_record(const namespace_record& n) noexcept try {
    subject.owner().memory()->record(n.uuid, describe(n, false), nullptr);
} catch (const std::bad_alloc&) {
    log::error("{}: after a change that was refused, its record may say that it was not",
               subject.spec().nqn);
}

bool reserve_operation::finish(operation_end how) {
    nvme::status status = outcome_.status;
    if (how == operation_end::gone) status = sc::invalid_namespace_or_format.no_retry();
    if (how == operation_end::refused) status = sc::command_interrupted;
    if (failed_) {
        const namespace_record* n = subject.find(errand_->ns.index + 1);
        if (n != nullptr && n->id == errand_->ns) undo_record(*n);
        status = sc::internal_error;
    }
    if (how == operation_end::done && !failed_) tell_operators();
    reservation_errand::go_home(std::move(errand_), status);
    return true;
}

}  // namespace fulmar::core
