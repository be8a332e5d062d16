#include "place.hpp"

#include "channel.hpp"
#include "iov_cursor.hpp"
#include "nbd_status.hpp"

#include <fulmar/base/assert.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace fulmar::backend::nbd {

namespace sc = nvme::sc;

namespace {

// Of one request without data: what 32 bits can say, in whole blocks of any size.
constexpr std::uint64_t range_bytes = std::uint64_t{1} << 30;
constexpr std::size_t nbd_zeros_bytes = 256 * 1024;
alignas(4096) constexpr std::byte nbd_zeros[nbd_zeros_bytes]{};

}  // namespace

place::place(engine::reactor& reactor, export_view& view)
    : reactor_(reactor),
      view_(view),
      scratch_(std::make_unique_for_overwrite<std::byte[]>(scratch_bytes)) {}

place::~place() { FULMAR_ASSERT(connections_.empty() && at_server_.empty() && at_rest()); }

void place::bind(connection_list connections, place* home, std::uint32_t session) noexcept {
    connections_ = std::move(connections);
    home_ = home;
    session_ = session;
    dying_ = false;
    last_answer_ = reactor_.now();
    for (const auto& c : connections_)
        if (!c->listen(*this)) connection_died();
}

void place::unbind() noexcept {
    close_all(!dying_);
    dying_ = false;
}

// --- what comes ----------------------------------------------------------------------------------

void place::run(job& j) noexcept {
    j.requests = 0;
    j.error = 0;
    j.scanned = 0;
    if (home_ != this || j.session != session_) return finish(j, device_gone);
    begin(j);
    put_off();
}

bool place::cancel(job& j) noexcept {
    if (!j.queue_hook.is_linked() || j.time_hook.is_linked()) return false;
    scratch_queue_.erase(scratch_queue_.iterator_to(j));
    return true;
}

void place::begin(job& j) noexcept {
    const io_op& op = *j.op;
    switch (op.kind) {
        case io_kind::read:
        case io_kind::write: return in_whole_blocks(op) ? transfer(j) : want_scratch(j);
        case io_kind::flush: return flush(j);
        case io_kind::write_zeroes: return write_zeroes(j);
        case io_kind::deallocate: return deallocate(j);
        case io_kind::compare:
        case io_kind::verify:
        case io_kind::copy: return want_scratch(j);
        case io_kind::write_uncorrectable: break;  // refused by the channel
    }
}

// Buffers are; what is not is copied.
bool place::in_whole_blocks(const io_op& op) const noexcept {
    const std::size_t mask = (std::size_t{1} << view_.shift) - 1;
    return std::all_of(op.data.begin(), op.data.end(),
                       [mask](const iovec& v) noexcept { return (v.iov_len & mask) == 0; });
}

bool place::durable_request(const job& j) const noexcept {
    return view_.facts.can_fua && view_.must_last(*j.op);
}

// False: there is no connection any more, which the job learns in its turn. Else requests_made()
// comes after the last one.
bool place::make_requests(job& j, job_stage stage) noexcept {
    j.stage = stage;
    j.since = reactor_.now();
    if (j.time_hook.is_linked()) at_server_.erase(at_server_.iterator_to(j));
    at_server_.push_back(j);
    if (connections_.empty()) {
        j.error = ENOTCONN;
        ended_.push_back(j);
        return false;
    }
    if (!sweep_.armed()) {
        last_answer_ = reactor_.now();
        reactor_.timers().arm(sweep_, reactor_.now() + sweep_interval);
    }
    if (next_connection_ >= connections_.size()) next_connection_ = 0;
    j.by = connections_[next_connection_++].get();
    j.requests = 1;
    return true;
}

void place::requests_made(job& j) noexcept {
    if (--j.requests == 0) ended_.push_back(j);
}

