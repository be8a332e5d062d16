#include "channel.hpp"

#include "block_size.hpp"

#include <algorithm>
#include <utility>

namespace fulmar::backend::nbd {

namespace sc = nvme::sc;

channel::channel(place& here, export_view& view)
    : place_(here), view_(view), jobs_(std::make_unique<job[]>(job_count)) {
    for (std::uint32_t i = job_count; i-- != 0;) {
        jobs_[i].owner = this;
        jobs_[i].free_next = std::exchange(free_, &jobs_[i]);
    }
}

channel::~channel() { FULMAR_ASSERT(outstanding_ == 0); }

// What need not go to a server; success: it must.
nvme::status channel::refusal(const io_op& op) const noexcept {
    if (view_.lost.load(std::memory_order_acquire)) return device_gone;
    if (!in_bounds(op, view_.block_count.load(std::memory_order_acquire)))
        return sc::lba_out_of_range.no_retry();
    if (op.kind == io_kind::write_uncorrectable) return sc::invalid_opcode.no_retry();
    if (view_.facts.read_only && fills_cache(op.kind))
        return sc::namespace_write_protected.no_retry();
    return sc::success;
}

void channel::submit(io_op& op) noexcept {
    if (const nvme::status no = refusal(op); !nvme::is_success(no)) return op.done(op, no);
    ++outstanding_;
    op.cookie = 0;
    if (free_ == nullptr) return waiting_.push_back(op);
    start(op);
}

// Answers nobody: what cannot be carried out comes back as a message, as from another reactor.
void channel::start(io_op& op) noexcept {
    job& j = *free_;
    free_ = j.free_next;
    j.op = &op;
    j.aborted.store(false, std::memory_order_relaxed);
    op.cookie = static_cast<std::uint64_t>(&j - jobs_.get()) + 1;
    place* const home = place_.home();
    j.session = place_.session();
    j.at = home != nullptr ? home : &place_;
    if (home == &place_) return place_.run(j);
    j.set_handler([](engine::message& m) noexcept {
        auto& moved = static_cast<job&>(m);
        moved.at->run(moved);
    });
    j.at->reactor().post(j);
}

// What a server has it cannot be asked to forget.
void channel::abort(io_op& op) noexcept {
    if (op.cookie == 0) {
        waiting_.erase(waiting_.iterator_to(op));
        --outstanding_;
        return op.done(op, sc::aborted_by_request);
    }
    job& j = jobs_[op.cookie - 1];
    j.aborted.store(true, std::memory_order_relaxed);
    if (j.at == &place_ && place_.cancel(j)) finish(j, sc::aborted_by_request);
}

// Last of all the answer: it may end in the destruction of this channel.
void channel::finish(job& j, nvme::status status) noexcept {
    io_op& op = *j.op;
    j.op = nullptr;
    j.free_next = std::exchange(free_, &j);
    --outstanding_;
    if (!waiting_.empty()) {
        io_op& next = waiting_.front();
        waiting_.pop_front();
        start(next);
    }
    op.done(op, status);
}

}  // namespace fulmar::backend::nbd
