// The way in: capsules leave their receive slots before the turn ends, unless there is no buffer
// for their data or no request for them yet; then they wait in order, and the host runs out of
// credit.
#include "rdma_group.hpp"
#include "rdma_qpair.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/nvme/fabrics.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::transport::rdma {

namespace sc = nvme::sc;

void rdma_qpair::recycle(std::uint32_t slot) noexcept {
    if (device_.shares_receives()) return device_.give_receive(slot);
    if (stopped_ || released_) return;
    const std::span<std::byte> memory = link_.receives.slot(slot);
    ibv_sge piece{.addr = reinterpret_cast<std::uintptr_t>(memory.data()),
                  .length = static_cast<std::uint32_t>(memory.size()),
                  .lkey = link_.receives.key()};
    ibv_recv_wr work{};
    work.wr_id = work_id{work_id::queue::receive, link_.incarnation, slot}.pack();
    work.sg_list = &piece;
    work.num_sge = 1;
    if (wire_.post_receive(work) == 0) ++own_receives_;
}

void rdma_qpair::on_received(std::uint32_t slot, const ibv_wc& done) noexcept {
    const bool shared = device_.shares_receives();
    if (!shared) {
        if (slot >= link_.receive_work || own_receives_ == 0)
            return device_.count(&device_counters::strays);
        --own_receives_;
    }
    // Only a success says anything but which slot it was.
    if (done.status == IBV_WC_SUCCESS && !stopped_ && !released_) {
        if (state() == core::qpair_state::fresh) link_.ticket->spoke();
        link_.ticket->heard(rdma_.reactor().now());
        if (inbox_count_ == inbox_.size()) {  // more commands than the queue has entries
            recycle(slot);
            return close(core::close_reason::protocol_error);
        }
        inbox_[(inbox_first_ + inbox_count_) % inbox_.size()] = {.slot = slot,
                                                                 .bytes = done.byte_len};
        ++inbox_count_;
        if (!blocked_) return rdma_.has_input(*this);
        if (stalled_) keep_to_share();
        return;
    }
    if (shared) device_.give_receive(slot);
    if (done.status != IBV_WC_SUCCESS) close(core::close_reason::transport_error);
    check_reaped();
}

std::span<const std::byte> rdma_qpair::bytes_of(const capsule& c) const noexcept {
    const std::span<std::byte> memory =
        device_.shares_receives() ? device_.receive_slot(c.slot) : link_.receives.slot(c.slot);
    return memory.first(std::min<std::size_t>(c.bytes, memory.size()));
}

bool rdma_qpair::parse_input() noexcept {
    bool worked = false;
    while (inbox_count_ != 0 && !blocked_ && !stopped_) {
        const capsule next = inbox_[inbox_first_];
        if (!take(next)) break;
        worked = true;
        if (stopped_) break;  // which has given all slots back
        inbox_first_ = (inbox_first_ + 1) % static_cast<std::uint32_t>(inbox_.size());
        --inbox_count_;
        recycle(next.slot);
    }
    return worked;
}

bool rdma_qpair::is_connect(const nvme::sqe& command) noexcept {
    return command.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::fabrics) &&
           nvme::fctype_of(command) == static_cast<std::uint8_t>(nvme::fctype::connect);
}

// The queue that the connection was made for is the one that may be connected.
bool rdma_qpair::is_wrong_queue(const nvme::sqe& command) const noexcept {
    return is_connect(command) &&
           nvme::view_as<nvme::connect_command>(command).qid.value() != link_.shape.qid;
}

// Core takes a Connect's data with the command. A host may have it fetched instead (Linux does for
// admin queues): then it is fetched here first.
bool rdma_qpair::needs_chunk(const rdma_request& r) const noexcept {
    return !r.sgl.in_capsule.empty() ||
           (is_connect(r.sqe) && state() == core::qpair_state::fresh && r.sgl.segment_count != 0 &&
            r.sgl.bytes == sizeof(nvme::connect_data));
}

// False: not now; it stays the first to be taken in.
bool rdma_qpair::take(const capsule& c) noexcept {
    const std::span<const std::byte> bytes = bytes_of(c);
    if (bytes.size() < sizeof(nvme::sqe)) {
        close(core::close_reason::protocol_error);
        return true;
    }
    rdma_request* r = allocate();
    if (r == nullptr) {
        // All that are in use may have been answered, with the host quicker than the device's
        // acknowledgement. If not, there are more commands than the queue has entries.
        if (unanswered_ < requests_.size()) return false;
        close(core::close_reason::protocol_error);
        return true;
    }
    std::memcpy(&r->sqe, bytes.data(), sizeof r->sqe);
    if (is_wrong_queue(r->sqe)) {
        if (group().may_log_peer_error())
            log::info("{} connects another queue than it announced: its connection ends",
                      link_.peer);
        --unanswered_;
        requests_.give_back(*r);
        close(core::close_reason::protocol_error);
        return true;
    }
    walk_sgl(r->sqe, bytes.subspan(sizeof r->sqe), r->sgl);
    const bool chunk = needs_chunk(*r);
    if (chunk && !spare_ && !take_chunk(*r)) {
        --unanswered_;
        requests_.give_back(*r);
        return false;
    }
    if (chunk && r->sgl.in_capsule.empty()) {
        r->dma_pinned = std::move(spare_);
        r->phase = transfer_phase::connect;
        r->total = sizeof(nvme::connect_data);
        queue(reads_, *r);
        rdma_.needs_flush(*this);
        return true;
    }
    if (chunk) {
        r->in_capsule_chunk = std::move(spare_);
        kept_ = r;
    }
    deliver(*r, r->sgl.in_capsule);
    return true;
}

