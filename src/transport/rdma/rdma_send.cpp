// The way out. READs, WRITEs and answers queue up during a turn and leave in one call per
// connection. READs have a depth that the host and both devices agreed on; behind a READ too many
// everything else would wait, so the rest waits here.
#include "rdma_group.hpp"
#include "rdma_qpair.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/poll_group.hpp>

#include <cstring>

namespace fulmar::transport::rdma {

namespace sc = nvme::sc;

struct rdma_qpair::batch {
    rdma_group::work_scratch& scratch;
    std::uint32_t work = 0;
    std::uint32_t pieces = 0;

    [[nodiscard]] bool full() const noexcept { return work == scratch.work.size(); }
    ibv_send_wr& next(ibv_wr_opcode opcode, std::uint64_t id, std::uint32_t piece_count) noexcept {
        ibv_send_wr& w = scratch.work[work++];
        w = {};
        w.wr_id = id;
        w.opcode = opcode;
        w.sg_list = &scratch.pieces[pieces];
        w.num_sge = static_cast<int>(piece_count);
        pieces += piece_count;
        return w;
    }
};

void rdma_qpair::fetch_data(core::request& request) noexcept {
    auto& r = static_cast<rdma_request&>(request);
    r.phase = transfer_phase::fetch;
    r.total = r.length;
    queue(reads_, r);
    rdma_.needs_flush(*this);
}

void rdma_qpair::queue(output_list& where, rdma_request& r) noexcept {
    if (!has_output() && account_.outstanding() == 0) work_.moved(rdma_.reactor().now());
    r.moved = 0;
    r.due = {};
    where.push_back(r);
}

// From its first work request on, by its size and what the host owed before: whatever else comes
// from the host meanwhile, or is taken by it, moves nothing.
void rdma_qpair::owed(rdma_request& r) noexcept {
    if (r.due != instant{}) return;
    const duration patience = r.phase == transfer_phase::answer ? send_patience() : data_patience();
    r.due = work_.due(rdma_.reactor().now(), r.total, patience);
}

void rdma_qpair::answer(core::request& request) noexcept {
    auto& r = static_cast<rdma_request&>(request);
    if (stopped_) return give_back(r);
    r.phase = transfer_phase::answer;
    r.total = r.answers_with_data() ? r.length : 0;
    if (r.total != 0 && r.in_place != nullptr) {  // the device cannot read it where it is
        r.chain.copy_in(0, {r.in_place, r.length});
        r.in_place = nullptr;
    }
    queue(answers_, r);
    rdma_.needs_flush(*this);
}

bool rdma_qpair::add_transfer(batch& b, rdma_request& r, work_kind kind) noexcept {
    const bool read = kind == work_kind::read;
    const mem::buffer_chain& memory = r.phase == transfer_phase::connect ? r.dma_pinned : r.chain;
    std::array<iovec, limits::max_chunks_per_request>& vectors = b.scratch.vectors;
    const std::uint32_t count = memory.fill_iovecs(vectors, r.moved, r.total - r.moved);
    const transfer_limits& most = read ? link_.read_limits : link_.write_limits;
    const transfer_part part = next_part({r.sgl.segments.data(), r.sgl.segment_count}, r.moved,
                                         std::span(vectors).first(count), most);
    if (part.bytes == 0) return false;
    const std::uint32_t sequence = account_.add(r, kind);
    ibv_send_wr& w =
        b.next(read ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
               work_id{work_id::queue::send, link_.incarnation, sequence}.pack(), part.pieces);
    for (std::uint32_t i = 0; i < part.pieces; ++i)
        w.sg_list[i] = {.addr = reinterpret_cast<std::uintptr_t>(vectors[i].iov_base),
                        .length = static_cast<std::uint32_t>(vectors[i].iov_len),
                        .lkey = device_.data_key()};
    w.wr.rdma.remote_addr = part.remote_address;
    w.wr.rdma.rkey = part.remote_key;
    // A queue that is full of silent ones would never be heard of again.
    if (read || account_.room() == 0) w.send_flags = IBV_SEND_SIGNALED;
    r.moved += part.bytes;
    owed(r);
    ++r.posted;
    if (read) ++reads_posted_;
    return true;
}

bool rdma_qpair::add_read(batch& b) noexcept {
    if (reads_.empty() || reads_posted_ >= link_.shape.read_depth) return false;
    rdma_request& r = reads_.front();
    if (!add_transfer(b, r, work_kind::read)) {  // the host has described less than it must
        reads_.pop_front();
        close(core::close_reason::protocol_error);
        return false;
    }
    if (r.moved == r.total) reads_.pop_front();
    return true;
}

bool rdma_qpair::add_to_host(batch& b) noexcept {
    if (answers_.empty()) return false;
    rdma_request& r = answers_.front();
    if (r.moved < r.total) {
        if (add_transfer(b, r, work_kind::write)) return true;
        r.total = r.moved;  // the host has described no more room
    }
    if (!device_.has_answer_slot()) return false;
    answers_.pop_front();
    add_answer(b, r);
    return true;
}

void rdma_qpair::add_answer(batch& b, rdma_request& r) noexcept {
    nvme::cqe entry = nvme::make_cqe(r.cid(), r.status, r.dw0);
    entry.dw1 = r.dw1;
    entry.sqhd = sq_head();
    r.answer_slot = device_.take_answer_slot();
    const std::span<std::byte> memory = device_.answer_slot(r.answer_slot);
    std::memcpy(memory.data(), &entry, sizeof entry);
    const std::uint32_t sequence = account_.add(r, work_kind::send);
    const bool invalidate =
        r.sgl.invalidate.has_value() && device_.where().facts().sends_with_invalidate;
    ibv_send_wr& w = b.next(invalidate ? IBV_WR_SEND_WITH_INV : IBV_WR_SEND,
                            work_id{work_id::queue::send, link_.incarnation, sequence}.pack(), 1);
    w.sg_list[0] = {.addr = reinterpret_cast<std::uintptr_t>(memory.data()),
                    .length = sizeof entry,
                    .lkey = device_.answer_key()};
    w.send_flags = IBV_SEND_SIGNALED;
    if (wire_.inline_bytes() >= sizeof entry) w.send_flags |= IBV_SEND_INLINE;
    if (invalidate) w.invalidate_rkey = *r.sgl.invalidate;
    owed(r);
    ++r.posted;
    r.answer_posted = true;
    --unanswered_;
}

// Reads first: the host waits for nothing so long as for a write whose data has to be fetched.
bool rdma_qpair::fill(batch& b) noexcept {
    while (!b.full() && account_.room() != 0 && add_read(b)) {}
    while (!b.full() && account_.room() != 0 && add_to_host(b)) {}
    return b.work != 0;
}

bool rdma_qpair::post(batch& b) noexcept {
    for (std::uint32_t i = 0; i + 1 < b.work; ++i) b.scratch.work[i].next = &b.scratch.work[i + 1];
    ibv_send_wr* bad = nullptr;
    const int error = wire_.post_send(b.scratch.work[0], bad);
    if (error == 0) return true;
    const std::size_t posted =
        bad == nullptr ? 0 : static_cast<std::size_t>(bad - b.scratch.work.data());
    account_.take_back(b.work - static_cast<std::uint32_t>(posted),
                       [this](const account::entry& e) { entry_home(*e.owner, e.kind); });
    if (group().may_log_peer_error())
        log::warn("{}: the device takes no work for {}: {}", device_.where().facts().name,
                  link_.peer, std::strerror(error));
    close(core::close_reason::transport_error);
    return false;
}

bool rdma_qpair::flush() noexcept {
    bool worked = false;
    while (!stopped_ && !released_ && has_output()) {
        batch b{.scratch = rdma_.scratch()};
        const bool any = fill(b);
        if (stopped_ && any) {  // it came to an end on the way: nothing of this leaves
            account_.take_back(b.work,
                               [this](const account::entry& e) { entry_home(*e.owner, e.kind); });
            break;
        }
        if (!any) {  // answers of other connections have all the slots: theirs come back soon
            if (!device_.has_answer_slot()) rdma_.needs_flush(*this);
            break;
        }
        if (account_.outstanding() == b.work) work_.moved(rdma_.reactor().now());
        worked = true;
        if (!post(b)) break;
    }
    if (!stopped_ && account_.outstanding() != 0) rdma_.needs_deadlines();
    return worked;
}

// One work request is not at the device any more, however that came.
void rdma_qpair::entry_home(rdma_request& r, work_kind kind) noexcept {
    FULMAR_ASSERT(r.posted != 0);
    --r.posted;
    if (kind == work_kind::read) --reads_posted_;
    if (kind == work_kind::send) {
        device_.give_answer_slot(std::exchange(r.answer_slot, rdma_request::no_slot));
    }
    if (r.posted == 0 && stopped_) r.dma_pinned.release();
}

// What `r` waited for has come back, all of it.
void rdma_qpair::settle(rdma_request& r) noexcept {
    if (stopped_ || r.posted != 0) return;
    switch (r.phase) {
        case transfer_phase::none: return;
        case transfer_phase::connect:
            if (r.moved == r.total) deliver_connect(r);
            return;
        case transfer_phase::fetch:
            if (r.moved != r.total) return;
            r.phase = transfer_phase::none;
            return on_data(r, sc::success);
        case transfer_phase::answer:
            if (r.answer_posted) give_back(r);
            return;
    }
}

void rdma_qpair::on_work_done(const work_id& id, ibv_wc_status status) noexcept {
    if (id.incarnation != (link_.incarnation & work_id::incarnation_mask))
        return device_.count(&device_counters::strays);
    work_.moved(rdma_.reactor().now());
    // An error first: the connection is over, and everything that comes home comes home to that.
    if (status != IBV_WC_SUCCESS && !stopped_) {
        if (status != IBV_WC_WR_FLUSH_ERR && group().may_log_peer_error())
            log::info("{}: {} ({})", link_.peer, "a work request has failed: its connection ends",
                      ibv_wc_status_str(status));
        close(core::close_reason::transport_error);
    }
    const bool known = account_.retire(id.number, [this](const account::entry& e, bool) {
        entry_home(*e.owner, e.kind);
        settle(*e.owner);
    });
    if (!known) device_.count(&device_counters::strays);
    if (!stopped_ && has_output()) rdma_.needs_flush(*this);
    check_reaped();
}

}  // namespace fulmar::transport::rdma
