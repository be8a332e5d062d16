#include "tcp_group.hpp"

#include <fulmar/base/log.hpp>

#include <new>

namespace fulmar::transport::tcp {

accepted_socket::accepted_socket(tcp_group& to, connection_origin from) noexcept
    : message([](engine::message& m) noexcept {
          std::unique_ptr<accepted_socket> self(static_cast<accepted_socket*>(&m));
          self->group->adopt(std::move(self->origin));
      }),
      group(&to),
      origin(std::move(from)) {}

tcp_group::tcp_group(core::poll_group& group)
    : group_(group),
      scratch_(new std::byte[scratch_bytes + kept_room]),
      tls_(group),
      lingering_closes_(group.reactor()),
      connections_(group.reactor()) {
    reactor().add(receiver_, engine::stage::receive);
}

tcp_group::~tcp_group() {
    connections_.flush_all();
    reactor().remove(receiver_, engine::stage::receive);
}

void tcp_group::adopt(connection_origin origin) noexcept {
    const std::shared_ptr<common::listener_counters> counters = origin.counters;
    const std::shared_ptr<core::connection_ticket> ticket = origin.ticket;
    auto* q = new (std::nothrow) tcp_qpair(*this, std::move(origin));
    if (q == nullptr) {
        group_.load.fetch_sub(1, std::memory_order_relaxed);
        counters->count_out(true);
        if (ticket != nullptr) ticket->end();
        return;
    }
    group_.add(*q);
    connections_.add(*q);
    if (auto begun = q->begin(); !begun) {
        if (group_.may_log_peer_error())
            log::warn("a connection cannot be watched: {}", begun.error().text());
        return q->close(core::close_reason::transport_error);
    }
    needs_deadlines();
}

void tcp_group::activate(tcp_qpair& q) noexcept {
    q.misses = 0;
    if (q.active_hook.is_linked()) return;
    active_.push_back(q);
    ++active_count_;
    if (q.ticket() != nullptr) q.ticket()->heard(instant::max());  // and until it is silent
}

void tcp_group::deactivate(tcp_qpair& q) noexcept {
    active_.erase(active_.iterator_to(q));
    --active_count_;
    if (q.ticket() != nullptr) q.ticket()->heard(q.last_received());
}

bool tcp_group::receive_all() noexcept {
    bool worked = false;
    const instant now = reactor().now();
    for (auto at = active_.begin(); at != active_.end();) {
        tcp_qpair& q = *at++;
        if (q.receive()) {
            q.misses = 0;
            worked = true;
            continue;
        }
        ++q.misses;
        const bool silent = q.misses >= misses_allowed && now - q.last_received() >= active_window;
        if ((silent || active_count_ > most_active || !q.usable()) && q.active_hook.is_linked())
            deactivate(q);
    }
    return worked;
}

bool tcp_group::has_pending_input() noexcept {
    for (const tcp_qpair& q : active_)
        if (q.wants_receive()) return true;
    return false;
}

void tcp_group::retire(tcp_qpair& q) noexcept {
    if (q.active_hook.is_linked()) deactivate(q);
    connections_.retire(q);
}

}  // namespace fulmar::transport::tcp
