// Durability. A sync that fails is told once per open file, and succeeds when it is asked again. So
// each channel syncs through an open file of its own, one sync at a time (whoever comes meanwhile
// shares the next one), and through the page cache a durable write is a write and then such a sync:
// no failure can be told to somebody who does not look.
#include "file_channel.hpp"

#include "block_size.hpp"
#include "file_status.hpp"
#include "iov_cursor.hpp"

#include <fulmar/base/limits.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fulmar::backend {

namespace sc = nvme::sc;
using engine::file_op_kind;

namespace {

constexpr std::size_t scratch_bytes = 128 * 1024;
constexpr std::size_t zeros_bytes = 256 * 1024;
alignas(4096) std::byte zeros[zeros_bytes];  // never written: one shared page

bool names_nothing(const io_op& op) noexcept {
    return std::all_of(op.ranges.begin(), op.ranges.end(),
                       [](const block_range& range) noexcept { return range.count == 0; });
}

mem::memory_source& plain_memory() {
    static mem::heap_memory memory;
    return memory;
}

}  // namespace

result<std::unique_ptr<io_channel>> file_channel::create(file_device& owner, engine::file_io& files,
                                                         reactor_id reactor) {
    FULMAR_TRY(auto scratch,
               plain_memory().allocate(scratch_bytes));  // costs nothing until it is used
    std::unique_ptr<file_channel> made(new file_channel(owner, files, reactor, std::move(scratch)));
    if (owner.lost()) return std::unique_ptr<io_channel>(std::move(made));  // no file to sync yet
    made->sync_fd_ = owner.file().open_for_sync();
    if (made->sync_fd_ < 0)
        return fulmar::fail_errno("cannot open the file once more", -made->sync_fd_);
    return std::unique_ptr<io_channel>(std::move(made));
}

file_channel::file_channel(file_device& owner, engine::file_io& files, reactor_id reactor,
                           mem::dma_region scratch)
    : device_(owner),
      files_(files),
      reactor_(reactor),
      scratch_(std::move(scratch)),
      sync_incarnation_(owner.incarnation()),
      slots_(std::make_unique<slot[]>(slot_count)) {
    sync_.channel = this;
    sync_.kind = file_op_kind::data_sync;
    sync_.done = [](engine::file_op& op, std::int64_t result) noexcept {
        static_cast<sync_op&>(op).channel->synced(result);
    };
    for (std::uint32_t i = slot_count; i-- != 0;) {
        slot& s = slots_[i];
        s.channel = this;
        s.done = &file_channel::answered;
        s.free_next = std::exchange(free_, &s);
    }
}

file_channel::~file_channel() {
    FULMAR_ASSERT(outstanding_ == 0);
    if (sync_fd_ >= 0) device_.file().close_for_sync(sync_fd_);
}

// A file that was cut off grows again by a write behind its end, and nobody could tell any more. So
// what would make it whole is not begun.
void file_channel::submit(io_op& op) noexcept {
    const bool writes =
        op.kind == io_kind::write || op.kind == io_kind::copy || op.kind == io_kind::write_zeroes;
    if (writes && op.first_block + op.block_count >= device_.blocks()) device_.glance();
    if (device_.lost()) return op.done(op, device_gone);
    if (!in_bounds(op, device_.blocks())) return op.done(op, sc::lba_out_of_range.no_retry());
    if (op.kind == io_kind::deallocate && names_nothing(op)) return op.done(op, sc::success);
    // A file has no such blocks, and a list beside it would be wrong once something else writes it.
    if (op.kind == io_kind::write_uncorrectable) return op.done(op, sc::invalid_opcode.no_retry());
    ++outstanding_;
    op.cookie = 0;
    if (free_ == nullptr) return waiting_.push_back(op);
    start(op);
}

// A command that has no slot yet ends here; one that has is cancelled at the kernel, which may or
// may not succeed.
void file_channel::abort(io_op& op) noexcept {
    if (op.cookie == 0) {
        waiting_.erase(waiting_.iterator_to(op));
        --outstanding_;
        return op.done(op, sc::aborted_by_request);
    }
    slot& s = slots_[op.cookie - 1];
    s.aborted = true;
    if (s.where != engine::file_op::place::idle) return files_.cancel(s);
    // In a queue: for scratch memory, for the next sync, or for the one under way, which ends when
    // it ends.
    for (const slot& served : syncing_)
        if (&served == &s) return;
    finish(s, sc::aborted_by_request);
}

