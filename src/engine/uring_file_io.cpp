#include "uring_file_io.hpp"

#include <fulmar/base/log.hpp>

#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

namespace fulmar::engine {

namespace {

constexpr std::uint64_t cancel_tag = 0;  // user_data of what nobody waits for

/// Best first. DEFER_TASKRUN (6.1) completes only when we ask, so no interrupt of ours lands in the
/// middle of a turn; COOP_TASKRUN (5.19) comes close. TASKRUN_FLAG lets us see without a system
/// call that there is something to ask for.
constexpr std::array<unsigned, 3> setups{
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    0,
};

result<void> set_up(io_uring& ring, const uring_options& options) {
    int rc = -EINVAL;
    for (const unsigned flags : setups) {
        if ((flags & options.forbidden_flags) != 0) continue;
        io_uring_params params{};
        params.flags = flags | IORING_SETUP_CQSIZE;
        params.cq_entries = std::max(options.most, 2 * options.depth);
        rc = io_uring_queue_init_params(options.depth, &ring, &params);
        if (rc != -EINVAL) break;
    }
    if (rc == 0) {
        // What blocks (fallocate, fsync) takes a kernel thread. By default there are four for each
        // CPU: a few files on storage that hangs would hold up all the others. Bounded work only.
        std::array<unsigned, 2> workers{limits::file_workers_per_reactor, 0};
        io_uring_register_iowq_max_workers(&ring, workers.data());  // 5.15; before: the default
        return {};
    }
    if (rc == -ENOMEM)
        return fail_errno("cannot set up io_uring", ENOMEM, {},
                          "raise RLIMIT_MEMLOCK (LimitMEMLOCK= in the unit)");
    return fail(errc::not_supported, fmt::format("cannot set up io_uring: {}", std::strerror(-rc)),
                {},
                "file devices need it: set kernel.io_uring_disabled=0, and let the container or "
                "seccomp profile pass io_uring_*");
}

class uring_files final : public file_io_provider {
  public:
    explicit uring_files(const uring_options& options) : options_(options) {}

    result<file_io*> for_reactor(reactor& r) override {
        const std::scoped_lock lock(mutex_);
        std::unique_ptr<uring_file_io>& place = by_reactor_[&r];
        if (place == nullptr) {
            FULMAR_TRY(place, uring_file_io::create(r, options_));
        }
        return place.get();
    }

    bool at_rest() const noexcept override {
        return std::all_of(by_reactor_.begin(), by_reactor_.end(), [](const auto& each) {
            return each.second == nullptr || each.second->outstanding() == 0;
        });
    }

  private:
    uring_options options_;
    std::mutex mutex_;  // reactors ask for their rings at about the same time, and then never again
    std::map<reactor*, std::unique_ptr<uring_file_io>> by_reactor_;
};

}  // namespace

std::unique_ptr<file_io_provider> make_uring_files(const uring_options& options) {
    return std::make_unique<uring_files>(options);
}

result<void> probe_uring() {
    io_uring ring{};
    FULMAR_CHECK(set_up(ring, {.depth = 2, .most = 4}));
    io_uring_queue_exit(&ring);
    return {};
}

result<std::unique_ptr<uring_file_io>> uring_file_io::create(reactor& r,
                                                             const uring_options& options) {
    std::unique_ptr<uring_file_io> io(new uring_file_io(r, options.most));
    FULMAR_CHECK(set_up(io->ring_, options));
    if (auto hung = io->hang_bell(); !hung) {
        io_uring_queue_exit(&io->ring_);
        return tl::unexpected(std::move(hung).error());
    }
    r.add(io->reaper_, stage::reap);
    r.add(io->submitter_, stage::submit);
    return io;
}

uring_file_io::~uring_file_io() {
    if (!watch_.watched()) return;
    FULMAR_ASSERT(outstanding() == 0);
    reactor_.remove(reaper_, stage::reap);
    reactor_.remove(submitter_, stage::submit);
    reactor_.unwatch(watch_);
    io_uring_queue_exit(&ring_);
}

// An epoll set that holds the ring itself does not wake for a ring with DEFER_TASKRUN (measured
// on 6.18); a registered eventfd does. It rings only while the reactor sleeps: awake, we look.
result<void> uring_file_io::hang_bell() noexcept {
    bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell_) return fail_errno("cannot create an eventfd", errno);
    if (const int rc = io_uring_register_eventfd(&ring_, bell_.get()); rc != 0)
        return fail_errno("cannot register an eventfd with io_uring", -rc);
    io_uring_cq_eventfd_toggle(&ring_, false);
    return reactor_.watch(watch_, bell_.get(), EPOLLIN);
}

