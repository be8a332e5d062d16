#include "tcp_group.hpp"

#include <fulmar/base/log.hpp>

#include <new>

namespace fulmar::transport::tcp {

arrival::arrival(tcp_group& to, connection_origin from) noexcept
    : message([](engine::message& m) noexcept {
          std::unique_ptr<arrival> self(static_cast<arrival*>(&m));
          self->group->adopt(std::move(self->origin));
      }),
      group(&to),
      origin(std::move(from)) {}

tcp_group::tcp_group(core::poll_group& group)
    : group_(group),
      scratch_(new std::byte[scratch_bytes + kept_room]),
      farewells_(group.reactor()) {
    reactor().add(receiver_, engine::stage::receive);
    reactor().add(flusher_, engine::stage::flush);
}

tcp_group::~tcp_group() {
    flush_all();
    reactor().timers().cancel(deadlines_);
    reactor().remove(receiver_, engine::stage::receive);
    reactor().remove(flusher_, engine::stage::flush);
}

void tcp_group::adopt(connection_origin origin) noexcept {
    const std::shared_ptr<listener_account> account = origin.account;
    const std::shared_ptr<core::connection_ticket> ticket = origin.ticket;
    auto* q = new (std::nothrow) tcp_qpair(*this, std::move(origin));
    if (q == nullptr) {
        group_.load.fetch_sub(1, std::memory_order_relaxed);
        account->connections.fetch_sub(1, std::memory_order_relaxed);
        account->handshakes.fetch_sub(1, std::memory_order_relaxed);
        if (ticket != nullptr) ticket->end();
        return;
    }
    group_.add(*q);
    all_.push_back(*q);
    if (auto begun = q->begin(); !begun) {
        if (group_.may_complain())
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

void tcp_group::needs_flush(tcp_qpair& q) noexcept {
    if (!q.flush_hook.is_linked()) flush_.push_back(q);
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

bool tcp_group::flush_all() noexcept {
    bool worked = false;
    intrusive_list<tcp_qpair, &tcp_qpair::flush_hook> due;
    due.swap(flush_);
    while (!due.empty()) {
        tcp_qpair& q = due.front();
        due.pop_front();
        worked |= q.flush();
    }
    while (!retired_.empty()) {
        tcp_qpair& q = retired_.front();
        retired_.pop_front();
        q.release_account();
        delete &q;
        worked = true;
    }
    return worked;
}

void tcp_group::retire(tcp_qpair& q) noexcept {
    all_.erase(all_.iterator_to(q));
    if (q.active_hook.is_linked()) deactivate(q);
    if (q.flush_hook.is_linked())
        flush_.erase(flush_.iterator_to(q));  // also out of a list that is being flushed
    retired_.push_back(q);
}

void tcp_group::needs_deadlines() noexcept {
    if (!deadlines_.armed())
        reactor().timers().arm(deadlines_, reactor().now() + std::chrono::seconds(1));
}

void tcp_group::on_deadlines() noexcept {
    bool again = false;
    for (auto at = all_.begin(); at != all_.end();) {
        tcp_qpair& q = *at++;
        again = q.check_deadlines(reactor().now()) || again;
    }
    if (again) needs_deadlines();
}

}  // namespace fulmar::transport::tcp