// A request for each piece of memory, as long as the server's limit allows.
void place::transfer(job& j) noexcept {
    if (!make_requests(j, job_stage::move)) return;
    const std::uint64_t most = view_.facts.payload_bytes;
    const bool writes = j.op->kind == io_kind::write;
    const bool durable = writes && durable_request(j);
    std::uint64_t offset = j.op->first_block << view_.shift;
    const std::span<const iovec> data = j.op->data;
    for (std::size_t i = 0; i < data.size();) {
        auto* base = static_cast<std::byte*>(data[i].iov_base);
        std::uint64_t bytes = data[i].iov_len;
        while (++i < data.size() && data[i].iov_base == base + bytes) bytes += data[i].iov_len;
        while (bytes != 0) {
            const std::uint64_t piece = std::min(bytes, most);
            if (writes)
                j.by->write(j, base, piece, offset, durable);
            else
                j.by->read(j, base, piece, offset);
            base += piece;
            offset += piece;
            bytes -= piece;
        }
    }
    requests_made(j);
}

void place::write_zeroes(job& j) noexcept {
    if (!make_requests(j, job_stage::move)) return;
    const bool durable = durable_request(j);
    std::uint64_t offset = j.op->first_block << view_.shift;
    std::uint64_t bytes = std::uint64_t{j.op->block_count} << view_.shift;
    const std::uint64_t most =
        view_.facts.can_zero ? range_bytes
                             : std::min<std::uint64_t>(nbd_zeros_bytes, view_.facts.payload_bytes);
    while (bytes != 0) {
        const std::uint64_t piece = std::min(bytes, most);
        if (view_.facts.can_zero)
            j.by->zero(j, piece, offset, durable);
        else
            j.by->write(j, nbd_zeros, piece, offset, durable);
        offset += piece;
        bytes -= piece;
    }
    requests_made(j);
}

// A wish: where the server cannot, nothing happens.
void place::deallocate(job& j) noexcept {
    if (!make_requests(j, job_stage::move)) return;
    const bool durable = durable_request(j);
    for (const block_range& range : j.op->ranges) {
        std::uint64_t offset = range.first << view_.shift;
        std::uint64_t bytes = view_.facts.can_trim ? std::uint64_t{range.count} << view_.shift : 0;
        while (bytes != 0) {
            const std::uint64_t piece = std::min(bytes, range_bytes);
            j.by->trim(j, piece, offset, durable);
            offset += piece;
            bytes -= piece;
        }
    }
    requests_made(j);
}

// What is written without a cache needs none, and what can only be read.
void place::flush(job& j) noexcept {
    if (!make_requests(j, job_stage::flush)) return;
    j.covers = view_.ledger.begin_flush();
    if (view_.facts.can_flush) j.by->flush(j);
    requests_made(j);
}

// --- through scratch memory: compare, verify, copy, and data in odd pieces -----------------------

void place::want_scratch(job& j) noexcept {
    if (scratch_user_ != nullptr) return scratch_queue_.push_back(j);
    scratch_user_ = &j;
    scan(j);
}

// The next piece: read, or for a write gathered.
void place::scan(job& j) noexcept {
    const io_op& op = *j.op;
    const std::uint64_t total = std::uint64_t{op.block_count} << view_.shift;
    std::uint64_t from = (op.first_block << view_.shift) + j.scanned;
    std::uint64_t left = total - j.scanned;
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
    j.piece = std::min({left, std::uint64_t{scratch_bytes}, view_.facts.payload_bytes});
    if (op.kind == io_kind::write) {
        iov_cursor source(op.data);
        source.skip(j.scanned);
        source.copy_to(scratch_.get(), j.piece);
        return write_piece(j);
    }
    if (!make_requests(j, job_stage::scan_read)) return;
    j.by->read(j, scratch_.get(), j.piece, from);
    requests_made(j);
}

void place::scanned(job& j) noexcept {
    const io_op& op = *j.op;
    iov_cursor data(op.data);
    data.skip(j.scanned);
    if (op.kind == io_kind::compare && !data.equals(scratch_.get(), j.piece))
        return finish(j, sc::compare_failure.no_retry());
    if (op.kind == io_kind::read) data.copy_from(scratch_.get(), j.piece);
    if (op.kind == io_kind::copy) return write_piece(j);
    next_piece(j);
}

void place::write_piece(job& j) noexcept {
    if (!make_requests(j, job_stage::scan_write)) return;
    j.by->write(j, scratch_.get(), j.piece, (j.op->first_block << view_.shift) + j.scanned,
                durable_request(j));
    requests_made(j);
}

