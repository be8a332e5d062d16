// The life of a queue pair on its poll group. Every request ends exactly once: answered, or given
// back when the connection is closing. Must never touch the controller from here but through
// messages, unless this is its home.
#include "authentication/queue_authentication.hpp"
#include "command/admin.hpp"
#include "command/authentication.hpp"
#include "command/buffer.hpp"
#include "command/connect.hpp"
#include "command/fabrics.hpp"
#include "command/fused.hpp"
#include "command/io.hpp"
#include "command/range.hpp"
#include "reservation/reservation_errand.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/relaxed.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <algorithm>
#include <utility>

namespace fulmar::core {

namespace sc = nvme::sc;

std::string_view to_string(close_reason reason) noexcept {
    switch (reason) {
        case close_reason::peer_closed: return "peer-closed";
        case close_reason::transport_error: return "transport-error";
        case close_reason::protocol_error: return "protocol-error";
        case close_reason::host_disconnected: return "host-disconnected";
        case close_reason::keep_alive: return "keep-alive";
        case close_reason::operator_request: return "operator-request";
        case close_reason::stalled: return "stalled";
        case close_reason::gave_way: return "gave-way";
        case close_reason::key_used_up: return "key-used-up";
        case close_reason::not_authenticated: return "not-authenticated";
        case close_reason::cross_reset: return "cross-controller-reset";
        case close_reason::shutdown: return "shutdown";
    }
    return "?";
}

namespace {
// What there is no room for is turned back, perhaps before what has come earlier: that it is here
// says nothing of the order, unless it is the second that a first waits for.
bool says_its_place(const request& r) noexcept {
    return r.sqe.fused() == nvme::fuse::second || !r.transport_status.is(sc::namespace_not_ready);
}
}  // namespace

qpair::qpair(poll_group& group, std::shared_ptr<connection_ticket> place)
    : group_(&group), ticket_(std::move(place)), counters_(&own_counters_), connect_(*this) {
    group.newcomer_pool().open(early_credit_, 0, true);
}

qpair::~qpair() {
    FULMAR_ASSERT(state_ == qpair_state::closed || state_ == qpair_state::fresh);
    for (mem::buffer_credit* c : {&credit_, &early_credit_})
        if (c->open()) c->pool()->close(*c);
    leave_host();
}

mem::buffer_chain qpair::take_in_capsule() noexcept {
    mem::buffer_credit& c = in_capsule_credit();
    return c.pool()->take(c, 1, mem::buffer_use::in_capsule);
}

void qpair::wait_in_capsule(mem::buffer_waiter& w) noexcept {
    mem::buffer_credit& c = in_capsule_credit();
    c.pool()->wait(w, c, 1, mem::buffer_use::in_capsule);
}

host_buffers* qpair::buffers() noexcept {
    if (host_ == nullptr) return nullptr;
    return is_io() ? &host_->io : &host_->admin;
}

// Who has been admitted nowhere, and so whoever asks a discovery controller, stays a newcomer.
void qpair::open_credit(bool discovery) noexcept {
    const auto chunks = [&](std::size_t most) {
        return mem::buffer_pool::chunks_for(
            std::min<std::size_t>(most, group_->options().max_transfer_bytes));
    };
    if (is_io())
        group_->pool().open(credit_, chunks(limits::max_transfer_bytes));
    else if (discovery)
        group_->newcomer_pool().open(credit_, chunks(limits::max_discovery_bytes));
    else
        group_->admin_pool().open(credit_, chunks(limits::max_admin_bytes));
    if (host_buffers* b = buffers()) credit_.belongs_to(b->share);
}

duration qpair::send_patience() const noexcept {
    const std::chrono::seconds most(group_->options().send_stall_s);
    return host_ == nullptr ? std::min(most, limits::newcomer_patience) : most;
}

duration qpair::data_patience() const noexcept {
    const std::chrono::seconds most(group_->options().data_stall_s);
    return unproven_ ? std::min(most, limits::newcomer_patience) : most;
}

void qpair::close_early_credit() noexcept {
    if (early_credit_.held() == 0 && !early_credit_.waiting())
        group_->newcomer_pool().close(early_credit_);
}

void qpair::leave_host() noexcept {
    if (host_ == nullptr) return;
    if (host_buffers* b = buffers(); memory_hook.is_linked())
        b->waiting.erase(b->waiting.iterator_to(*this));
    group_->hosts().leave(*std::exchange(host_, nullptr), host_has_io_);
}

void qpair::advance(qpair_event on) noexcept {
    const auto to = next_state(qpair_edges, state_, on);
    FULMAR_ASSERT(to.has_value());
    state_ = *to;
}

void qpair::note(const char* what, const char* detail, std::uint64_t value) const noexcept {
    group_->reactor().note({.what = what,
                            .detail = detail,
                            .subsystem = subsystem_ != nullptr ? subsystem_->id : subsystem_id{},
                            .object = number_,
                            .value = value});
}

// What is wrong with a command before anybody looks at what it asks.
nvme::status qpair::fault_of(const request& r) noexcept {
    if (!nvme::is_success(r.transport_status)) {
        // No room for it now: with a delay where the host honours it.
        const bool later = r.transport_status.is(sc::namespace_not_ready);
        return later ? command::io::retry_later(*r.owner, r.transport_status) : r.transport_status;
    }
    const nvme::psdt pointer = r.sqe.data_pointer();
    if (pointer != nvme::psdt::sgl && pointer != nvme::psdt::sgl_with_metadata_segment)
        return sc::invalid_field.no_retry();
    return sc::success;
}

void qpair::on_command(request& r) noexcept {
    r.advance(request_event::arrive);
    ++outstanding_;
    if (sq_entries_ != 0 && ++sq_head_ == sq_entries_) sq_head_ = 0;
    add_relaxed(counters_->commands);
    const nvme::status fault = fault_of(r);
    if (r.sqe.fused() != nvme::fuse::none || first_of_pair_ != nullptr) [[unlikely]]
        if (is_io() && state_ == qpair_state::live && !unproven_ && says_its_place(r) &&
            command::fused::arrived(r, fault))
            return;
    if (!nvme::is_success(fault)) return finish(r, fault);
    if (r.sqe.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::fabrics))
        return command::fabrics::start(r);
    if (state_ != qpair_state::live || unproven_) [[unlikely]]
        return finish(r, unproven_ ? sc::authentication_required.no_retry()
                                   : sc::command_sequence_error.no_retry());
    if (is_io()) {
        group_->count(&group_counters::io_commands);
        return command::io::start(r);
    }
    group_->count(&group_counters::admin_commands);
    command::admin::start(r);
}

