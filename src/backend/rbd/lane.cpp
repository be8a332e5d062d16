#include "lane.hpp"

#include "channel.hpp"
#include "iov_cursor.hpp"
#include "rbd_status.hpp"

#include <fulmar/base/assert.hpp>

#include <algorithm>
#include <utility>

namespace fulmar::backend::rbd {

namespace sc = nvme::sc;

namespace {

std::uint64_t bytes_of(const io_op& op, unsigned shift) noexcept {
    return std::uint64_t{op.block_count} << shift;
}

void gather(const io_op& op, std::uint64_t bytes, job_memory& into) {
    iov_cursor(op.data).copy_to(into.make_room(bytes), bytes);
}

}  // namespace

lane::lane(engine::reactor& reactor, image_view& view)
    : reactor_(reactor), view_(view), jobs_(std::make_unique<job[]>(job_count)) {
    for (std::uint32_t i = job_count; i-- != 0;) {
        jobs_[i].home = &reactor_;
        jobs_[i].orphans = &orphans_;
        jobs_[i].free_next = std::exchange(free_, &jobs_[i]);
    }
}

lane::~lane() {
    FULMAR_ASSERT(under_way_.empty() && waiting_.empty() && orphans() == 0);
    orphaned_.clear();
}

// --- what comes ----------------------------------------------------------------------------------

void lane::bring(image& open) noexcept {
    FULMAR_ASSERT(orphans() == 0 && under_way_.empty());
    while (!orphaned_.empty()) {
        job& j = orphaned_.front();
        orphaned_.pop_front();
        j.memory.give_back();
        j.free_next = std::exchange(free_, &j);
    }
    image_ = &open;
}

void lane::submit(channel& from, io_op& op) noexcept {
    op.cookie = reinterpret_cast<std::uintptr_t>(&from);
    if (free_ == nullptr) return waiting_.push_back(op);
    start(from, op);
}

bool lane::cancel(io_op& op) noexcept {
    if (op.hook.is_linked()) {
        waiting_.erase(waiting_.iterator_to(op));
        return true;
    }
    if (op.kind != io_kind::verify && op.kind != io_kind::copy) return false;
    for (job& j : under_way_)
        if (j.op == &op) j.aborted = true;  // after its piece
    return false;
}

// Answers nobody, as its end comes as a message.
void lane::start(channel& from, io_op& op) noexcept {
    job& j = *free_;
    free_ = j.free_next;
    j.owner = &from;
    j.op = &op;
    j.scanned = 0;
    j.aborted = false;
    j.set_handler([](engine::message& m) noexcept {
        auto& back = static_cast<job&>(m);
        back.owner->here().arrived(back);
    });
    begin(j);
}

void lane::begin(job& j) noexcept {
    const io_op& op = *j.op;
    if (op.kind == io_kind::verify || op.kind == io_kind::copy) return scan(j);
    requests_begin(j, job_step::move);
    if (image_ == nullptr) {  // lost in this turn
        j.error.store(ESHUTDOWN, std::memory_order_relaxed);
        return requests_made(j);
    }
    const std::uint64_t offset = op.first_block << view_.shift;
    const std::uint64_t bytes = bytes_of(op, view_.shift);
    if (op.kind != io_kind::deallocate) j.requests.fetch_add(1, std::memory_order_relaxed);
    switch (op.kind) {
        case io_kind::read:
        case io_kind::compare:
            j.memory.make_room(bytes);
            image_->read(j, offset, bytes);
            break;
        case io_kind::write:
            gather(op, bytes, j.memory);
            image_->write(j, offset, bytes);
            break;
        case io_kind::write_zeroes: image_->zero(j, offset, bytes); break;
        case io_kind::flush: image_->flush(j); break;
        case io_kind::deallocate: deallocate(j); break;
        case io_kind::verify:
        case io_kind::copy:
        case io_kind::write_uncorrectable: break;  // not here
    }
    requests_made(j);
}

void lane::requests_begin(job& j, job_step step) noexcept {
    j.step = step;
    j.since = reactor_.now();
    j.error.store(0, std::memory_order_relaxed);
    j.requests.store(1, std::memory_order_relaxed);
    j.whose.store(job_whose::client, std::memory_order_release);
    under_way_.push_back(j);
    if (image_ != nullptr && !sweep_.armed())
        reactor_.timers().arm(sweep_, reactor_.now() + sweep_interval);
}

void lane::requests_made(job& j) noexcept { j.request_ended(0); }

void lane::deallocate(job& j) noexcept {
    for (const block_range& range : j.op->ranges) {
        if (range.count == 0) continue;
        j.requests.fetch_add(1, std::memory_order_relaxed);
        image_->discard(j, range.first << view_.shift, std::uint64_t{range.count} << view_.shift);
    }
}

// --- piece by piece: verify and copy -------------------------------------------------------------

void lane::scan(job& j) noexcept {
    const io_op& op = *j.op;
    std::uint64_t from = (op.first_block << view_.shift) + j.scanned;
    std::uint64_t left = bytes_of(op, view_.shift) - j.scanned;
    if (op.kind == io_kind::copy) {
        std::uint64_t at = j.scanned;
        for (const block_range& range : op.ranges) {
            const std::uint64_t bytes = std::uint64_t{range.count} << view_.shift;
            from = (range.first << view_.shift) + at;
            left = bytes - std::min(at, bytes);
            if (at < bytes) break;
            at -= bytes;
        }
    }
    j.piece = std::min(left, piece_bytes);
    j.memory.make_room(j.piece);
    requests_begin(j, job_step::scan_read);
    if (image_ == nullptr) {
        j.error.store(ESHUTDOWN, std::memory_order_relaxed);
        return requests_made(j);
    }
    j.requests.fetch_add(1, std::memory_order_relaxed);
    image_->read(j, from, j.piece);
    requests_made(j);
}

void lane::write(job& j) noexcept {
    requests_begin(j, job_step::scan_write);
    if (image_ == nullptr) {
        j.error.store(ESHUTDOWN, std::memory_order_relaxed);
        return requests_made(j);
    }
    j.requests.fetch_add(1, std::memory_order_relaxed);
    image_->write(j, (j.op->first_block << view_.shift) + j.scanned, j.piece);
    requests_made(j);
}

void lane::next_piece(job& j) noexcept {
    j.scanned += j.piece;
    if (j.scanned == bytes_of(*j.op, view_.shift)) return finish(j, sc::success);
    if (j.aborted) return finish(j, sc::aborted_by_request);
    scan(j);
}

// --- what goes -----------------------------------------------------------------------------------

void lane::arrived(job& j) noexcept {
    under_way_.erase(under_way_.iterator_to(j));
    if (const int error = j.error.load(std::memory_order_relaxed); error != 0) {
        if (const image_loss why = loss_of(error, j.op->kind); why != image_loss::none)
            view_.reporter->report(why);
        return finish(j, rbd_status(error, j.op->kind));
    }
    switch (j.step) {
        case job_step::move: return moved(j);
        case job_step::scan_read: return j.op->kind == io_kind::copy ? write(j) : next_piece(j);
        case job_step::scan_write: return next_piece(j);
    }
}

void lane::moved(job& j) noexcept {
    const io_op& op = *j.op;
    if (op.kind != io_kind::read && op.kind != io_kind::compare) return finish(j, sc::success);
    const std::uint64_t bytes = bytes_of(op, view_.shift);
    iov_cursor data(op.data);
    if (op.kind == io_kind::compare) {
        const bool same = data.equals(j.memory.data(), bytes);
        return finish(j, same ? sc::success : sc::compare_failure.no_retry());
    }
    data.copy_from(j.memory.data(), bytes);
    finish(j, sc::success);
}

// Last of all the answer: it may end in the destruction of the job's channel.
void lane::finish(job& j, nvme::status status) noexcept {
    io_op& op = *std::exchange(j.op, nullptr);
    channel& owner = *j.owner;
    j.memory.give_back();
    j.free_next = std::exchange(free_, &j);
    if (!waiting_.empty()) start_waiting();
    owner.answer(op, status);
}

void lane::start_waiting() noexcept {
    io_op& next = waiting_.front();
    waiting_.pop_front();
    start(*reinterpret_cast<channel*>(next.cookie), next);
}

// What has ended and is on its way here still arrives; the rest is answered without it.
void lane::take_away() noexcept {
    image_ = nullptr;
    reactor_.timers().cancel(sweep_);
    time_list all;
    all.swap(under_way_);
    op_list waiting;
    waiting.swap(waiting_);
    time_list on_abandoned;
    while (!all.empty()) {
        job& j = all.front();
        all.pop_front();
        orphans_.fetch_add(1, std::memory_order_acq_rel);
        job_whose expected = job_whose::client;
        if (j.whose.compare_exchange_strong(expected, job_whose::orphan)) {
            on_abandoned.push_back(j);
        } else {
            orphans_.fetch_sub(1, std::memory_order_acq_rel);
            under_way_.push_back(j);
        }
    }
    while (!on_abandoned.empty()) {
        job& j = on_abandoned.front();
        on_abandoned.pop_front();
        orphaned_.push_back(j);
        io_op& op = *std::exchange(j.op, nullptr);
        j.owner->answer(op, device_gone);
    }
    while (!waiting.empty()) {
        io_op& op = waiting.front();
        waiting.pop_front();
        reinterpret_cast<channel*>(op.cookie)->answer(op, device_gone);
    }
}

void lane::sweep() noexcept {
    if (under_way_.empty() || image_ == nullptr) return;
    if (reactor_.now() - under_way_.front().since > view_.command_limit) {
        view_.reporter->report(image_loss::timed_out);
        return take_away();
    }
    reactor_.timers().arm(sweep_, reactor_.now() + sweep_interval);
}

}  // namespace fulmar::backend::rbd