// Answers nobody: finish() calls it in the middle of things.
void file_channel::start(io_op& op) noexcept {
    slot& s = *free_;
    free_ = s.free_next;
    s.op = &op;
    s.at = 0;
    s.range = 0;
    s.aborted = false;
    s.incarnation = device_.incarnation();
    op.cookie = static_cast<std::uint64_t>(&s - slots_.get()) + 1;
    const std::uint64_t offset = op.first_block << device_.shift();
    const std::uint64_t bytes = std::uint64_t{op.block_count} << device_.shift();
    switch (op.kind) {
        case io_kind::read:
            return issue_transfer(s, file_op_kind::read, offset, op.data, bytes,
                                  &file_channel::transferred);
        case io_kind::write:
            return issue_transfer(s, file_op_kind::write, offset, op.data, bytes,
                                  &file_channel::transferred);
        case io_kind::flush: return want_sync(s);
        case io_kind::write_zeroes: return begin_zeroing(s, offset, bytes);
        case io_kind::deallocate: return next_range(s);
        case io_kind::compare:
        case io_kind::verify:
        case io_kind::copy: return want_scratch(s);
        case io_kind::write_uncorrectable: break;  // refused by submit()
    }
}

// Durable before it is answered.
bool file_channel::must_last(const io_op& op) const noexcept {
    return op.fua || (device_.write_through() && fills_cache(op.kind));
}

void file_channel::issue(slot& s, file_op_kind kind, std::uint64_t offset, std::uint64_t length,
                         step next) noexcept {
    s.kind = kind;
    s.fd = device_.file().unaligned_fd();  // which knows of what is in the page cache
    s.offset = offset;
    s.length = length;
    s.durable = false;
    s.next = next;
    files_.submit(s);
}

void file_channel::issue_transfer(slot& s, file_op_kind kind, std::uint64_t offset,
                                  std::span<const iovec> vectors, std::uint64_t length,
                                  step next) noexcept {
    s.kind = kind;
    s.fd = aligned(*s.op) ? device_.file().fd() : device_.file().unaligned_fd();
    s.offset = offset;
    s.length = length;
    s.vectors = vectors;
    s.durable = kind == file_op_kind::write && must_last(*s.op) && past_cache(s);
    s.next = next;
    files_.submit(s);
}

// Buffer chunks always are. Whatever else comes goes through the page cache, which the kernel keeps
// coherent.
bool file_channel::aligned(const io_op& op) const noexcept {
    const std::uintptr_t mask = device_.file().memory_alignment() - 1;
    return std::all_of(op.data.begin(), op.data.end(), [mask](const iovec& v) noexcept {
        return ((reinterpret_cast<std::uintptr_t>(v.iov_base) | v.iov_len) & mask) == 0;
    });
}

// What began on a former file does not go on with the one that an operator has put in its place.
void file_channel::answered(engine::file_op& op, std::int64_t result) noexcept {
    slot& s = static_cast<slot&>(op);
    if (s.incarnation != s.channel->device_.incarnation()) return s.channel->finish(s, device_gone);
    (s.channel->*s.next)(s, result);
}

void file_channel::transferred(slot& s, std::int64_t result) noexcept {
    if (result < 0) return fail(s, result);
    if (static_cast<std::uint64_t>(result) != s.length) return came_short(s);
    if (s.kind == file_op_kind::write && must_last(*s.op) && !s.durable) return want_sync(s);
    s.durable ? finish_durable(s) : finish(s, sc::success);
}

// What a write made durable in a file that is not the one any more is no promise kept.
void file_channel::finish_durable(slot& s) noexcept {
    device_.glance();
    finish(s, device_.lost() ? sc::write_fault.no_retry() : sc::success);
}

// Short means that somebody cut the file off behind our back: what was stored there is lost.
void file_channel::came_short(slot& s) noexcept {
    device_.glance();
    finish(s, s.kind == file_op_kind::read ? sc::unrecovered_read_error.no_retry()
                                           : sc::write_fault.no_retry());
}

void file_channel::want_sync(slot& s) noexcept {
    sync_queue_.push_back(s);
    if (sync_.where == engine::file_op::place::idle) start_sync();
}

void file_channel::start_sync() noexcept {
    syncing_.swap(sync_queue_);
    sync_.fd = sync_fd();
    sync_.covers = device_.ledger().begin_flush();
    files_.submit(sync_);
}

// After a reopen() the old open file still remembers the old error.
int file_channel::sync_fd() noexcept {
    const std::uint32_t incarnation = device_.incarnation();
    if (incarnation != sync_incarnation_ || sync_fd_ < 0) {
        const int fresh = device_.file().open_for_sync();
        if (fresh >= 0) {
            const int old = std::exchange(sync_fd_, fresh);
            if (old >= 0) device_.file().close_for_sync(old);
            sync_incarnation_ = incarnation;
        }
    }
    return sync_fd_;
}

