#include "reservation_errand.hpp"

#include "command/fused.hpp"

#include <fulmar/core/control.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/subsystem_group.hpp>
#include <fulmar/core/target.hpp>

#include <new>
#include <utility>

namespace fulmar::core {

namespace {

// On the control reactor.
void arrive(engine::message& m) noexcept {
    std::unique_ptr<reservation_errand> self(&static_cast<reservation_errand&>(m));
    target& at = self->group->target();
    at.reservation_arrived(std::move(self));
}

// The next namespace that it is about, if any: false.
bool goes_on(reservation_errand& errand) noexcept {
    const auto* persist = std::get_if<persistence_request>(&errand.what);
    const auto* protect = std::get_if<protection_request>(&errand.what);
    const bool all = (persist != nullptr && persist->all) || (protect != nullptr && protect->all);
    if (!all) return false;
    const subsystem_group* from = errand.group->find(errand.subsystem);
    if (from == nullptr) return false;
    const qpair& by = *errand.asker->owner;
    for (const namespace_description& n : from->view->namespaces) {
        if (n.id.index <= errand.ns.index || by.hidden().has(n.number().value())) continue;
        if (persist != nullptr && n.ready && !is_served(n.ana_at(by.ana_column()))) continue;
        errand.ns = n.id;
        return true;
    }
    return false;
}

void answer_operator(const reservation_errand& errand) noexcept {
    const nvme::status status = errand.status;
    control_request& asker = *errand.operators;
    if (nvme::is_success(status)) return asker.finish(control_answer(std::monostate{}));
    if (status == nvme::sc::invalid_namespace_or_format.no_retry())
        return asker.finish(fail(errc::not_found, "the namespace is gone"));
    if (status == nvme::sc::command_interrupted)
        return asker.finish(fail(errc::limit_reached, "too much waits for this subsystem", {},
                                 "let it finish, then try again"));
    if (status == nvme::sc::namespace_not_ready)
        return asker.finish(fail(errc::unavailable, "the subsystem or the target is ending"));
    asker.finish(fail(errc::io_error, "the protection stays: that it ends cannot be recorded", {},
                      "the log says what is wrong with the state directory"));
}

}  // namespace

reservation_errand::reservation_errand() noexcept : message(nullptr) {}

// Ends with the errand on the control reactor.
void reservation_errand::leave(std::unique_ptr<reservation_errand> self) noexcept {
    self->set_handler(&arrive);
    engine::reactor& control = self->group->target().control_reactor();
    control.post(*self.release());
}

// On the qpair's reactor.
void reservation_errand::on_done(engine::message& m) noexcept {
    std::unique_ptr<reservation_errand> self(&static_cast<reservation_errand&>(m));
    request* const r = self->asker;
    if (r == nullptr) return;
    if (nvme::is_success(self->status) && goes_on(*self)) return leave(std::move(self));
    r->errand = nullptr;
    if (std::holds_alternative<range_locks_request>(self->what))
        return command::fused::have_locks(*r, self->status);
    if (std::holds_alternative<cross_reset_request>(self->what))
        r->owner->attached_controller()->cross_reset_is_over(*r);
    r->dw0 = self->dw0;
    r->owner->finish(*r, self->status);
}

bool reservation_errand::send(request& r, const subsystem_group& from, namespace_id about,
                              const namespace_wish& asked, const nvme::host_id& by) noexcept {
    auto errand = std::unique_ptr<reservation_errand>(new (std::nothrow) reservation_errand);
    if (errand == nullptr) return false;
    errand->asker = &r;
    errand->group = &r.owner->group();
    errand->subsystem = from.id;
    errand->ns = about;
    errand->who = by;
    try {
        errand->host_nqn = r.owner->asked().host_nqn();
        errand->listener = r.owner->listener();
    } catch (const std::bad_alloc&) {
        return false;
    }
    errand->what = asked;
    errand->instance = r.owner->asked().instance.number;
    r.errand = errand.get();
    leave(std::move(errand));
    return true;
}

void reservation_errand::forget(request& r) noexcept {
    std::exchange(r.errand, nullptr)->asker = nullptr;
}

void reservation_errand::go_home(std::unique_ptr<reservation_errand> self,
                                 nvme::status status) noexcept {
    self->status = status;
    if (self->operators != nullptr) return answer_operator(*self);
    self->set_handler(&on_done);
    engine::reactor& home = self->group->reactor();
    home.post(*self.release());
}

}  // namespace fulmar::core
