// What a Connect does to its queue pair. Called on: the qpair's reactor.
#include "authentication/queue_authentication.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/subsystem_group.hpp>

#include <memory>
#include <new>
#include <utility>

namespace fulmar::core {

namespace sc = nvme::sc;

void qpair::begin_connect(request& r) noexcept {
    advance(qpair_event::connect);
    connect_request_ = &r;
    r.advance(request_event::execute);
}

void qpair::refuse_connect(nvme::status status, std::uint32_t dw0) noexcept {
    request& r = *std::exchange(connect_request_, nullptr);
    if (state_ == qpair_state::connecting) advance(qpair_event::refused);
    if (ticket_ != nullptr) ticket_->connect_refused();
    qid_ = 0;
    unproven_ = false;
    authentication_.reset();
    leave_host();
    note("connect", "refused", status.to_field());
    r.dw0 = dw0;
    finish(r, status);
}

bool qpair::adopt(const subsystem_group& by) noexcept {
    const nvme::connect_command& command = connect_.command;
    const std::uint32_t entries = command.sqsize.value() + 1u;
    const bool io = command.qid.value() != 0;
    if (!by.view->discovery) {
        unproven_ = by.view->asks_for_proof(connect_.host_nqn());
        if (unproven_ != connect_.must_prove) return false;  // that has changed on its way
        if (unproven_ ? !make_authentication() : !join_host(io)) return false;
        if (!hidden_.make_room(by.view->namespace_limit)) return false;
        by.view->hide_from(connect_.host_nqn(), hidden_);
        ana_column_ = by.view->ana_column(listener_name());
    }
    if (io && !group_->reserve_tasks(entries)) return false;
    if (!grow(entries)) {
        if (io) group_->unreserve_tasks(entries);
        return false;
    }
    sq_entries_ = entries;
    sq_head_ = static_cast<std::uint16_t>(1u % entries);  // the Connect itself
    flow_control_ = (command.cattr & nvme::cattr::disable_sq_flow_control) == 0;
    return true;
}

bool qpair::join_host(bool io) noexcept {
    host_ = group_->hosts().join(connect_.host_nqn(), io);
    host_has_io_ = io;
    return host_ != nullptr;
}

bool qpair::make_authentication() noexcept {
    try {
        authentication_ = std::make_unique<queue_authentication>(*this);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void qpair::counted_in(controller& by, poll_group& its_home) noexcept {
    controller_ = &by;
    home_ = &its_home;
}

void qpair::accept_connect(subsystem_group& in, queue_counters* counters) noexcept {
    subsystem_ = &in;
    if (counters != nullptr) counters_ = counters;
    in.qpairs.push_back(*this);
    request& r = *std::exchange(connect_request_, nullptr);
    qid_ = connect_.command.qid.value();
    note("connect", "accepted", qid_);
    r.dw0 = nvme::connect_result(connect_.assigned.value(), unproven_);
    if (state_ == qpair_state::connecting) {
        advance(qpair_event::accepted);
        if (unproven_) {
            authentication_->begin();
        } else {
            admit(in.view->discovery);
        }
    }
    finish(r, sc::success);
}

void qpair::admit(bool discovery) noexcept {
    open_credit(discovery);
    connected();
    close_early_credit();
}

mem::buffer_credit& qpair::authentication_credit() noexcept {
    return unproven_ ? authentication_->credit() : credit_;
}

bool qpair::prove() noexcept {
    if (!join_host(is_io())) return false;
    unproven_ = false;
    admit(false);
    return true;
}

}  // namespace fulmar::core