void qpair::on_data(request& r, nvme::status status) noexcept {
    if (r.partner != nullptr) [[unlikely]]
        return command::fused::data_arrived(r, status);
    if (!nvme::is_success(status)) {
        if (r.entered) return command::io::complete(r, status);
        return finish(r, status);
    }
    if (r.entry != nullptr) return command::io::data_arrived(r);
    if (command::authentication::is_one(r)) return command::authentication::data_arrived(r);
    if (is_io()) return command::io::data_arrived(r);
    command::admin::data_arrived(r);
}

void qpair::finish(request& r, nvme::status status) noexcept {
    if (r.partner != nullptr) [[unlikely]]
        command::fused::other_ends(r, status);
    r.status = status;
    if (!nvme::is_success(status)) {
        add_relaxed(counters_->errors);
        group_->count(&group_counters::errors);
        // On the admin queue the controller itself says what belongs there.
        if (is_io() && state_ == qpair_state::live) record_error(r, status);
    }
    r.advance(request_event::answer);
    if (!r.answers_with_data()) {  // however long the host does not read it, it costs no memory
        r.chain.release();
        r.in_capsule_chunk.release();
    }
    answer(r);
}

void qpair::await_second(request& first) noexcept {
    first_of_pair_ = &first;
    group_->reactor().timers().arm(second_deadline_,
                                   group_->reactor().now() + limits::fused_patience);
}

request* qpair::take_first_of_pair() noexcept {
    if (first_of_pair_ != nullptr) group_->reactor().timers().cancel(second_deadline_);
    return std::exchange(first_of_pair_, nullptr);
}

void qpair::second_is_missing() noexcept {
    note("fused", "no-second", first_of_pair_->cid());
    finish(*take_first_of_pair(), sc::aborted_missing_fused);
}

void qpair::fetch(request& r) noexcept {
    r.advance(request_event::want_data);
    fetch_data(r);
}

void qpair::record_error(const request& r, nvme::status status) noexcept {
    if (controller_ == nullptr || status.is(sc::aborted_by_request)) return;  // as the host asked
    const auto opcode = nvme::parse_io_opcode(r.sqe.opcode);
    controller_->errors().add(
        {.sqid = qid_,
         .cid = r.cid(),
         .status = status,
         .lba = opcode && nvme::names_a_range(*opcode) ? nvme::decode_block_range(r.sqe).slba : 0,
         .nsid = r.sqe.nsid.value()});
}

void qpair::on_answered(request& r) noexcept {
    r.advance(request_event::sent);
    r.reset();
    FULMAR_ASSERT(outstanding_ > 0);
    --outstanding_;
    if (state_ == qpair_state::closing) check_drained();
    if (closes_when_idle_ && outstanding_ == 0) close(reason_when_idle_);
}