void file_channel::synced(std::int64_t result) noexcept {
    if (result < 0) {
        const int error = static_cast<int>(-result);
        if (error != ECANCELED && error != EINTR)
            device_.lose(means_gone(error)                    ? file_loss_cause::gone
                         : error == ENOSPC || error == EDQUOT ? file_loss_cause::no_room
                                                              : file_loss_cause::sync_failed);
    }
    if (result >= 0) device_.glance();
    // Another channel may have learned meanwhile that data is lost.
    const bool good = result >= 0 && !device_.lost();
    if (good) device_.ledger().covered(sync_.covers);
    slot_list served;
    served.swap(syncing_);
    if (!sync_queue_.empty()) start_sync();
    while (!served.empty()) {  // from the last answer on, this channel may be gone
        slot& s = served.front();
        served.pop_front();
        const bool former = s.incarnation != device_.incarnation();
        finish(s, good && !former ? sc::success
                  : result < 0    ? status_of(static_cast<int>(-result), s.op->kind)
                                  : sc::write_fault.no_retry());
    }
}

// Deallocate: one range after the other.
void file_channel::next_range(slot& s) noexcept {
    const std::span<const block_range> ranges = s.op->ranges;
    while (s.range < ranges.size() && ranges[s.range].count == 0) ++s.range;
    if (s.range == ranges.size() || !device_.deallocates())
        return must_last(*s.op) ? want_sync(s) : finish(s, sc::success);
    if (s.aborted) return finish(s, sc::aborted_by_request);
    // What is not a whole block of the storage stays: Deallocate is a wish.
    const std::uint64_t mask = device_.storage_block() - 1;
    const std::uint64_t first = ranges[s.range].first << device_.shift();
    const std::uint64_t end = first + (std::uint64_t{ranges[s.range].count} << device_.shift());
    const std::uint64_t from = (first + mask) & ~mask;
    const std::uint64_t to = end & ~mask;
    if (from < to)
        return issue(s, file_op_kind::deallocate, from, to - from, &file_channel::deallocated);
    ++s.range;
    next_range(s);
}

void file_channel::deallocated(slot& s, std::int64_t result) noexcept {
    // Zeroing instead would fill the storage that a host wants to free.
    if (result == -EOPNOTSUPP)
        device_.deallocation_failed();
    else if (result < 0)
        return fail(s, result);
    ++s.range;
    next_range(s);
}

// Write Zeroes, by the best method that works here.
void file_channel::begin_zeroing(slot& s, std::uint64_t offset, std::uint64_t length) noexcept {
    const bool whole = ((offset | length) & (device_.storage_block() - 1)) == 0;
    s.method = whole ? device_.zeroing() : zero_method::write;
    s.at = 0;
    switch (s.method) {
        case zero_method::range:
            return issue(s, file_op_kind::write_zeroes, offset, length, &file_channel::zeroed);
        case zero_method::punch:
            return issue(s, file_op_kind::deallocate, offset, length, &file_channel::zeroed);
        case zero_method::write:
            s.offset = offset;
            s.length = length;
            return write_zeros(s);
    }
}

void file_channel::zeroed(slot& s, std::int64_t result) noexcept {
    if (result == -EOPNOTSUPP) {
        device_.zeroing_failed(s.method);
        return begin_zeroing(s, s.offset, s.length);
    }
    if (result < 0) return fail(s, result);
    range_zeroed(s);
}

// The range is walked with `at`; a piece of it is at the kernel, so the range itself is kept in the
// io_op.
void file_channel::write_zeros(slot& s) noexcept {
    const io_op& op = *s.op;
    const std::uint64_t first = op.first_block << device_.shift();
    const std::uint64_t total = std::uint64_t{op.block_count} << device_.shift();
    if (s.at == total) return range_zeroed(s);
    if (s.aborted) return finish(s, sc::aborted_by_request);
    const std::uint64_t piece = std::min<std::uint64_t>(total - s.at, zeros_bytes);
    s.vector = {.iov_base = zeros, .iov_len = piece};
    issue_transfer(s, file_op_kind::write, first + s.at, {&s.vector, 1}, piece,
                   &file_channel::zeros_written);
}

void file_channel::zeros_written(slot& s, std::int64_t result) noexcept {
    if (result < 0) return fail(s, result);
    if (static_cast<std::uint64_t>(result) != s.length) return came_short(s);
    s.at += s.length;
    write_zeros(s);
}

void file_channel::range_zeroed(slot& s) noexcept {
    if (must_last(*s.op) && !s.durable) return want_sync(s);
    s.durable ? finish_durable(s) : finish(s, sc::success);
}

// Compare, verify and copy read piece by piece into memory of the channel, one operation at a time.
void file_channel::want_scratch(slot& s) noexcept {
    scratch_queue_.push_back(s);
    if (&scratch_queue_.front() == &s) read_piece(s);
}

