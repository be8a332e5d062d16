#include "cross_reset_operation.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/nvme/cross_reset.hpp>

#include <utility>
#include <variant>

namespace fulmar::core {

namespace sc = nvme::sc;

cross_reset_operation::cross_reset_operation(subsystem& s, std::unique_ptr<reservation_errand> from)
    : operation(s, remove_namespace{}, nullptr), errand_(std::move(from)) {}

cross_reset_operation::~cross_reset_operation() {
    if (errand_) reservation_errand::go_home(std::move(errand_), sc::namespace_not_ready);
}

const cross_reset_request& cross_reset_operation::wanted() const noexcept {
    return std::get<cross_reset_request>(errand_->what);
}

// Twice: a queue whose Connect was on its way is at none of the poll groups that are asked first,
// but its controller does not go before it; what that queue may have left at a device is found when
// all are asked again. Both together have the deadline of one.
bool cross_reset_operation::resume() {
    if (subject.deleted()) return answer_as(sc::namespace_not_ready);
    if (asked_ == 0) {
        deadline_ = subject.owner().transition_deadline();
        was_there_ = subject.has_controller(wanted().instance);
        return ask();
    }
    const bool fenced = subject.last_failure().empty() && subject.last_unreaped() == 0;
    if (!fenced) return tell_of_failure();
    return asked_ == 1 ? ask() : finish();
}

bool cross_reset_operation::ask() {
    ++asked_;
    subject.about_controller(wanted().instance);
    subject.fan_out(group_action::end_controller);
    subject.end_by(deadline_);
    return false;
}

bool cross_reset_operation::answer_as(nvme::status status) {
    reservation_errand::go_home(std::move(errand_), status);
    return true;
}

bool cross_reset_operation::tell_of_failure() {
    log::warn(
        "{}: controller {} is ended, but {} operations of it are at a device still; its host, "
        "which asked for a cross-controller reset, is told that it failed",
        subject.spec().nqn, wanted().id.value(), subject.last_unreaped());
    return answer_as(sc::internal_error);
}

bool cross_reset_operation::finish() {
    // What it had sent here before its connections ended stands behind this, and never has its
    // turn.
    if (!mutated(mutation::ended_controllers_leave_errands))
        subject.drop_commands_of(wanted().instance);
    namespace result = nvme::cross_reset_result;
    errand_->dw0 = result::immediate | result::validated | (was_there_ ? result::initiated : 0u);
    return answer_as(sc::success);
}

}  // namespace fulmar::core
