#include "group_device.hpp"

#include "rdma_qpair.hpp"
#include "work_id.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace fulmar::transport::rdma {

group_device::group_device(device& where, core::poll_group& group, const links& to)
    : device_(&where), group_(&group), links_(to) {}

void group_device::on_events() noexcept { completions_->take_events(); }

group_device::~group_device() { FULMAR_ASSERT(!watch.watched()); }

fulmar::result<std::unique_ptr<group_device>> group_device::create(device& where,
                                                                   core::poll_group& group,
                                                                   const links& to) {
    std::unique_ptr<group_device> made(new group_device(where, group, to));
    FULMAR_CHECK(build(*made));
    return made;
}

fulmar::result<void> group_device::build(group_device& g) {
    const device_facts& facts = g.device_->facts();
    g.entries_ = std::min(bounds::completion_entries, facts.max_completions);
    g.capsule_bytes_ = static_cast<std::uint32_t>(sizeof(nvme::sqe)) +
                       bounds::capsule_extra_bytes(g.group_->options().in_capsule_bytes);
    mem::buffer_pool& pool = g.group_->pool();
    FULMAR_TRY(g.pool_, g.device_->register_memory({pool.base(), pool.bytes()}));
    FULMAR_TRY(g.answers_,
               registered_slots::create(*g.device_, bounds::answers_posted, sizeof(nvme::cqe)));
    FULMAR_TRY(g.completions_, g.device_->create_completion_queue(g.entries_, g.links_.part));
    if (facts.max_shared_receives != 0) {
        g.admin_.count = std::min(bounds::admin_receives, facts.max_shared_receives);
        g.io_.first = g.admin_.count;
        g.io_.count = std::min(bounds::io_receives, facts.max_shared_receives);
        g.reserved_ = g.admin_.count + g.io_.count;
        FULMAR_TRY(g.receives_,
                   registered_slots::create(*g.device_, g.reserved_, g.capsule_bytes_));
        for (receive_class* c : {&g.admin_, &g.io_}) {
            FULMAR_TRY(c->queue, g.device_->create_shared_receive_queue(c->count, g.links_.part));
        }
    }
    g.by_number_.reserve(bounds::connections_per_reactor);
    g.free_answers_.reserve(bounds::answers_posted);
    for (std::uint32_t i = bounds::answers_posted; i != 0; --i) g.free_answers_.push_back(i - 1);
    return {};
}

bool group_device::reserve(std::uint32_t completions) noexcept {
    if (completions > entries_ - reserved_) return false;
    reserved_ += completions;
    return true;
}

void group_device::unreserve(std::uint32_t completions) noexcept { reserved_ -= completions; }

void group_device::begin() noexcept {
    if (begun_) return;
    begun_ = true;
    for (std::uint32_t i = 0; i < receives_.count(); ++i) give_receive(i);
}

void group_device::add(std::uint32_t number, rdma_qpair& q) {
    FULMAR_ASSERT(by_number_.size() < bounds::connections_per_reactor);
    by_number_.insert_or_assign(number, &q);
}

void group_device::give_receive(std::uint32_t slot) noexcept {
    ibv_sge piece{.addr = reinterpret_cast<std::uintptr_t>(receives_.slot(slot).data()),
                  .length = receives_.slot_bytes(),
                  .lkey = receives_.key()};
    ibv_recv_wr work{};
    work.wr_id = work_id{work_id::queue::receive, 0, slot}.pack();
    work.sg_list = &piece;
    work.num_sge = 1;
    const receive_class& c = admin_.has(slot) ? admin_ : io_;
    if (c.queue->post(work) == 0) return count(&device_counters::receives);
    fail("the shared receive queue takes nothing more");
}

// The control reactor takes no further connection, and has the queues made anew.
void group_device::fail(const char* what) noexcept {
    if (std::exchange(broken_, true)) return;
    log::error("{}: {}", device_->facts().name, what);
    group_->target().control_reactor().post(links_.broken);
}

std::uint32_t group_device::take_answer_slot() noexcept {
    const std::uint32_t slot = free_answers_.back();
    free_answers_.pop_back();
    return slot;
}

void group_device::hand_out(const ibv_wc& done) noexcept {
    const work_id id = work_id::unpack(done.wr_id);
    count(&device_counters::completions);
    if (done.status != IBV_WC_SUCCESS)
        count(done.status == IBV_WC_WR_FLUSH_ERR ? &device_counters::flushed
                                                 : &device_counters::failed);
    if (id.which == work_id::queue::receive && shares_receives()) {
        if (id.number >= receives_.count()) return count(&device_counters::strays);
        count(&device_counters::receives, std::uint64_t{0} - 1);
    }
    const auto at = by_number_.find(done.qp_num);
    if (at != by_number_.end()) {
        if (id.which == work_id::queue::send) return at->second->on_work_done(id, done.status);
        return at->second->on_received(id.number, done);
    }
    count(&device_counters::strays);
    // The connection has gone, its receive buffer belongs to all.
    if (id.which == work_id::queue::receive && shares_receives()) give_receive(id.number);
}

bool group_device::has_completions() noexcept {
    if (kept_ != 0) return true;
    if (broken_) return false;
    const int got = completions_->poll(batch_);
    if (got < 0) {
        fail("the completion queue is broken");
        return false;
    }
    kept_ = static_cast<std::uint32_t>(got);
    return kept_ != 0;
}

// Nothing will complete any more: the connections end, and their deadlines do the rest.
void group_device::end_all() noexcept {
    if (std::exchange(all_ended_, true)) return;
    for (const auto& [number, q] : by_number_) q->on_peer_gone(core::close_reason::transport_error);
}

// Bounded by the length of the queue: others go on filling it.
void group_device::drain() noexcept {
    for (std::uint32_t taken = 0; taken < entries_ && poll();)
        taken += bounds::completions_per_turn;
}

bool group_device::poll() noexcept {
    bool worked = false;
    if (broken_) end_all();
    for (std::uint32_t turn = bounds::completions_per_turn / bounds::completions_per_poll;
         turn != 0; --turn) {
        if (!has_completions()) break;
        const std::uint32_t count = std::exchange(kept_, 0);
        for (std::uint32_t i = 0; i < count; ++i) hand_out(batch_[i]);
        worked = true;
        if (count < batch_.size()) break;
    }
    return worked;
}

}  // namespace fulmar::transport::rdma
