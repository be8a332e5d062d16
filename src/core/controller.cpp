// The life of a controller on its home reactor: queues join and leave, the host falls silent, the
// association ends.
#include "command/connect.hpp"
#include "discovery_query.hpp"
#include "seen_namespaces.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <new>
#include <tuple>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {
constexpr std::uint32_t first_unproven_place = 1u << 16;
}

// --- slots ---------------------------------------------------------------------------------------

queue_slot::disconnect_message::disconnect_message(queue_slot& s) noexcept
    : message([](engine::message& m) noexcept {
          // On the qpair's reactor. The qpair is there still: it leaves only after its home has let
          // it go.
          auto& self = static_cast<disconnect_message&>(m);
          queue_slot& there = *self.slot;
          there.queue->close(self.reason);
          self.set_handler(&controller::on_disconnect_returned);
          there.owner->home().reactor().post(self);
      }),
      slot(&s) {}

queue_slot::queue_slot(controller& c, qpair& q, poll_group& where) noexcept
    : owner(&c), queue(&q), group(&where), disconnect(*this) {}

bool controller::attach(qpair& queue, poll_group& where, std::uint32_t place) noexcept {
    try {
        return slots_.emplace(place, std::make_unique<queue_slot>(*this, queue, where)).second;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

std::uint32_t controller::unproven_place() noexcept {
    do next_unproven_ = std::max(next_unproven_ + 1, first_unproven_place);
    while (slots_.contains(next_unproven_));
    return next_unproven_;
}

// There are as many afterwards as before: that needs no memory.
void controller::take_place(std::uint32_t place, std::uint16_t number) noexcept {
    FULMAR_ASSERT(slots_.contains(place) && !slots_.contains(number));
    auto one = slots_.extract(place);
    one.key() = number;
    slots_.insert(std::move(one));
}

queue_slot* controller::slot(std::uint32_t place) noexcept {
    const auto at = slots_.find(place);
    return at == slots_.end() ? nullptr : at->second.get();
}

void controller::disconnect_slot(queue_slot& s, close_reason why) noexcept {
    if (s.leaving || s.detached) return;
    s.leaving = true;
    s.message_away = true;
    s.disconnect.reason = why;
    s.group->reactor().post(s.disconnect);
}

void controller::on_disconnect_returned(engine::message& m) noexcept {
    queue_slot& s = *static_cast<queue_slot::disconnect_message&>(m).slot;
    s.message_away = false;
    s.owner->check_queues_gone();
}

void controller::queue_detached(std::uint32_t place) noexcept {
    queue_slot* s = slot(place);
    if (s == nullptr) return;
    s->detached = true;
    past_.add(s->counters);
    if (place == 0) disconnect(close_reason::peer_closed);
    check_queues_gone();
}

// A slot is done when its qpair has left and its message is home.
void controller::erase_finished_slots() noexcept {
    for (bool again = true; again;) {
        again = false;
        for (auto at = slots_.begin(); at != slots_.end(); ++at) {
            const queue_slot& s = *at->second;
            if (!s.detached || s.message_away) continue;
            connect_op* successor = s.waiting;
            slots_.erase(at);
            if (successor != nullptr) command::connect::at_home(*successor);
            again = true;  // the table has changed
            break;
        }
    }
}

void controller::check_queues_gone() noexcept {
    erase_finished_slots();
    std::size_t io_queues = 0;
    for (const auto& [number, s] : slots_) io_queues += number != 0 ? 1 : 0;
    if (io_queues == 0 && has_edge(controller_edges, state_, controller_event::io_queues_gone))
        advance(controller_event::io_queues_gone);
    if (slots_.empty() && state_ == controller_state::disconnecting) check_gone();
}

bool controller::has_io_queues() const noexcept {
    return std::any_of(slots_.begin(), slots_.end(), [](const auto& s) {
        return s.first != 0 && s.first < first_unproven_place && !s.second->detached;
    });
}

controller_traffic controller::traffic() const noexcept {
    controller_traffic all = past_;
    for (const auto& [number, s] : slots_)
        if (!s->detached) all.add(s->counters);  // else it is among the past already
    return all;
}

void controller::disconnect_io_queues(close_reason why) noexcept {
    for (auto& [number, s] : slots_)
        if (number != 0) disconnect_slot(*s, why);
}

// --- life ----------------------------------------------------------------------------------------

controller::controller(poll_group& home, subsystem_group& subsystem, identity who)
    : home_(home),
      subsystem_(&subsystem),
      subsystem_id_(subsystem.id),
      who_(std::move(who)),
      hidden_(subsystem.view->namespace_limit),
      last_seen_(home.reactor().now()),
      keep_alive_ms_(who_.keep_alive_ms),
      release_(*this),
      created_(home.reactor().now()) {
    subsystem.view->hide_from(who_.host_nqn, hidden_);
    ana_column_ = subsystem.view->ana_column(who_.listener);
    changed_namespaces_.reserve(std::tuple_size_v<decltype(nvme::changed_namespace_log::nsid)>);
    for (abort_op& op : aborts_) op.owner = this;
    touch_keep_alive();
}

controller::~controller() { home_.reactor().timers().cancel(keep_alive_); }

void controller::advance(controller_event on) noexcept {
    const auto to = next_state(controller_edges, state_, on);
    FULMAR_ASSERT(to.has_value());
    state_ = *to;
    home_.reactor().note({.what = "controller-state",
                          .detail = to_string(state_).data(),
                          .subsystem = subsystem_id_,
                          .object = who_.id.value()});
}

const subsystem_description& controller::description() const noexcept { return *subsystem_->view; }
seen_namespaces controller::seen() const noexcept { return {description(), hidden_}; }
bool controller::is_discovery() const noexcept { return subsystem_->view->discovery; }

void controller::may_join(connect_op& op) const noexcept {
    namespace parameter = nvme::connect_parameter;
    const std::uint16_t qid = op.command.qid.value();
    // Another host's controller can have the number that this host's had before the subsystem was
    // created again.
    if (op.host_nqn() != who_.host_nqn)
        return op.refuse_for_now(connect_refusal::unknown_controller, parameter::hostnqn);
    if (op.data->hostid != who_.host_id)
        return op.refuse_for_now(connect_refusal::unknown_controller, parameter::hostid);
    if (state_ == controller_state::disconnecting || state_ == controller_state::gone)
        return op.refuse_for_now(connect_refusal::unknown_controller, parameter::cntlid);
    if ((op.owner->channel() != nullptr) != who_.encrypted)
        return op.refuse_for_channel(connect_refusal::mixed_security);
    const std::uint16_t granted =
        features_.queues_granted != 0 ? features_.queues_granted : home_.options().max_io_queues;
    op.why = connect_refusal::out_of_sequence;
    op.status = sc::success;
    op.dw0 = 0;
    if (state_ != controller_state::enabled) {
        op.status = sc::command_sequence_error.no_retry();
    } else if (qid == 0 || qid > granted) {
        op.why = connect_refusal::wrong_parameter;
        op.status = sc::connect_invalid_parameters.no_retry();
        op.dw0 = parameter::qid.pack();
    } else if (slots_.contains(qid)) {
        // Not an invalid parameter: the specification calls a queue that exists out of sequence.
        op.status = sc::command_sequence_error.no_retry();
    }
}

void controller::disconnect(close_reason why) noexcept {
    if (!has_edge(controller_edges, state_, controller_event::disconnect)) return;
    advance(controller_event::disconnect);
    reason_ = why;
    home_.reactor().timers().cancel(keep_alive_);
    drop_async_events(sc::aborted_sq_deletion);
    for (auto& [number, s] : slots_) disconnect_slot(*s, why);
    check_queues_gone();
}

// The association is over and every queue has left. The id goes back to the control reactor; its
// message comes home as the last one that anybody sends here.
void controller::check_gone() noexcept {
    if (away_ != 0 || released_) return;
    released_ = true;
    advance(controller_event::queues_gone);
    home_.target().control_reactor().post(release_);
}

void controller::give_way() noexcept { home_.reactor().post(give_way_); }

void controller::on_give_way() noexcept {
    home_.count(&group_counters::gave_way);
    disconnect(close_reason::gave_way);
}

controller::release_message::release_message(controller& c) noexcept
    : message([](engine::message& m) noexcept {
          auto& self = static_cast<release_message&>(m);
          controller& gone = *self.owner;
          gone.home_.target().controller_released(gone.subsystem_id_, gone.who_.id);
          self.set_handler([](engine::message& home) noexcept {
              controller* last = static_cast<release_message&>(home).owner;
              subsystem_group& left = *last->subsystem_;
              left.controllers.erase(left.controllers.iterator_to(*last));
              delete last;
              left.check_pending();
          });
          gone.home_.reactor().post(self);
      }),
      owner(&c) {}

// Reaches the control reactor before the host's next Connect can: the answer to this one has not
// left yet.
void controller::announce() noexcept { home_.target().control_reactor().post(announce_); }

void controller::on_announced() noexcept {
    home_.target().place_controller(subsystem_id_, who_.id, *this);
}

void controller::finish(request& r, nvme::status status) noexcept {
    if (!nvme::is_success(status))
        errors_.add({.sqid = 0, .cid = r.cid(), .status = status, .nsid = r.sqe.nsid.value()});
    r.owner->finish(r, status);
}

// --- keep alive (NVMe Base 2.0, section 3.9) -----------------------------------------------------

// A discovery controller whose host asked for no persistent connection is there for one look at the
// log: it has a fixed time (Base 2.0, section 3.1.2.3.2).
std::chrono::milliseconds controller::allowed_silence() const noexcept {
    if (keep_alive_ms_ == 0 && is_discovery()) return limits::discovery_silence;
    return std::chrono::milliseconds(keep_alive_ms_);
}

// The timer may be set to a later moment than the new time allows.
void controller::set_keep_alive(std::uint32_t ms) noexcept {
    keep_alive_ms_ = ms;
    home_.reactor().timers().cancel(keep_alive_);
    touch_keep_alive();
}

void controller::touch_keep_alive() noexcept {
    last_seen_.store(home_.reactor().now(), std::memory_order_relaxed);
    const auto allowed = allowed_silence();
    if (allowed.count() == 0) return home_.reactor().timers().cancel(keep_alive_);
    if (!keep_alive_.armed() && state_ != controller_state::disconnecting)
        home_.reactor().timers().arm(keep_alive_, last_seen() + allowed);
}

// The timer is not moved with every sign of life: it looks, when it fires, how long ago the last
// one was.
void controller::on_keep_alive_due() noexcept {
    engine::reactor& reactor = home_.reactor();
    const auto allowed = allowed_silence();
    if (allowed.count() == 0) return;
    // A home that did not run itself cannot tell whether the host was silent: it grants one more
    // period.
    instant since = last_seen();
    const engine::reactor::stall& stall = reactor.last_stall();
    if (stall.length > allowed / 2 && stall.end > since) since = stall.end;
    if (since + allowed > reactor.now()) return reactor.timers().arm(keep_alive_, since + allowed);
    if (home_.may_log_peer_error())
        log::info("host {} on {} sent nothing for {} ms: its controller {} ends", host_nqn(),
                  description().nqn, allowed.count(), id().value());
    disconnect(close_reason::keep_alive);
}

}  // namespace fulmar::core
