// The life of an NVMe/RDMA connection on its data reactor: its requests, its deadlines, its end.
#include "rdma_qpair.hpp"

#include "common/newcomer_deadline.hpp"
#include "rdma_group.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>

#include <utility>

namespace fulmar::transport::rdma {

namespace sc = nvme::sc;

rdma_qpair::rdma_qpair(rdma_group& group, rdma_connection& link)
    : qpair(group.group(), link.ticket),
      rdma_(group),
      link_(link),
      device_(*link.resources),
      wire_(*link.wire),
      number_(wire_.number()),
      opened_(group.reactor().now()),
      work_(opened_) {}

rdma_qpair::~rdma_qpair() {
    FULMAR_ASSERT(account_.outstanding() == 0);
    reads_.clear();
    answers_.clear();
}

const char* rdma_qpair::begin() noexcept {
    try {
        inbox_.resize(link_.shape.entries + 1);
        device_.add(number_, *this);
    } catch (const std::bad_alloc&) {
        return "no memory for a connection";
    }
    bool able = account_.create(link_.send_work);
    for (std::uint32_t i = 0; i < link_.receives.count() && able; ++i) {
        recycle(i);
        able = own_receives_ == i + 1;
    }
    if (able) return nullptr;
    device_.remove(number_);
    return "the device takes no receive buffers";
}

// --- requests ------------------------------------------------------------------------------------

// What the queue pair was made for is what the host said when it connected; its Connect cannot have
// more.
bool rdma_qpair::grow(std::uint32_t depth) noexcept {
    if (depth > link_.shape.entries) return false;
    return requests_.grow(depth, [](const rdma_request& r) { return r.in_use || r.posted != 0; });
}

void rdma_qpair::connected() noexcept {
    spare_.release();  // it is out of the newcomers' pool
    if (chunk_wait_.waiting()) {
        chunk_wait_.cancel();
        wait_in_capsule(chunk_wait_);
    }
    handshake_counted_ = false;
    link_.counters->count_connected();
}

rdma_request* rdma_qpair::allocate() noexcept {
    rdma_request* const r = requests_.take();
    if (r != nullptr) ++unanswered_;
    return r;
}

void rdma_qpair::give_back(rdma_request& r) noexcept {
    if (!r.answer_posted) --unanswered_;
    r.phase = transfer_phase::none;
    r.answer_posted = false;
    if (stopped_) {
        requests_.retire(r);
    } else {
        requests_.give_back(r);
        if (inbox_count_ != 0) rdma_.has_input(*this);
    }
    on_answered(r);  // last: it may end this connection
}

void rdma_qpair::for_each_request(void (*visit)(core::request&, void*), void* context) noexcept {
    // A Connect whose data is on its way is not core's yet.
    requests_.each_in_use([&](rdma_request& r) {
        if (r.phase != transfer_phase::connect) visit(r, context);
    });
}

// --- the end -------------------------------------------------------------------------------------

// The device may have work for `r`: its memory stays until that has come back.
void rdma_qpair::pin_for_dma(rdma_request& r) noexcept {
    if (r.posted != 0 && r.chain) r.dma_pinned = std::move(r.chain);
}

void rdma_qpair::stop() noexcept {
    stopped_ = true;
    group().load.fetch_add(1, std::memory_order_relaxed);  // until the queue pair is destroyed
    chunk_wait_.cancel();
    unblock();
    spare_.release();
    for (; inbox_count_ != 0; --inbox_count_) {
        recycle(inbox_[inbox_first_].slot);
        inbox_first_ = (inbox_first_ + 1) % static_cast<std::uint32_t>(inbox_.size());
    }
    reads_.clear();
    answers_.clear();
    requests_.each_in_use([this](rdma_request& r) {
        pin_for_dma(r);
        switch (std::exchange(r.phase, transfer_phase::none)) {
            case transfer_phase::none: return;
            case transfer_phase::connect:
                if (r.posted == 0) r.dma_pinned.release();
                requests_.retire(r);
                --unanswered_;
                return;
            case transfer_phase::fetch: return on_data(r, sc::aborted_sq_deletion);
            case transfer_phase::answer: return give_back(r);
        }
    });
    if (!released_) group().target().control_reactor().post(link_.wants_end);
}

void rdma_qpair::on_peer_gone(core::close_reason why) noexcept { close(why); }

// The device tells of it when the completions are in the queue, not when they have been taken out.
void rdma_qpair::on_last_receive() noexcept {
    device_.drain();
    last_receive_seen_ = true;
    check_reaped();
}

void rdma_qpair::on_give_up() noexcept {
    device_.drain();
    if (reaped_told_) return;
    device_.count(&device_counters::overdue);
    tell_reaped();
}

// Everything that was posted has come back: the queue pair can be destroyed.
void rdma_qpair::check_reaped() noexcept {
    if (!stopped_ || reaped_told_ || released_) return;
    if (account_.outstanding() != 0) return;
    const bool shared = device_.shares_receives();
    if (shared ? !last_receive_seen_ : own_receives_ != 0) return;
    tell_reaped();
}

void rdma_qpair::tell_reaped() noexcept {
    reaped_told_ = true;
    group().target().control_reactor().post(link_.reaped);
}

void rdma_qpair::on_released() noexcept {
    if (released_) return;
    // Where completions outlive their queue pair (soft RoCE), they find their owner now or never:
    // the next of this number can only come after this message.
    device_.drain();
    released_ = true;
    device_.remove(number_);
    close(core::close_reason::transport_error);
    account_.abandon([this](const account::entry& e) { entry_home(*e.owner, e.kind); });
    own_receives_ = 0;
    if (retired_) rdma_.retire(*this);
}

void rdma_qpair::retire() noexcept {
    retired_ = true;
    link_.counters->count_out(handshake_counted_);
    link_.ticket->end();
    if (released_) rdma_.retire(*this);
}

void rdma_qpair::destroy(rdma_qpair& q) noexcept {
    rdma_connection& link = q.link_;
    core::poll_group& group = q.group();
    delete &q;
    group.load.fetch_sub(1, std::memory_order_relaxed);
    group.target().control_reactor().post(link.let_go);
}

void rdma_qpair::describe(core::connection_status& into) const {
    into.transport = "rdma";
    into.peer = link_.peer;
    into.local = link_.local;
}

// --- deadlines -----------------------------------------------------------------------------------

bool rdma_qpair::is_overdue(instant now) noexcept {
    return requests_.any_in_use([&](const rdma_request& r) {
        return r.phase != transfer_phase::none && work_.is_due(r.due, now);
    });
}

// What arrives is no progress: a host that sends commands may take no answers all the same.
bool rdma_qpair::check_deadlines(instant now) noexcept {
    if (stopped_) return false;
    const bool working = account_.outstanding() != 0 || has_output();
    const bool stuck = working && (work_.stalled(now, send_patience()) || is_overdue(now));
    if (stuck || common::newcomer_is_late(*this, opened_, now)) {
        close(core::close_reason::stalled);
        return false;
    }
    return state() != core::qpair_state::live || working;
}

}  // namespace fulmar::transport::rdma