void uring_file_io::silence() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(bell_.get(), &count, sizeof count);
    if (at_kernel_ != 0) reap();
}

// The counterpart is the kernel, which flags the work and then looks at our switch; we flip the
// switch, and then has_work() looks at the flags.
bool uring_file_io::arm_bell() noexcept {
    io_uring_cq_eventfd_toggle(&ring_, true);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return true;
}

void uring_file_io::disarm_bell() noexcept { io_uring_cq_eventfd_toggle(&ring_, false); }

void uring_file_io::submit(file_op& op) noexcept {
    FULMAR_ASSERT(op.where == file_op::place::idle);
    op.moved = 0;
    enqueue(op);
}

void uring_file_io::enqueue(file_op& op) noexcept {
    op.where = file_op::place::queued;
    queued_.push_back(op);
    ++queued_count_;
}

void uring_file_io::cancel(file_op& op) noexcept {
    if (op.where == file_op::place::queued) {
        queued_.erase(queued_.iterator_to(op));
        --queued_count_;
        op.where = file_op::place::idle;
        op.done(op, -ECANCELED);
        return;
    }
    if (op.where != file_op::place::at_kernel || broken_ != 0) return;
    // Best effort: the kernel can take back what has not reached the disk. No room in the ring: the
    // op just goes on.
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return;
    io_uring_prep_cancel(sqe, &op, 0);
    io_uring_sqe_set_data64(sqe, cancel_tag);
}

bool uring_file_io::can_flush() const noexcept {
    if (broken_ != 0) return queued_count_ != 0;
    return (queued_count_ != 0 && at_kernel_ < most_) || io_uring_sq_ready(&ring_) != 0;
}

// Ring entries for as many operations as there is room for, then one system call.
bool uring_file_io::flush() noexcept {
    if (broken_ != 0) return fail_queued();
    while (queued_count_ != 0 && at_kernel_ < most_) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        if (sqe == nullptr) break;  // it has cancellations in it too
        file_op& op = queued_.front();
        queued_.pop_front();
        --queued_count_;
        prepare(*sqe, op);
        op.where = file_op::place::at_kernel;
        ++at_kernel_;
    }
    if (io_uring_sq_ready(&ring_) == 0) return false;
    const int rc = io_uring_submit(&ring_);
    if (rc >= 0) return true;
    // Out of memory for the moment, or completions must be reaped first: the entries stay in the
    // ring for the next turn.
    if (rc == -EAGAIN || rc == -EBUSY || rc == -EINTR || rc == -ENOMEM) return false;
    broken_ = -rc;
    log::error("io_uring accepts nothing any more ({}): file operations on reactor {} fail",
               std::strerror(-rc), reactor_.id().value());
    // What is in the ring and was not taken will never be: take it back by its entries, oldest
    // first.
    for (unsigned left = io_uring_sq_ready(&ring_), at = ring_.sq.sqe_tail - left; left != 0;
         --left, ++at) {
        const io_uring_sqe& sqe = ring_.sq.sqes[at & (ring_.sq.ring_entries - 1)];
        if (sqe.user_data == cancel_tag) continue;
        --at_kernel_;
        enqueue(*reinterpret_cast<file_op*>(sqe.user_data));
    }
    return true;
}

bool uring_file_io::fail_queued() noexcept {
    bool any = false;
    for (std::uint32_t budget = queued_count_; budget != 0 && !queued_.empty(); --budget) {
        file_op& op = queued_.front();
        queued_.pop_front();
        --queued_count_;
        op.where = file_op::place::idle;
        any = true;
        op.done(op, -EIO);
    }
    return any;
}

