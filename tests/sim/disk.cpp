#include "disk.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <algorithm>
#include <cstring>
#include <random>

namespace fulmar::sim {

namespace sc = nvme::sc;

stamp read_stamp(const std::byte* block) {
    stamp s;
    std::memcpy(&s, block, sizeof s);
    return s;
}

void write_stamp(std::byte* block, const stamp& s) { std::memcpy(block, &s, sizeof s); }

// --- disk ----------------------------------------------------------------------------------------

std::uint64_t disk::blocks() const {
    const std::lock_guard hold(lock_);
    return blocks_;
}
void disk::set_blocks(std::uint64_t count) {
    const std::lock_guard hold(lock_);
    blocks_ = count;
}
void disk::set_manners(const disk_manners& m) {
    const std::lock_guard hold(lock_);
    fault_profile_ = m;
}
disk_manners disk::fault_profile() const {
    const std::lock_guard hold(lock_);
    return fault_profile_;
}
void disk::set_stalled(bool stalled) {
    const std::lock_guard hold(lock_);
    stalled_ = stalled;
}
bool disk::stalled() const {
    const std::lock_guard hold(lock_);
    return stalled_;
}
void disk::set_lost(bool lost) {
    const std::lock_guard hold(lock_);
    lost_ = lost;
}
bool disk::lost() const {
    const std::lock_guard hold(lock_);
    return lost_;
}
void disk::lose_power() {
    const std::lock_guard hold(lock_);
    if (!fault_profile_.loses_cache) return;
    for (const auto& [lba, tag] : tags_) {
        const auto left = durable_.find(lba);
        const std::uint64_t there = left == durable_.end() ? 0 : left->second;
        if (there != tag) checker_.power_lost(formatted_for_, lba, there);
    }
    tags_ = durable_;
}
bool disk::has_unflushed() const {
    const std::lock_guard hold(lock_);
    return fault_profile_.loses_cache && tags_ != durable_;
}
std::uint32_t disk::held() const {
    const std::lock_guard hold(lock_);
    return held_;
}
std::vector<std::uint64_t> disk::write_order() const {
    const std::lock_guard hold(lock_);
    return order_;
}

std::uint64_t disk::durable_writes() const {
    const std::lock_guard hold(lock_);
    return durable_writes_;
}
std::uint64_t disk::flushes() const {
    const std::lock_guard hold(lock_);
    return flushes_;
}

std::uint64_t disk::took(const backend::io_op& op) {
    const std::lock_guard hold(lock_);
    ++held_;
    durable_writes_ += op.kind == backend::io_kind::write && op.fua ? 1 : 0;
    flushes_ += op.kind == backend::io_kind::flush ? 1 : 0;
    const std::uint64_t whose = checker_.submitted(name_, now_);
    if (op.kind == backend::io_kind::write && !op.data.empty())
        order_.push_back(read_stamp(static_cast<const std::byte*>(op.data[0].iov_base)).tag);
    return whose;
}

void disk::let_go() {
    const std::lock_guard hold(lock_);
    --held_;
}

nvme::status disk::carry_out(const backend::io_op& op, std::uint64_t whose) {
    const std::lock_guard hold(lock_);
    if (lost_) return sc::internal_error;
    if (op.first_block + op.block_count > blocks_) return sc::lba_out_of_range;
    if (whose > formatted_for_) {  // a new namespace finds an empty disk
        formatted_for_ = whose;
        tags_.clear();
        durable_.clear();
    }
    switch (op.kind) {
        case backend::io_kind::write_uncorrectable: return sc::invalid_opcode.no_retry();
        case backend::io_kind::read: read(op, whose); break;
        case backend::io_kind::write: write(op, whose); break;
        case backend::io_kind::compare: return compare(op, whose);
        case backend::io_kind::flush:
            if (fault_profile_.loses_cache) durable_ = tags_;
            [[fallthrough]];
        case backend::io_kind::verify:
        case backend::io_kind::deallocate:
        case backend::io_kind::copy:  // it says that it cannot
        case backend::io_kind::write_zeroes: checker_.landed(name_, whose, 0, 0, now_); break;
    }
    return sc::success;
}

namespace {
// Blocks of a scatter list, one after the other; pieces are multiples of a block.
template <typename Visit>
void each_block(const backend::io_op& op, Visit&& visit) {
    std::uint64_t lba = op.first_block;
    for (const iovec& piece : op.data)
        for (std::size_t at = 0; at + block_bytes <= piece.iov_len; at += block_bytes)
            visit(lba++, static_cast<std::byte*>(piece.iov_base) + at);
}
}  // namespace

void disk::read(const backend::io_op& op, std::uint64_t whose) {
    checker_.landed(name_, whose, op.first_block, 0, now_);
    each_block(op, [&](std::uint64_t lba, std::byte* to) {
        const auto found = tags_.find(lba);
        write_stamp(to, {.incarnation = formatted_for_,
                         .lba = lba,
                         .tag = found == tags_.end() ? 0 : found->second});
    });
}

void disk::write(const backend::io_op& op, std::uint64_t whose) {
    each_block(op, [&](std::uint64_t lba, const std::byte* from) {
        const stamp s = judged_ ? read_stamp(from) : stamp{};
        checker_.landed(name_, whose, lba, keeps_history_ ? 0 : s.tag, now_);
        if (keeps_history_) history_[lba].push_back(s.tag);
        if (s.tag == 0) return;
        tags_[lba] = s.tag;
        if (op.fua) durable_[lba] = s.tag;
    });
}

nvme::status disk::compare(const backend::io_op& op, std::uint64_t whose) {
    bool same = true;
    checker_.landed(name_, whose, op.first_block, 0, now_);
    each_block(op, [&](std::uint64_t lba, const std::byte* wanted) {
        const auto found = tags_.find(lba);
        same = same && read_stamp(wanted).tag == (found == tags_.end() ? 0 : found->second);
    });
    return same ? sc::success : sc::compare_failure.no_retry();
}

std::vector<std::uint64_t> disk::history(std::uint64_t lba) const {
    const std::lock_guard hold(lock_);
    const auto found = history_.find(lba);
    return found == history_.end() ? std::vector<std::uint64_t>{} : found->second;
}

// --- channel -------------------------------------------------------------------------------------

namespace {

class sim_channel final : public backend::io_channel, private engine::poller {
  public:
    sim_channel(std::shared_ptr<disk> on, engine::reactor& r)
        : disk_(std::move(on)), reactor_(r), random_(disk_->seed() * 977 + r.id().value()) {
        reactor_.add(*this, engine::stage::reap);
    }
    ~sim_channel() override {
        FULMAR_ASSERT(held_.empty());
        reactor_.timers().cancel(wake_);
        reactor_.remove(*this, engine::stage::reap);
    }