void place::next_piece(job& j) noexcept {
    j.scanned += j.piece;
    if (j.scanned == std::uint64_t{j.op->block_count} << view_.shift) return moved(j);
    if (j.aborted.load(std::memory_order_relaxed)) return finish(j, sc::aborted_by_request);
    scan(j);
}

// --- what goes -----------------------------------------------------------------------------------

void place::request_ended(job& j) noexcept {
    ++answers_;
    last_answer_ = reactor_.now();
    requests_made(j);
}

void place::connection_died() noexcept {
    if (std::exchange(dying_, true)) return;
    view_.reporter->report(remote_loss::gone);
    put_off();
}

// Some of it happens inside of libnbd, some on the way of a new operation: then this waits.
void place::put_off() noexcept {
    if (dying_ || !ended_.empty()) reactor_.post(later_);
}

void place::catch_up() noexcept {
    answer_ended();
    if (dying_) close_all(false);
}

void place::answer_ended() noexcept {
    queue_list batch;
    batch.swap(ended_);
    while (!batch.empty()) {
        job& j = batch.front();
        batch.pop_front();
        go_on(j);
    }
    put_off();
}

void place::go_on(job& j) noexcept {
    if (j.error != 0) return fail(j);
    switch (j.stage) {
        case job_stage::move: return moved(j);
        case job_stage::flush: view_.ledger.covered(j.covers); return finish(j, sc::success);
        case job_stage::scan_read: return scanned(j);
        case job_stage::scan_write: return next_piece(j);
    }
}

// Durable without FUA is a flush behind it.
void place::moved(job& j) noexcept {
    if (view_.must_last(*j.op) && !view_.facts.can_fua) return flush(j);
    finish(j, sc::success);
}

// After a flush that failed the next one may succeed, and would say that lost data is durable.
void place::fail(job& j) noexcept {
    const int error = j.error;
    if (means_server_gone(error)) {
        view_.reporter->report(remote_loss::gone);
    } else if (j.stage == job_stage::flush || (durable_request(j) && !wrote_nothing(error))) {
        const bool full = error == ENOSPC || error == EDQUOT;
        view_.reporter->report(full ? remote_loss::no_room : remote_loss::sync_failed);
    }
    finish(j, nbd_status(error, j.op->kind));
}

// Last of all the answer: it may end in the destruction of the job's channel.
void place::finish(job& j, nvme::status status) noexcept {
    if (j.time_hook.is_linked()) at_server_.erase(at_server_.iterator_to(j));
    if (nvme::is_success(status) && fills_cache(j.op->kind) && !view_.must_last(*j.op))
        view_.ledger.note(reactor_.id());
    if (scratch_user_ == &j) {
        scratch_user_ = nullptr;
        if (!scratch_queue_.empty()) {
            scratch_user_ = &scratch_queue_.front();
            scratch_queue_.pop_front();
            scan(*scratch_user_);
        }
    }
    if (&j.owner->here() == this) return j.owner->finish(j, status);
    j.answer = status;
    j.set_handler([](engine::message& m) noexcept {
        auto& home = static_cast<job&>(m);
        home.owner->finish(home, home.answer);
    });
    j.owner->here().reactor().post(j);
}

// What had been answered by then is answered so; of the rest nobody knows what became.
void place::close_all(bool orderly) noexcept {
    home_ = nullptr;
    for (const auto& c : connections_) c->close(orderly);
    connections_.clear();
    reactor_.timers().cancel(sweep_);
    while (!ended_.empty() || !at_server_.empty()) {
        if (!ended_.empty()) {
            job& j = ended_.front();
            ended_.pop_front();
            go_on(j);
        } else {
            finish(at_server_.front(), device_gone);
        }
    }
}

// Slow is not silent: while others are answered one may take longer, but not for ever.
void place::sweep() noexcept {
    if (at_server_.empty() || connections_.empty()) return;
    const duration age = reactor_.now() - at_server_.front().since;
    const bool silent = reactor_.now() - last_answer_ > view_.command_limit;
    if (age > view_.command_limit * (silent ? 1 : longest_wait)) {
        view_.reporter->report(remote_loss::timed_out);
        return close_all(false);
    }
    reactor_.timers().arm(sweep_, reactor_.now() + sweep_interval);
}

}  // namespace fulmar::backend::nbd
