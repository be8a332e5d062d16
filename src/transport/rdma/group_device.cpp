#include "group_device.hpp"

#include "rdma_qpair.hpp"
#include "work_id.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace fulmar::transport::rdma {

group_device::group_device(device& where, core::poll_group& group)
    : watch(*this), device_(&where), group_(&group) {}

group_device::event_watch::event_watch(group_device& g) noexcept
    : descriptor_watch([](engine::descriptor_watch& w, std::uint32_t) noexcept {
          static_cast<event_watch&>(w).owner->completions_->take_events();
      }),
      owner(&g) {}

group_device::~group_device() { FULMAR_ASSERT(!watch.watched()); }

fulmar::result<std::unique_ptr<group_device>> group_device::create(device& where,
                                                                   core::poll_group& group) {
    std::unique_ptr<group_device> made(new group_device(where, group));
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
    FULMAR_TRY(g.completions_, g.device_->create_completion_queue(g.entries_));
    const std::uint32_t shared = std::min(bounds::shared_receives, facts.max_shared_receives);
    if (shared != 0) {
        FULMAR_TRY(g.receives_, registered_slots::create(*g.device_, shared, g.capsule_bytes_));
        FULMAR_TRY(g.shared_, g.device_->create_shared_receive_queue(shared));
        g.reserved_ = shared;
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
    if (shared_->post(work) != 0 && !broken_) {
        broken_ = true;
        log::error("{}: the shared receive queue takes nothing more", device_->facts().name);
    }
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
    const auto at = by_number_.find(done.qp_num);
    if (at != by_number_.end()) {
        if (id.which == work_id::queue::send) return at->second->on_work_done(id, done.status);
        return at->second->on_received(id.number, done);
    }
    count(&device_counters::strays);
    // The connection has gone, its receive buffer belongs to all.
    if (id.which == work_id::queue::receive && shared_ != nullptr && id.number < receives_.count())
        give_receive(id.number);
}

bool group_device::has_completions() noexcept {
    if (kept_ != 0) return true;
    if (broken_) return false;
    const int got = completions_->poll(batch_);
    if (got < 0) {
        broken_ = true;
        log::error("{}: the completion queue is broken", device_->facts().name);
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
