#include "reserve_operation.hpp"

#include "reservation_access.hpp"

#include <fulmar/base/log.hpp>
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
    return std::get<persistence_request>(errand.what).persistent;
}

}  // namespace

reserve_operation::reserve_operation(subsystem& s, std::unique_ptr<reservation_errand> from)
    : operation(s, remove_namespace{}, nullptr), errand_(std::move(from)) {}

reserve_operation::~reserve_operation() {
    subject.owner().control_reactor().timers().cancel(record_deadline_);
    if (waits_) subject.owner().reservations()->withdraw(*this);
    if (errand_) reservation_errand::go_home(std::move(errand_), sc::namespace_not_ready);
}

void reserve_operation::decide(const namespace_record& n) {
    const reservation_state& now = state_of(n);
    if (subject.owner().reservations() == nullptr && asks_for_persistence(*errand_)) {
        outcome_.status = sc::invalid_field.no_retry();  // as Identify says: RESCAP
        return;
    }
    if (const auto* asked = std::get_if<reservation_request>(&errand_->what))
        outcome_ = core::decide(now, errand_->who, *asked);
    else
        outcome_ = decide_persistence(now, std::get<persistence_request>(errand_->what).persistent);
    takes_ = outcome_.next && takes_access(now, *outcome_.next);
}

bool reserve_operation::resume() {
    namespace_record* n = subject.find(errand_->ns.index + 1);
    if (n != nullptr && n->id != errand_->ns) n = nullptr;
    if (stage() == operation_stage::begin && n != nullptr && !has(n->visible_to, errand_->host_nqn))
        n = nullptr;  // hidden while the command waited its turn
    if (stage() == operation_stage::begin && n != nullptr) decide(*n);
    for (;;) {
        operation_sight sight = look(n);
        sight.changes = outcome_.next.has_value();
        sight.takes = takes_;
        if (stage() == operation_stage::recording) sight.failed = failed_;
        const operation_step step = take_step(operation_kind::reserve, sight, n);
        if (step.end != operation_end::none) return finish(step.end);
        if (step.record) {
            if (record(*n, *outcome_.next)) return false;
            continue;
        }
        if (step.adopt) {
            subsystem::adopt(*n, std::move(*outcome_.next));
            outcome_.next.reset();
            subject.adopted(outcome_);
        }
        const bool views = step.ask != group_action::drain_namespace;
        subject.fan_out(step.ask, n, views ? subject.make_view() : nullptr);
        return false;
    }
}

bool reserve_operation::record(const namespace_record& n, const reservation_state& next) {
    reservation_memory* const memory = subject.owner().reservations();
    if (memory == nullptr) return false;
    try {
        memory->record(n.uuid, to_record(next), this);
    } catch (const std::bad_alloc&) {
        failed_ = true;
        return false;
    }
    waits_ = true;
    engine::reactor& control = subject.owner().control_reactor();
    control.timers().arm(record_deadline_, subject.owner().transition_deadline());
    return true;
}

void reserve_operation::hurry(instant deadline) noexcept {
    if (record_deadline_.armed() && record_deadline_.deadline() > deadline)
        subject.owner().control_reactor().timers().arm(record_deadline_, deadline);
}

void reserve_operation::on_recorded(result<void> outcome) noexcept {
    waits_ = false;
    subject.owner().control_reactor().timers().cancel(record_deadline_);
    failed_ = !outcome.has_value();
    if (failed_)
        log::error("{}: a reservation cannot be recorded, so that it is refused: {}",
                   subject.spec().nqn, outcome.error().text());
    subject.resume_current();  // may destroy this
}

// The storage hangs. What it was asked to write may still get there: behind it comes what holds.
void reserve_operation::on_record_late() noexcept {
    subject.owner().reservations()->withdraw(*this);
    on_recorded(fail(errc::timed_out, "the state directory does not answer"));
}

void reserve_operation::undo_record(const namespace_record& n) noexcept try {
    subject.owner().reservations()->record(n.uuid, to_record(state_of(n)), nullptr);
} catch (const std::bad_alloc&) {
    log::error("{}: after a reservation that was refused, its record may say that it was not",
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
    reservation_errand::go_home(std::move(errand_), status);
    return true;
}

}  // namespace fulmar::core