void qpair::close(close_reason why) noexcept {
    if (!usable()) return;
    reason_ = why;
    note("closing", to_string(why).data(), outstanding_);
    const bool was_live = state_ == qpair_state::live;
    advance(qpair_event::close);
    group_->reactor().timers().arm(
        drain_deadline_, group_->reactor().now() +
                             std::chrono::milliseconds(group_->options().transition_timeout_ms));
    if (was_live && is_io() && !connect_.in_flight)  // else it says so when it is back
        connect_.depart(home_->reactor(),
                        &command::connect::leaving_at_home);  // and until it is back: not drained
    stop();
    if (connect_.parked) command::connect::end_wait(connect_);
    if (is_admin_of_controller()) controller_->disconnect(why);  // its home is here
    if (authentication_ != nullptr) authentication_->connection_ends();
    for_each_request(
        [](request& r, void* self) { static_cast<qpair*>(self)->end_waiting_request(r); }, this);
    check_drained();
}

// The devices do not let go: the connection does.
void qpair::give_up_backends() noexcept {
    note("closing", "gives-up", outstanding_);
    for_each_request(
        [](request& r, void*) {
            if (r.entered) (void)command::io::give_up(r, sc::aborted_sq_deletion);
        },
        nullptr);
}

// What waits for something that nobody will want any more ends now; what is at a backend comes home
// by itself.
void qpair::end_waiting_request(request& r) noexcept {
    switch (r.state()) {
        case request_state::parked:
            r.entry->parked.erase(r.entry->parked.iterator_to(r));
            r.entry->gate.unpark(r.parked_bytes);
            r.entry->show();
            note("unparked", "connection-ends", r.cid());
            return finish(r, sc::aborted_sq_deletion);
        case request_state::awaiting_buffer:
            command::buffer::cancel_wait(r);
            if (r.entered) return command::io::complete(r, sc::aborted_sq_deletion);
            return finish(r, sc::aborted_sq_deletion);
        case request_state::paired:  // with the second, or when its data is said to have failed
            if (&r == first_of_pair_) return finish(*take_first_of_pair(), sc::aborted_sq_deletion);
            if (r.errand == nullptr) return;
            reservation_errand::forget(r);
            return finish(r, sc::aborted_sq_deletion);
        case request_state::awaiting_range:
            command::range::stop_waiting(r);
            return command::io::complete(r, sc::aborted_sq_deletion);
        case request_state::executing:
            if (r.task != nullptr) r.entry->channel->abort(*r.task);
            if (r.errand == nullptr) return;
            reservation_errand::forget(r);
            return finish(r, sc::aborted_sq_deletion);
        case request_state::idle:
        case request_state::received:
        case request_state::awaiting_data:
        case request_state::answering: return;
    }
}

void qpair::check_drained() noexcept {
    if (state_ != qpair_state::closing || outstanding_ != 0 || connect_.in_flight) return;
    advance(qpair_event::drained);
    detach_from_controller();
}

void qpair::detach_from_controller() noexcept {
    if (controller_ == nullptr) return detached();
    // Home frees its counters when it hears of this; whoever asks for the status until this is back
    // must not look there.
    own_counters_.take_over(*counters_);
    counters_ = &own_counters_;
    connect_.depart(home_->reactor(), &command::connect::detach_at_home);
}

void qpair::detached() noexcept {
    controller_ = nullptr;
    note("closed", to_string(reason_).data());
    group_->reactor().timers().cancel(drain_deadline_);
    advance(qpair_event::detached);
    subsystem_group* left = subsystem_;
    if (left != nullptr) {
        left->qpairs.erase(left->qpairs.iterator_to(*this));
        subsystem_ = nullptr;
    }
    if (is_io() && sq_entries_ != 0) group_->unreserve_tasks(sq_entries_);
    group_->remove(*this);
    retire();
    if (left != nullptr) left->check_pending();
}

connection_status qpair::status() const {
    connection_status s;
    s.id = number_;
    s.reactor = group_->reactor().id().value();
    s.state = to_string(state_);
    s.qid = qid_;
    s.queue_depth = sq_entries_;
    s.outstanding = outstanding_;
    s.commands_total = counters_->commands.load(std::memory_order_relaxed);
    s.bytes_read = counters_->bytes_read.load(std::memory_order_relaxed);
    s.bytes_written = counters_->bytes_written.load(std::memory_order_relaxed);
    if (subsystem_ != nullptr) {
        s.subsystem_nqn = subsystem_->view->nqn;
        s.host_nqn = connect_.host_nqn();
        s.cntlid = connect_.assigned.value();
    }
    if (authentication_ != nullptr) s.authentication = authentication_->describe();
    describe(s);
    return s;
}

}  // namespace fulmar::core
