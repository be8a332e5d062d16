#include "share_ranges_operation.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/core/range_locks.hpp>

#include <new>
#include <utility>

namespace fulmar::core {

namespace sc = nvme::sc;

share_ranges_operation::share_ranges_operation(subsystem& s,
                                               std::unique_ptr<reservation_errand> from)
    : operation(s, remove_namespace{}, nullptr), errand_(std::move(from)) {}

share_ranges_operation::~share_ranges_operation() {
    if (errand_) answer(sc::namespace_not_ready);
}

void share_ranges_operation::join(std::unique_ptr<reservation_errand> another) {
    if (others_.size() >= limits::pending_reservations_per_subsystem)
        return reservation_errand::go_home(std::move(another), sc::command_interrupted);
    try {
        others_.reserve(others_.size() + 1);
    } catch (const std::bad_alloc&) {
        return reservation_errand::go_home(std::move(another), sc::command_interrupted);
    }
    others_.push_back(std::move(another));
}

void share_ranges_operation::answer(nvme::status status) noexcept {
    reservation_errand::go_home(std::move(errand_), status);
    for (auto& each : others_) reservation_errand::go_home(std::move(each), status);
    others_.clear();
}

// Like a reservation that denies something to everybody, and is written down nowhere.
bool share_ranges_operation::resume() {
    namespace_record* n = subject.find(errand_->ns.index + 1);
    if (n != nullptr && n->id != errand_->ns) n = nullptr;
    for (;;) {
        operation_inputs inputs = observe(n);
        inputs.changes = n != nullptr && n->ranges == nullptr;
        inputs.takes = true;
        const operation_step step = take_step(operation_kind::reserve, inputs, n);
        if (step.end != operation_end::none) return finish(step.end);
        if (step.record) continue;
        if (step.adopt) subject.share_ranges(*n);
        const bool views = step.ask != group_action::drain_namespace;
        subject.fan_out(step.ask, n, views ? subject.make_view() : nullptr);
        return false;
    }
}

bool share_ranges_operation::finish(operation_end how) {
    nvme::status status = sc::success;
    if (how == operation_end::gone) status = sc::invalid_namespace_or_format.no_retry();
    if (how == operation_end::refused) status = sc::command_interrupted;
    answer(status);
    return true;
}

}  // namespace fulmar::core
