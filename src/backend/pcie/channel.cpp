#include "channel.hpp"

#include "block_size.hpp"
#include "command.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <array>

namespace fulmar::backend::pcie {

namespace sc = nvme::sc;

namespace {

constexpr std::size_t most_pieces = limits::max_chunks_per_request + 2;

bool names_nothing(const io_op& op) noexcept {
    return std::all_of(op.ranges.begin(), op.ranges.end(),
                       [](const block_range& range) noexcept { return range.count == 0; });
}

// The bytes [skip, skip + bytes) of `data` as the drive sees them; 0 when it cannot reach them all.
std::size_t find_pieces(std::span<const iovec> data, std::uint64_t skip, std::uint64_t bytes,
                        const dma_table& memory, std::span<dma_piece> out) noexcept {
    std::size_t count = 0;
    for (const iovec& vector : data) {
        if (bytes == 0) break;
        if (skip >= vector.iov_len) {
            skip -= vector.iov_len;
            continue;
        }
        const std::uint64_t length = std::min<std::uint64_t>(vector.iov_len - skip, bytes);
        const std::byte* const from = static_cast<const std::byte*>(vector.iov_base) + skip;
        const auto address = memory.find(from, length);
        if (!address) return 0;
        skip = 0;
        bytes -= length;
        if (count != 0 && out[count - 1].address + out[count - 1].bytes == *address) {
            out[count - 1].bytes += length;
            continue;
        }
        if (count == out.size()) return 0;
        out[count++] = {*address, length};
    }
    return bytes == 0 ? count : 0;
}

}  // namespace

// --- the queue comes and goes --------------------------------------------------------------------

reactor_queue::reactor_queue(engine::reactor& reactor) noexcept
    : reactor_(reactor),
      interrupt_([](engine::descriptor_watch&, std::uint32_t) noexcept {}) {  // the turn reaps
    abort_slots_.fill(queue_pair::no_slot);
}

void reactor_queue::bind(queue_pair& fresh, const drive_view& fresh_view, int fd,
                         vfio::interrupt_mask mask) noexcept {
    queue_ = &fresh;
    view_ = &fresh_view;
    interrupt_fd_ = fd;
    mask_ = mask;
    armed_ = true;  // as the kernel leaves it
    disarm_interrupt();
    if (!users_.empty()) listen();
}

void reactor_queue::unbind() noexcept {
    reactor_.unwatch(interrupt_);
    reactor_.timers().cancel(sweep_);
    mask_ = {};
    if (queue_ != nullptr) {
        queue_pair& queue = *queue_;
        queue.mute();
        for (std::uint32_t slot = 0; slot + 1 < queue.entries(); ++slot) {
            void* const owner = queue.owner_of(slot);
            if (owner == nullptr) continue;
            queue.forget(slot);
            channel::command_ended(owner, device_gone);
        }
        publish();
    }
    for (channel* user : users_) user->detached();
    queue_ = nullptr;
    view_ = nullptr;
    interrupt_fd_ = -1;
    for (auto& abort : progress.aborts) abort.store(0, std::memory_order_relaxed);
    abort_slots_.fill(queue_pair::no_slot);
    aborts_asked_ = 0;
    progress.stuck.store(false, std::memory_order_relaxed);
    progress.at_drive.store(0, std::memory_order_relaxed);
}

void reactor_queue::join(channel& user) {
    users_.push_back(&user);
    if (users_.size() != 1) return;
    reactor_.add(reaper_, engine::stage::reap);
    reactor_.add(bell_, engine::stage::submit);
    listen();
}

void reactor_queue::leave(channel& user) noexcept {
    std::erase(users_, &user);
    next_user_ = 0;
    if (!users_.empty()) return;
    reactor_.unwatch(interrupt_);
    reactor_.timers().cancel(sweep_);
    reactor_.remove(bell_, engine::stage::submit);
    reactor_.remove(reaper_, engine::stage::reap);
}

void reactor_queue::listen() noexcept {
    // Edge-triggered: nobody need read the eventfd. Without it the reactor polls while something is
    // at the drive.
    if (queue_ == nullptr || interrupt_fd_ < 0) return;
    if (auto watched = reactor_.watch(interrupt_, interrupt_fd_, EPOLLIN | EPOLLET); !watched)
        log::warn("a drive is polled: {}", watched.error().text());
}

channel::channel(reactor_queue& place, namespace_view& of)
    : place_(place), namespace_(of), jobs_(std::make_unique<job[]>(job_count)) {
    for (std::uint32_t i = job_count; i-- != 0;) {
        jobs_[i].owner = this;
        jobs_[i].next_free = std::exchange(free_, &jobs_[i]);
    }
    place_.join(*this);
}

channel::~channel() {
    FULMAR_ASSERT(outstanding_ == 0);
    place_.leave(*this);
}

// The queue is empty, and nothing goes to the drive any more.
void channel::detached() noexcept {
    fail_waiting();
    while (!unfinished_.empty()) {  // begun, and nothing of it at the drive just now
        job& j = unfinished_.front();
        give_up(j, device_gone);
        end_if_done(j);
    }
}

void channel::fail_waiting() noexcept {
    while (!waiting_.empty()) {
        io_op& op = waiting_.front();
        waiting_.pop_front();
        --outstanding_;
        op.done(op, device_gone);
    }
}

// --- operations ----------------------------------------------------------------------------------

void channel::submit(io_op& op) noexcept {
    if (namespace_.lost.load(std::memory_order_acquire) || place_.queue() == nullptr)
        return op.done(op, device_gone);
    const drive_description& drive = place_.view().description;
    if (!in_bounds(op, namespace_.block_count.load(std::memory_order_relaxed)))
        return op.done(op, sc::lba_out_of_range.no_retry());
    if (const nvme::status can = can_do(op.kind, drive); !nvme::is_success(can))
        return op.done(op, can);
    if (op.kind == io_kind::deallocate && names_nothing(op)) return op.done(op, sc::success);
    if (op.kind == io_kind::flush && !drive.volatile_write_cache) return op.done(op, sc::success);
    ++outstanding_;
    op.cookie = 0;
    if (!waiting_.empty() || !unfinished_.empty() || !start(op)) waiting_.push_back(op);
}

// A command at the drive ends when the drive says so, and the drive is asked to; one that is not
// there ends here.
void channel::abort(io_op& op) noexcept {
    if (op.cookie == 0) {
        waiting_.erase(waiting_.iterator_to(op));
        --outstanding_;
        return op.done(op, sc::aborted_by_request);
    }
    job& j = jobs_[op.cookie - 1];
    give_up(j, sc::aborted_by_request);
    if (j.commands == 0) return end_if_done(j);
    if (mutated(mutation::aborts_end_at_once))
        return std::exchange(j.op, nullptr)->done(op, j.failure);
    // A drive that is lost is asked nothing any more, and hosts wait for the answers of all.
    if (!namespace_.lost.load(std::memory_order_acquire)) place_.abort_all_of(&j);
}

// False: no room; nothing has changed.
bool channel::start(io_op& op) noexcept {
    if (free_ == nullptr) return false;
    job& j = *free_;
    j.op = &op;
    j.issued = 0;
    j.range_block = 0;
    j.total = goes_by_blocks(op.kind)          ? op.block_count
              : op.kind == io_kind::deallocate ? static_cast<std::uint32_t>(op.ranges.size())
                                               : 0;
    j.commands = 0;
    j.failure = sc::success;
    const std::uint32_t slot = place_.queue()->take_slot(&j);
    if (slot == queue_pair::no_slot) return false;
    free_ = j.next_free;
    op.cookie = static_cast<std::uint64_t>(&j - jobs_.get()) + 1;
    if (!issue_command(j, slot)) {
        give_up(j, sc::internal_error.no_retry());
        end_if_done(j);
        return true;
    }
    if (!issue(j)) unfinished_.push_back(j);
    return true;
}

// Every command that is still to come, as far as there is room. True: all are under way.
bool channel::issue(job& j) noexcept {
    while (j.issued < j.total) {
        const std::uint32_t slot = place_.queue()->take_slot(&j);
        if (slot == queue_pair::no_slot) return false;
        if (!issue_command(j, slot)) {
            give_up(j, sc::internal_error.no_retry());
            return true;
        }
    }
    return true;
}

bool channel::issue_command(job& j, std::uint32_t slot) noexcept {
    const io_op& op = *j.op;
    const drive_description& drive = place_.view().description;
    const std::uint32_t block_bytes = namespace_.block_bytes;
    const std::uint32_t blocks =
        std::min(blocks_per_command(op.kind, drive, block_bytes), j.total - j.issued);
    nvme::sqe command = encode(op, j.issued, blocks, namespace_.nsid);
    queue_pair& queue = *place_.queue();
    bool good = true;
    std::uint32_t issued = j.issued + blocks;
    if (op.kind == io_kind::flush) {
        j.flushes = namespace_.ledger.begin_flush();
    } else if (op.kind == io_kind::deallocate) {
        range_place at{.range = j.issued, .block = j.range_block};
        const std::uint32_t ranges =
            encode_ranges(op.ranges, drive.limits, at, queue.page_of(slot));
        issued = at.range;
        j.range_block = at.block;
        nvme::encode_dataset_management(
            command, {.ranges = ranges, .attributes = nvme::dsm_attribute::deallocate});
        command.set_prps(queue.list_of(slot).address, 0);
    } else if (op.kind == io_kind::copy) {
        encode_sources(op.ranges, queue.page_of(slot));
        command.set_prps(queue.list_of(slot).address, 0);
    } else if (moves_data(op.kind)) {
        good = point_to_data(command, op, std::uint64_t{j.issued} * block_bytes,
                             std::uint64_t{blocks} * block_bytes, slot);
    }
    if (!good) {
        queue.return_slot(slot);
        return false;
    }
    j.issued = issued;
    ++j.commands;
    queue.submit(command, slot, place_.reactor().now());
    place_.watch_over();
    return true;
}

// PRPs, since every drive has them; SGLs for memory that they cannot describe.
bool channel::point_to_data(nvme::sqe& command, const io_op& op, std::uint64_t skip,
                            std::uint64_t bytes, std::uint32_t slot) noexcept {
    std::array<dma_piece, most_pieces> room;
    const std::size_t count = find_pieces(op.data, skip, bytes, place_.view().memory, room);
    if (count == 0) return false;
    const std::span<const dma_piece> pieces(room.data(), count);
    const list_memory list = place_.queue()->list_of(slot);
    if (const auto prps = build_prps(pieces, queue_layout::page, list)) {
        command.set_prps(prps->prp1.value(), prps->prp2.value());
        return true;
    }
    const drive_description& drive = place_.view().description;
    if (!drive.sgl) return false;
    const auto sgl = build_sgl(pieces, drive.sgl_dword_aligned, list);
    if (!sgl) return false;
    command.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    command.sgl1 = *sgl;
    return true;
}

// Nothing more of it goes to the drive.
void channel::give_up(job& j, nvme::status failure) noexcept {
    if (nvme::is_success(j.failure)) j.failure = failure;
    j.issued = j.total;
    if (j.hook.is_linked()) unfinished_.erase(unfinished_.iterator_to(j));
}

void channel::command_ended(void* owner, nvme::status status) noexcept {
    job& j = *static_cast<job*>(owner);
    j.owner->command_done(j, status);
}

void channel::command_done(job& j, nvme::status status) noexcept {
    --j.commands;
    // Of a namespace that is gone the drive says what it likes.
    if (!nvme::is_success(status))
        give_up(j, namespace_.lost.load(std::memory_order_relaxed) || status == device_gone
                       ? device_gone
                       : translate(status));
    end_if_done(j);
}

void channel::end_if_done(job& j) noexcept {
    if (j.commands != 0 || j.issued < j.total) return;
    if (j.hook.is_linked()) unfinished_.erase(unfinished_.iterator_to(j));
    if (nvme::is_success(j.failure)) settle(j);
    io_op* const op = std::exchange(j.op, nullptr);
    j.next_free = std::exchange(free_, &j);
    --outstanding_;
    if (mutated(mutation::aborts_end_at_once) && op == nullptr) return;
    op->done(*op, j.failure);
}

// What the drive has done, before anybody is told.
void channel::settle(const job& j) noexcept {
    const io_op& op = *j.op;
    // Write Uncorrectable has no FUA: what a drive remembers of it may be in its cache.
    const bool lasts = op.fua && op.kind != io_kind::write_uncorrectable;
    if (op.kind == io_kind::flush)
        namespace_.ledger.covered(j.flushes);
    else if (fills_cache(op.kind) && !lasts && place_.view().description.volatile_write_cache)
        namespace_.ledger.note(place_.reactor().id());
}

// What waited longest goes first.
void channel::pump() noexcept {
    if (namespace_.lost.load(std::memory_order_acquire)) return detached();
    while (!unfinished_.empty()) {
        job& j = unfinished_.front();
        if (!issue(j)) return;
        if (j.hook.is_linked()) unfinished_.pop_front();
        end_if_done(j);
    }
    while (!waiting_.empty()) {
        io_op& op = waiting_.front();
        waiting_.pop_front();
        if (start(op)) {
            if (!unfinished_.empty()) return;
            continue;
        }
        waiting_.push_front(op);
        return;
    }
}

// --- the turn ------------------------------------------------------------------------------------

bool reactor_queue::reap() noexcept {
    if (queue_ == nullptr) return false;
    std::uint32_t count = 0;
    while (count < reaps_per_turn && queue_->has_completion()) {
        const queue_pair::reaped done = queue_->take_completion();
        ++count;
        if (done.owner != nullptr) channel::command_ended(done.owner, done.status);
    }
    if (aborts_asked_ != 0) look_after_aborts();
    if (count != 0) {
        queue_->release_entries(false);
        pump();
    }
    publish();
    return count != 0;
}

// Whoever was first last time is last now: nobody's operations keep the others' from the queue.
void reactor_queue::pump() noexcept {
    const std::size_t count = users_.size();
    if (count > 1) next_user_ = (next_user_ + 1) % count;
    for (std::size_t i = 0; i < count; ++i) {
        channel& user = *users_[(next_user_ + i) % count];
        if (user.wants_room()) user.pump();
    }
}

void reactor_queue::publish() noexcept {
    if (queue_ == nullptr) return;
    const queue_counters& counters = queue_->counters();
    progress.completed.store(counters.completed, std::memory_order_relaxed);
    progress.at_drive.store(queue_->at_drive(), std::memory_order_relaxed);
    progress.faults.store(counters.faults, std::memory_order_relaxed);
    progress.doorbells.store(counters.doorbells, std::memory_order_relaxed);
}

bool reactor_queue::ring() noexcept {
    if (!must_ring()) return false;
    queue_->ring();
    publish();
    return true;
}

bool reactor_queue::must_ring() const noexcept { return queue_ != nullptr && queue_->must_ring(); }

bool reactor_queue::has_completion() const noexcept {
    return queue_ != nullptr && queue_->has_completion();
}

// A drive interrupts for what it posts to a queue whose entries have been given back. What it
// posted while the vector was masked is pending and comes now; what came before that is found by
// has_work(), which the reactor asks next.
bool reactor_queue::arm_interrupt() noexcept {
    if (queue_ == nullptr || queue_->at_drive() == 0) return true;
    if (!interrupt_.watched()) return false;
    queue_->release_entries(true);
    if (!armed_) mask_.set(false);
    armed_ = true;
    return true;
}

// Whoever polls wants no interrupts: each would cost more than the completion that it tells of.
void reactor_queue::disarm_interrupt() noexcept {
    if (!armed_) return;
    mask_.set(true);
    armed_ = !mask_.there();
}

// --- what takes too long -------------------------------------------------------------------------

void reactor_queue::arm_sweep() noexcept {
    reactor_.timers().arm(sweep_, reactor_.now() + sweep_interval);
}

// A command that is late is aborted; one that outlives that too makes its drive reset.
void reactor_queue::sweep() noexcept {
    if (queue_ == nullptr || queue_->at_drive() == 0) return;
    const instant now = reactor_.now();
    const instant late = now - view_->command_timeout;
    bool stuck = false;
    for (std::uint32_t slot = 0; slot + 1 < queue_->entries(); ++slot) {
        if (queue_->owner_of(slot) == nullptr || queue_->since(slot) > late) continue;
        queue_->want_abort(slot);
        stuck = stuck || queue_->since(slot) <= late - abort_grace;
    }
    progress.stuck.store(stuck, std::memory_order_relaxed);
    send_aborts();
    arm_sweep();
}

void reactor_queue::abort_all_of(const void* owner) noexcept {
    for (std::uint32_t slot = 0; slot + 1 < queue_->entries(); ++slot)
        if (queue_->owner_of(slot) == owner) queue_->want_abort(slot);
    send_aborts();
}

// What finds no place now does with a later sweep.
void reactor_queue::send_aborts() noexcept {
    std::size_t place = 0;
    for (std::uint32_t slot = 0; slot + 1 < queue_->entries(); ++slot) {
        if (queue_->owner_of(slot) == nullptr || queue_->abort_of(slot) != abort_stage::wanted)
            continue;
        while (place != abort_slots_.size() && abort_slots_[place] != queue_pair::no_slot) ++place;
        if (place == abort_slots_.size()) return;
        abort_slots_[place] = slot;
        ++aborts_asked_;
        queue_->abort_asked(slot);
        progress.aborts[place].store(progress_counters::abort_wanted | queue_->cid_of(slot),
                                     std::memory_order_release);
    }
}

// A command that has ended takes its wish along. Where that is on its way to the drive already, the
// slot is used again only when the drive has answered it.
void reactor_queue::look_after_aborts() noexcept {
    const std::uint32_t before = aborts_asked_;
    for (std::size_t i = 0; i < abort_slots_.size(); ++i) {
        const std::uint32_t slot = abort_slots_[i];
        if (slot == queue_pair::no_slot) continue;
        std::uint32_t wish = progress.aborts[i].load(std::memory_order_acquire);
        if (wish != 0) {
            if (queue_->at_drive(slot) || (wish & progress_counters::abort_sent) != 0) continue;
            if (!progress.aborts[i].compare_exchange_strong(wish, 0, std::memory_order_acq_rel))
                continue;
        }
        abort_slots_[i] = queue_pair::no_slot;
        --aborts_asked_;
        queue_->abort_over(slot);
    }
    if (aborts_asked_ != before) send_aborts();  // there is room for more
}

}  // namespace fulmar::backend::pcie