// A transfer that was cut short goes on where it stopped: to the end of that vector first, then
// with the rest of the list.
void uring_file_io::prepare(io_uring_sqe& sqe, file_op& op) const noexcept {
    const bool writes = op.kind == file_op_kind::write;
    switch (op.kind) {
        case file_op_kind::read:
        case file_op_kind::write: {
            std::span<const iovec> rest = op.vectors;
            std::uint64_t skip = op.moved;
            while (rest.size() > 1 && skip >= rest.front().iov_len) {
                skip -= rest.front().iov_len;
                rest = rest.subspan(1);
            }
            const std::uint64_t at = op.offset + op.moved;
            if (rest.size() == 1 || skip != 0) {
                auto* base = static_cast<std::byte*>(rest.front().iov_base) + skip;
                const auto length = static_cast<unsigned>(rest.front().iov_len - skip);
                if (writes)
                    io_uring_prep_write(&sqe, op.fd, base, length, at);
                else
                    io_uring_prep_read(&sqe, op.fd, base, length, at);
            } else {
                const auto count = static_cast<unsigned>(rest.size());
                if (writes)
                    io_uring_prep_writev(&sqe, op.fd, rest.data(), count, at);
                else
                    io_uring_prep_readv(&sqe, op.fd, rest.data(), count, at);
            }
            if (writes && op.durable) sqe.rw_flags = RWF_DSYNC;
            break;
        }
        case file_op_kind::sync: io_uring_prep_fsync(&sqe, op.fd, 0); break;
        case file_op_kind::data_sync:
            io_uring_prep_fsync(&sqe, op.fd, IORING_FSYNC_DATASYNC);
            break;
        case file_op_kind::deallocate:
            io_uring_prep_fallocate(&sqe, op.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    static_cast<off_t>(op.offset), static_cast<off_t>(op.length));
            break;
        case file_op_kind::write_zeroes:
            io_uring_prep_fallocate(&sqe, op.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                    static_cast<off_t>(op.offset), static_cast<off_t>(op.length));
            break;
    }
    io_uring_sqe_set_data(&sqe, &op);
}

bool uring_file_io::completions_wait() const noexcept {
    if (io_uring_cq_ready(&ring_) != 0) return true;
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !=
           0;
}

bool uring_file_io::reap() noexcept {
    if (io_uring_cq_ready(&ring_) == 0) {
        if (!completions_wait()) return false;
        io_uring_get_events(&ring_);  // lets the kernel post what it has
    }
    constexpr unsigned batch = 64;
    std::array<io_uring_cqe*, batch> cqes;
    const unsigned count = io_uring_peek_batch_cqe(&ring_, cqes.data(), batch);
    if (count == 0) return false;
    struct completion {
        std::uint64_t data;
        int res;
    };
    std::array<completion, batch> copies;
    std::transform(cqes.begin(), cqes.begin() + count, copies.begin(),
                   [](const io_uring_cqe* cqe) noexcept {
                       return completion{cqe->user_data, cqe->res};
                   });
    io_uring_cq_advance(&ring_, count);  // before the handlers: they may end up here again
    for (const completion& c : std::span(copies).first(count))
        if (c.data != cancel_tag) completed(*reinterpret_cast<file_op*>(c.data), c.res);
    return true;
}

void uring_file_io::completed(file_op& op, int res) noexcept {
    --at_kernel_;
    op.where = file_op::place::idle;
    const bool transfer = op.kind == file_op_kind::read || op.kind == file_op_kind::write;
    if (res == -EINTR) return enqueue(op);
    if (res < 0) return op.done(op, res);
    if (!transfer) return op.done(op, 0);
    op.moved += static_cast<unsigned>(res);
    if (op.moved < op.length && res != 0) return enqueue(op);
    // Nothing moved is the end of the file to a read; a write has no such thing.
    if (op.moved < op.length && op.kind == file_op_kind::write) return op.done(op, -EIO);
    op.done(op, static_cast<std::int64_t>(op.moved));
}

}  // namespace fulmar::engine