void rdma_qpair::deliver(rdma_request& r, std::span<const std::byte> in_capsule) noexcept {
    r.sgl_status = r.sgl.status;
    r.sgl_bytes = r.sgl.bytes;
    r.in_capsule = in_capsule;
    on_command(r);
}

void rdma_qpair::deliver_connect(rdma_request& r) noexcept {
    r.phase = transfer_phase::none;
    const mem::buffer_chain data = std::move(r.dma_pinned);
    deliver(r, {data.data(), sizeof(nvme::connect_data)});
}

void rdma_qpair::on_chunk_granted(mem::buffer_chain&& chain) noexcept {
    spare_ = std::move(chain);
    unblock();
    if (inbox_count_ != 0) rdma_.has_input(*this);
}

// --- back-pressure -------------------------------------------------------------------------------

// A connection that holds nothing always gets its reserve. Beyond that, one namespace gets no more
// than its share of a pool that is half empty: its device may have stopped.
bool rdma_qpair::may_keep(std::uint32_t nsid) const noexcept {
    // Known by the last command that kept data, and as long as that one is at its device.
    if (kept_ == nullptr || !kept_->in_use || kept_->charged == 0) return true;
    if (kept_->sqe.nsid.value() != nsid) return true;
    return kept_->entry->share.allows(1, rdma_.group().pool().free_chunks());
}

bool rdma_qpair::can_retry_share() const noexcept { return may_keep(waits_to_keep_); }

bool rdma_qpair::take_chunk(const rdma_request& next) noexcept {
    const std::uint32_t nsid = next.sqe.nsid.value();
    const mem::buffer_pool& pool = group().pool();
    const bool scarce = is_io() && pool.free_chunks() < pool.total_chunks() / 2;
    if (scarce && credit().held() != 0 && !may_keep(nsid)) {
        block(nsid);
        rdma_.waits_for_share(*this);
        return false;
    }
    spare_ = take_in_capsule();
    if (spare_) return true;
    block(nsid);
    wait_in_capsule(chunk_wait_);
    return false;
}

// Nothing more is taken in until a chunk comes back.
void rdma_qpair::block(std::uint32_t nsid) noexcept {
    blocked_ = true;
    waits_to_keep_ = nsid;
    blocked_since_ = rdma_.reactor().now();
    rdma_.is_blocked(*this);
}

void rdma_qpair::unblock() noexcept {
    blocked_ = stalled_ = false;
    rdma_.is_blocked_no_more(*this);
}

bool rdma_qpair::retry_share() noexcept {
    if (!can_retry_share()) return false;
    unblock();
    if (inbox_count_ != 0) rdma_.has_input(*this);
    return true;
}

void rdma_qpair::look_for_stall(instant now) noexcept {
    stalled_ = device_.shares_receives() && now - blocked_since_ >= bounds::stall_patience;
    if (stalled_) receives().add_stalled(inbox_count_);
}

void rdma_qpair::keep_to_share() noexcept {
    while (stalled_ && !stopped_ && inbox_count_ > receives().allowance())
        if (!turn_back()) return;
}

// The newest that waits is answered instead of run. The host may try again: the older ones, which
// keep their place, say when its turn has come.
bool rdma_qpair::turn_back() noexcept {
    const capsule c = inbox_[(inbox_first_ + inbox_count_ - 1) % inbox_.size()];
    const std::span<const std::byte> bytes = bytes_of(c);
    if (bytes.size() < sizeof(nvme::sqe)) {
        close(core::close_reason::protocol_error);
        return false;
    }
    rdma_request* r = allocate();
    if (r == nullptr) return false;
    std::memcpy(&r->sqe, bytes.data(), sizeof r->sqe);
    walk_sgl(r->sqe, bytes.subspan(sizeof r->sqe), r->sgl);
    r->sgl.in_capsule = {};
    --inbox_count_;
    recycle(c.slot);
    device_.count(&device_counters::turned_back);
    r->transport_status = sc::namespace_not_ready;
    deliver(*r, {});
    return true;
}

}  // namespace fulmar::transport::rdma
