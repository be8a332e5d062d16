#include "rdma_group.hpp"

#include "rdma_control.hpp"

#include <fulmar/base/log.hpp>

#include <sys/epoll.h>

#include <new>

namespace fulmar::transport::rdma {

rdma_group::rdma_group(core::poll_group& group) : group_(group), connections_(group.reactor()) {
    reactor().add(reaper_, engine::stage::reap);
}

rdma_group::~rdma_group() {
    connections_.flush_all();
    while (!devices_.empty()) detach(devices_.front());
    reactor().timers().cancel(stalls_);
    reactor().remove(reaper_, engine::stage::reap);
}

void rdma_group::attach(group_device& d) noexcept {
    if (d.group_hook.is_linked()) return;
    const int fd = d.completions().descriptor();
    if (fd >= 0) {
        if (auto watched = reactor().watch(d.watch, fd, EPOLLIN); !watched)
            log::warn("completions of {} cannot be waited for: {}", d.where().facts().name,
                      watched.error().text());
    }
    d.begin();
    devices_.push_back(d);
}

void rdma_group::detach(group_device& d) noexcept {
    if (!d.group_hook.is_linked()) return;
    reactor().unwatch(d.watch);
    devices_.erase(devices_.iterator_to(d));
}

void rdma_group::adopt(rdma_connection& c) noexcept {
    attach(*c.resources);
    auto* q = new (std::nothrow) rdma_qpair(*this, c);
    const char* why = "no memory for a connection";  // an error would need some
    if (c.resources->broken())
        why = "the device's queues have failed";
    else if (q != nullptr)
        why = q->begin();
    c.refused = why != nullptr;
    if (!c.refused) {
        c.queue = q;
        c.ticket->attach(*q);
        group_.add(*q);
        connections_.add(*q);
        needs_deadlines();
    } else {
        if (group_.may_log_peer_error())
            log::warn("{}: cannot take a connection of {}: {}", c.counters->name, c.peer, why);
        delete q;
        c.ticket->end();
    }
    group_.target().control_reactor().post(c.answered);
}

void rdma_group::retire(rdma_qpair& q) noexcept {
    input_.remove(q);
    connections_.retire(q);
}

bool rdma_group::reap_all() noexcept {
    bool worked = false;
    for (group_device& d : devices_) worked |= d.poll();
    if (!short_.empty()) worked |= retry_shares();
    return input_.visit_all([](rdma_qpair& q) { return q.parse_input(); }) || worked;
}

bool rdma_group::has_completions() noexcept {
    if (!input_.empty()) return true;
    for (const rdma_qpair& q : short_)
        if (q.can_retry_share()) return true;
    for (group_device& d : devices_)
        if (d.has_completions()) return true;
    return false;
}

// A queue without a descriptor has nothing to end a wait with: it goes on being polled.
bool rdma_group::arm_all() noexcept {
    bool armed = true;
    for (group_device& d : devices_) armed = d.watch.watched() && d.arm() && armed;
    return armed;
}

// --- who waits for a buffer ----------------------------------------------------------------------

void rdma_group::is_blocked(rdma_qpair& q) noexcept {
    blocked_.push_back(q);
    if (!stalls_.armed()) reactor().timers().arm(stalls_, reactor().now() + bounds::stall_interval);
}

void rdma_group::is_blocked_no_more(rdma_qpair& q) noexcept {
    if (q.blocked_hook.is_linked()) blocked_.erase(blocked_.iterator_to(q));
    if (q.share_hook.is_linked()) short_.erase(short_.iterator_to(q));
}

bool rdma_group::retry_shares() noexcept {
    bool worked = false;
    for (auto at = short_.begin(); at != short_.end();) worked |= (at++)->retry_share();
    return worked;
}

// Those that have waited for too long give back what they hold beyond their share of the slots.
void rdma_group::look_for_stalls() noexcept {
    const auto each_class = [this](void (receive_class::*what)() noexcept) {
        for (group_device& d : devices_)
            d.each_receive_class([&](receive_class& c) { (c.*what)(); });
    };
    each_class(&receive_class::begin_look);
    for (rdma_qpair& q : blocked_) q.look_for_stall(reactor().now());
    each_class(&receive_class::end_look);
    for (auto at = blocked_.begin(); at != blocked_.end();) (at++)->keep_to_share();
    if (!blocked_.empty())
        reactor().timers().arm(stalls_, reactor().now() + bounds::stall_interval);
}

}  // namespace fulmar::transport::rdma
