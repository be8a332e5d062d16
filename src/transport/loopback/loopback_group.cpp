#include "loopback_group.hpp"

#include <memory>

namespace fulmar::transport::loopback {

loopback_group::loopback_group(core::poll_group& group) : group_(group) {
    reactor().add(receiver_, engine::stage::receive);
    reactor().add(flusher_, engine::stage::flush);
}

loopback_group::~loopback_group() {
    flush_all();
    reactor().timers().cancel(deadlines_);
    reactor().remove(receiver_, engine::stage::receive);
    reactor().remove(flusher_, engine::stage::flush);
}

void loopback_group::adopt(arrival from) noexcept {
    auto made = std::make_unique<loopback_qpair>(*this, std::move(from));
    loopback_qpair& q = *made.release();  // retire() takes it back
    group_.add(q);
    all_.push_back(q);
    q.open();
    needs_deadlines();
}

void loopback_group::has_input(loopback_qpair& q) noexcept {
    if (!q.input_hook.is_linked()) input_.push_back(q);
}

void loopback_group::needs_flush(loopback_qpair& q) noexcept {
    if (!q.flush_hook.is_linked()) flush_.push_back(q);
}

void loopback_group::needs_deadlines() noexcept {
    if (!deadlines_.armed())
        reactor().timers().arm(deadlines_, reactor().now() + std::chrono::seconds(1));
}

void loopback_group::retire(loopback_qpair& q) noexcept {
    all_.erase(all_.iterator_to(q));
    if (q.input_hook.is_linked()) input_.erase(input_.iterator_to(q));
    if (q.flush_hook.is_linked()) flush_.erase(flush_.iterator_to(q));
    retired_.push_back(q);
}

bool loopback_group::receive_all() noexcept {
    bool worked = false;
    intrusive_list<loopback_qpair, &loopback_qpair::input_hook> due;
    due.swap(input_);
    while (!due.empty()) {
        loopback_qpair& q = due.front();
        due.pop_front();
        worked |= q.receive();
    }
    return worked;
}

bool loopback_group::flush_all() noexcept {
    bool worked = false;
    intrusive_list<loopback_qpair, &loopback_qpair::flush_hook> due;
    due.swap(flush_);
    while (!due.empty()) {
        loopback_qpair& q = due.front();
        due.pop_front();
        worked |= q.flush();
    }
    while (!retired_.empty()) {
        const std::unique_ptr<loopback_qpair> gone(&retired_.front());
        retired_.pop_front();
        worked = true;
    }
    return worked;
}

void loopback_group::on_deadlines() noexcept {
    bool again = false;
    for (auto at = all_.begin(); at != all_.end();) {
        loopback_qpair& q = *at++;
        again = q.check_deadlines(reactor().now()) || again;
    }
    if (again) needs_deadlines();
}

}  // namespace fulmar::transport::loopback