    void submit(backend::io_op& op) noexcept override {
        const std::uint64_t whose = disk_->took(op);
        const disk_manners m = disk_->fault_profile();
        if (m.answers_inline) return finish(op, disk_->carry_out(op, whose));
        duration delay = m.delay_min;
        if (m.delay_max > delay)
            delay +=
                duration(random_() % static_cast<std::uint64_t>((m.delay_max - delay).count()));
        held_.push_back({&op, whose, reactor_.now() + delay, false});
        wake_at(held_.back().due);
    }
    void abort(backend::io_op& op) noexcept override {
        if (roll(disk_->fault_profile().ignore_abort_chance)) return;
        for (holding& h : held_)
            if (h.op == &op) h.aborted = true;
    }
    [[nodiscard]] bool completes_inline() const noexcept override {
        return disk_->fault_profile().answers_inline;
    }
    [[nodiscard]] std::uint32_t outstanding() const noexcept override {
        return static_cast<std::uint32_t>(held_.size());
    }

  private:
    struct holding {
        backend::io_op* op;
        std::uint64_t whose;
        instant due;
        bool aborted;
    };

    bool roll(double chance) {
        return chance > 0 && std::uniform_real_distribution<>()(random_) < chance;
    }
    void wake_at(instant when) noexcept {
        if (wake_.armed() && wake_.deadline() <= when) return;
        reactor_.timers().arm(wake_, when);
    }
    void finish(backend::io_op& op, nvme::status status) noexcept {
        disk_->let_go();
        op.done(op, status);
    }

    bool poll() noexcept override {
        if (held_.empty() || disk_->stalled()) return false;
        std::vector<holding> ready;
        const bool lost = disk_->lost();
        std::erase_if(held_, [&](const holding& h) {
            if (!lost && !h.aborted && h.due > reactor_.now()) return false;
            ready.push_back(h);
            return true;
        });
        std::shuffle(ready.begin(), ready.end(), random_);  // devices answer in any order
        for (const holding& h : ready) {
            if (h.aborted && !lost && roll(0.5)) {
                finish(*h.op, sc::aborted_by_request);
            } else if (roll(disk_->fault_profile().error_chance)) {
                const bool write = h.op->kind == backend::io_kind::write;
                finish(*h.op, write ? sc::write_fault : sc::unrecovered_read_error);
            } else {
                finish(*h.op, disk_->carry_out(*h.op, h.whose));
            }
        }
        for (const holding& h : held_) wake_at(h.due);
        return !ready.empty();
    }
    bool has_work() noexcept override { return !held_.empty() && !disk_->stalled(); }

    std::shared_ptr<disk> disk_;
    engine::reactor& reactor_;
    std::mt19937_64 random_;
    std::vector<holding> held_;
    engine::timer wake_{[](engine::timer&) noexcept {}};
};

}  // namespace

// --- device --------------------------------------------------------------------------------------

sim_device::sim_device(std::shared_ptr<disk> state) : disk_(std::move(state)) {
    identity_.serial = disk_->name();
    identity_.claim = "sim:" + disk_->name();
    has_cache_ = disk_->fault_profile().loses_cache;
}

backend::geometry sim_device::geometry() const noexcept {
    backend::geometry g;
    g.block_bytes = block_bytes;
    g.block_count = disk_->blocks();
    g.volatile_write_cache = has_cache_;
    g.deallocate = true;
    return g;
}

backend::device_state sim_device::state() const noexcept {
    return disk_->lost() ? backend::device_state::lost : backend::device_state::ready;
}

result<std::unique_ptr<backend::io_channel>> sim_device::open_channel(engine::reactor& r) {
    if (r.id().value() == disk_->fault_profile().no_channel_on)
        return fail(errc::no_memory, "the disk has no more queues");
    return std::make_unique<sim_channel>(disk_, r);
}

result<void> sim_device::resize(std::uint64_t new_block_count, backend::shrinking smaller) {
    if (new_block_count != 0 && new_block_count < geometry().block_count &&
        smaller == backend::shrinking::refused)
        return fail(errc::conflict, "the disk would become smaller", "/size");
    if (new_block_count != 0) disk_->set_blocks(new_block_count);
    return {};
}

result<void> sim_device::reopen() {
    if (disk_->stalled()) return fail(errc::io_error, "the disk does not answer");
    disk_->set_lost(false);
    return {};
}

void sim_device::lose(const std::string& reason) {
    disk_->set_lost(true);
    disk_->lose_power();
    if (listener_ != nullptr) listener_->on_device_lost(*this, reason);
}

}  // namespace fulmar::sim