// What is left from `at` on of the block range that lies there.
file_channel::extent file_channel::source_of(const io_op& op, std::uint64_t at) const noexcept {
    const unsigned shift = device_.shift();
    if (op.kind != io_kind::copy)
        return {(op.first_block << shift) + at, (std::uint64_t{op.block_count} << shift) - at};
    for (const block_range& range : op.ranges) {
        const std::uint64_t bytes = std::uint64_t{range.count} << shift;
        if (at < bytes) return {(range.first << shift) + at, bytes - at};
        at -= bytes;
    }
    return {};
}

void file_channel::read_piece(slot& s) noexcept {
    const io_op& op = *s.op;
    const std::uint64_t total = std::uint64_t{op.block_count} << device_.shift();
    if (s.at == total) {
        if (!must_last(op)) return finish(s, sc::success);
        slot* const next = leave_queue(s);
        want_sync(s);
        return next != nullptr ? read_piece(*next) : void();
    }
    if (s.aborted) return finish(s, sc::aborted_by_request);
    const extent from = source_of(op, s.at);
    const std::uint64_t piece = std::min<std::uint64_t>(from.bytes, scratch_bytes);
    s.vector = {.iov_base = scratch_.data(), .iov_len = piece};
    s.kind = file_op_kind::read;
    s.fd = device_.file().fd();
    s.offset = from.offset;
    s.length = piece;
    s.vectors = {&s.vector, 1};
    s.durable = false;
    s.next = &file_channel::piece_read;
    files_.submit(s);
}

void file_channel::piece_read(slot& s, std::int64_t result) noexcept {
    if (result < 0) return fail(s, result);
    if (static_cast<std::uint64_t>(result) != s.length) return came_short(s);
    if (s.op->kind == io_kind::compare) {
        iov_cursor expected(s.op->data);
        expected.skip(s.at);
        if (!expected.equals(scratch_.data(), s.length))
            return finish(s, sc::compare_failure.no_retry());
    }
    if (s.op->kind == io_kind::copy) {
        if (s.aborted) return finish(s, sc::aborted_by_request);
        s.kind = file_op_kind::write;
        s.offset = (s.op->first_block << device_.shift()) + s.at;
        s.next = &file_channel::piece_written;
        return files_.submit(s);
    }
    s.at += s.length;
    read_piece(s);
}

void file_channel::piece_written(slot& s, std::int64_t result) noexcept {
    if (result < 0) return fail(s, result);
    if (static_cast<std::uint64_t>(result) != s.length) return came_short(s);
    s.at += s.length;
    read_piece(s);
}

bool file_channel::past_cache(const slot& s) const noexcept {
    return s.fd == device_.file().fd() && s.fd != device_.file().unaligned_fd();
}

// A durable write is past the page cache, so a full disk is told before anything is written; any
// other failure may be that of the flush behind it.
void file_channel::fail(slot& s, std::int64_t result) noexcept {
    const int error = static_cast<int>(-result);
    const bool harmless = error == ECANCELED || error == EINTR || error == EINVAL ||
                          error == ENOSPC || error == EDQUOT;
    if (error == ENOSPC || error == EDQUOT) device_.found_full();
    if (means_gone(error))
        device_.lose(file_loss_cause::gone);
    else if (s.durable && !harmless)
        device_.lose(file_loss_cause::sync_failed);
    finish(s, status_of(error, s.op->kind));
}

// From whichever queue it is in. Who may have the scratch memory now, if that was its.
file_channel::slot* file_channel::leave_queue(slot& s) noexcept {
    if (!s.queue_hook.is_linked()) return nullptr;
    const bool had_scratch = !scratch_queue_.empty() && &scratch_queue_.front() == &s;
    scratch_queue_.erase(slot_list::s_iterator_to(s));
    return had_scratch && !scratch_queue_.empty() ? &scratch_queue_.front() : nullptr;
}

// Last of all the answer: it may end in the destruction of this channel.
void file_channel::finish(slot& s, nvme::status status) noexcept {
    io_op& op = *s.op;
    if (nvme::is_success(status) && fills_cache(op.kind) && !must_last(op))
        device_.ledger().note(reactor_);
    s.op = nullptr;
    slot* const next_reader = leave_queue(s);
    s.free_next = std::exchange(free_, &s);
    --outstanding_;
    if (next_reader != nullptr) read_piece(*next_reader);
    if (free_ != nullptr && !waiting_.empty()) {
        io_op& next = waiting_.front();
        waiting_.pop_front();
        start(next);
    }
    op.done(op, status);
}

}  // namespace fulmar::backend
