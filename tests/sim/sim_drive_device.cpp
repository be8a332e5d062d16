#include "sim_drive_device.hpp"

#include "disk.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <utility>

namespace fulmar::sim {

// --- ledger --------------------------------------------------------------------------------------

sim_drive_ledger::sim_drive_ledger(std::string name, sim_drive& in, invariant_checker& judge,
                                   const moment& now)
    : name_(std::move(name)), sim_drive_(in), checker_(judge), now_(now) {
    sim_drive_.drive().guard_memory(
        [this](const std::byte* at, std::uint64_t bytes) { return reach(at, bytes); });
    sim_drive_.drive().watch_medium([this](const nvme::sqe& command, std::span<std::byte> blocks,
                                           bool after) { look(command, blocks, after); });
    sim_drive_.watch_power([this](bool after) { look_at_power_loss(after); });
}

void sim_drive_ledger::begin(loan& l) {
    ++loans_;
    l.whose = checker_.submitted(name_, now_);
    std::uint64_t offset = 0;
    for (const iovec& part : l.op->data) {
        const auto* const at = static_cast<const std::byte*>(part.iov_base);
        const auto next = pieces_.lower_bound(at);
        const bool overlaps = (next != pieces_.end() && next->first < at + part.iov_len) ||
                              (next != pieces_.begin() &&
                               std::prev(next)->first + std::prev(next)->second.bytes > at);
        if (overlaps)
            checker_.complain(
                fmt::format("drive {}: what it may still write is lent out again", name_));
        pieces_.insert_or_assign(at, piece{&l, part.iov_len, offset});
        offset += part.iov_len;
    }
}

void sim_drive_ledger::end(loan& l) {
    --loans_;
    std::erase_if(pieces_, [&](const auto& each) { return each.second.of == &l; });
}

// The drive is about to touch that. Memory that no reactor lends is the driver's own.
bool sim_drive_ledger::reach(const std::byte* at, std::uint64_t bytes) {
    if (std::none_of(memory_.begin(), memory_.end(), [&](std::span<std::byte> region) {
            return at >= region.data() && at < region.data() + region.size();
        }))
        return true;
    const auto after = pieces_.upper_bound(at);
    const piece* const found = after == pieces_.begin() ? nullptr : &std::prev(after)->second;
    const auto distance =
        found == nullptr ? 0 : static_cast<std::uint64_t>(at - std::prev(after)->first);
    if (found == nullptr || distance + bytes > found->bytes) {
        checker_.complain(fmt::format("drive {} reached memory that is not lent", name_));
        return false;
    }
    const loan& l = *found->of;
    const bool reads = command_.opcode == static_cast<std::uint8_t>(nvme::io_opcode::read);
    const std::uint64_t offset = found->offset + distance;
    const std::uint64_t lba = nvme::decode_block_range(command_).slba + moved_ / block_bytes;
    if (reads != (l.op->kind == backend::io_kind::read) ||
        l.op->first_block + offset / block_bytes != lba)
        checker_.complain(
            fmt::format("drive {} reached memory that is lent for something else", name_));
    if (l.serial != sim_drive_.what().serial)
        checker_.complain(fmt::format("what is meant for drive {} reached {}", l.serial,
                                      sim_drive_.what().serial));
    if (reads)
        for (std::uint64_t i = 0; i < bytes / block_bytes; ++i)
            show(lba + i, blocks_.data() + moved_ + i * block_bytes, l);
    reader_ = &l;
    moved_ += bytes;
    ++served_;
    return true;
}

// What was written for a former namespace its heir does not find.
void sim_drive_ledger::show(std::uint64_t lba, std::byte* block, const loan& to) {
    checker_.landed(name_, to.whose, lba, 0, now_);
    stamp s = read_stamp(block);
    if (written_for_[{sim_drive_.what().serial, lba}] != to.whose) s = {};
    s.incarnation = to.whose;
    if (s.tag == 0) s.lba = lba;
    write_stamp(block, s);
}

void sim_drive_ledger::look(const nvme::sqe& command, std::span<std::byte> blocks, bool after) {
    if (!after) {
        command_ = command;
        blocks_ = blocks;
        moved_ = 0;
        reader_ = nullptr;
        return;
    }
    if (reader_ == nullptr) return;
    const std::uint64_t first = nvme::decode_block_range(command).slba;
    for (std::uint64_t i = 0; i < blocks.size() / block_bytes; ++i) {
        const stamp s = read_stamp(blocks.data() + i * block_bytes);
        checker_.landed(name_, reader_->whose, first + i, s.tag, now_);
        written_for_[{sim_drive_.what().serial, first + i}] = reader_->whose;
    }
}

// What was in its cache alone is gone.
void sim_drive_ledger::look_at_power_loss(bool after) {
    if (!after) {
        before_ = sim_drive_.drive().media();
        return;
    }
    const std::vector<std::byte> now = sim_drive_.drive().media();
    for (std::size_t at = 0; at + block_bytes <= std::min(now.size(), before_.size());
         at += block_bytes) {
        const std::uint64_t left = read_stamp(now.data() + at).tag;
        if (left == read_stamp(before_.data() + at).tag) continue;
        const std::uint64_t lba = at / block_bytes;
        const auto whose = written_for_.find({sim_drive_.what().serial, lba});
        if (whose != written_for_.end() && !checker_.power_lost(whose->second, lba, left))
            written_for_.erase(whose);
    }
    before_.clear();
}

// --- device --------------------------------------------------------------------------------------

namespace {

class watched_channel final : public backend::io_channel {
  public:
    watched_channel(std::unique_ptr<backend::io_channel> real, sim_drive_ledger& ledger,
                    const std::string& serial)
        : real_(std::move(real)), ledger_(ledger), serial_(serial) {}
    ~watched_channel() override { FULMAR_ASSERT(lent_.empty()); }

    void submit(backend::io_op& op) noexcept override {
        lent_.emplace_front(*this, op);
        passage& p = lent_.front();
        p.self = lent_.begin();
        op.cookie = reinterpret_cast<std::uintptr_t>(&p);
        ledger_.begin(p.on_loan);
        real_->submit(p);
    }
    void abort(backend::io_op& op) noexcept override {
        real_->abort(*reinterpret_cast<passage*>(static_cast<std::uintptr_t>(op.cookie)));
    }
    [[nodiscard]] std::optional<backend::device_health> health() const noexcept override {
        return real_->health();
    }
    [[nodiscard]] std::uint32_t outstanding() const noexcept override {
        return real_->outstanding();
    }

  private:
    /// The driver's operation, for one of core's.
    struct passage final : backend::io_op {
        passage(watched_channel& c, backend::io_op& of) : owner(&c), original(&of) {
            kind = of.kind;
            fua = of.fua;
            first_block = of.first_block;
            block_count = of.block_count;
            data = of.data;
            ranges = of.ranges;
            on_loan.op = &of;
            on_loan.serial = c.serial_;
            done = [](backend::io_op& op, nvme::status status) noexcept {
                auto& p = static_cast<passage&>(op);
                backend::io_op& o = *p.original;
                p.owner->ledger_.end(p.on_loan);
                p.owner->lent_.erase(p.self);
                o.done(o, status);
            };
        }
        watched_channel* owner;
        backend::io_op* original;
        sim_drive_ledger::loan on_loan;
        std::list<passage>::iterator self{};
    };

    std::unique_ptr<backend::io_channel> real_;
    sim_drive_ledger& ledger_;
    const std::string& serial_;
    std::list<passage> lent_;
};

class watched_device final : public backend::device, backend::device_listener {
  public:
    watched_device(std::unique_ptr<backend::pcie_device> real, sim_drive_ledger& ledger)
        : real_(std::move(real)), ledger_(ledger) {
        real_->set_listener(this);
    }
    ~watched_device() override { real_->set_listener(nullptr); }
    watched_device(const watched_device&) = delete;
    watched_device& operator=(const watched_device&) = delete;

    const char* type() const noexcept override { return real_->type(); }
    backend::geometry geometry() const noexcept override { return real_->geometry(); }
    const backend::device_identity& identity() const noexcept override { return real_->identity(); }
    backend::device_state state() const noexcept override { return real_->state(); }
    result<std::unique_ptr<backend::io_channel>> open_channel(engine::reactor& r) override {
        FULMAR_TRY(auto real, real_->open_channel(r));
        return std::make_unique<watched_channel>(std::move(real), ledger_, serial_);
    }
    result<void> resize(std::uint64_t blocks, backend::shrinking smaller) override {
        return real_->resize(blocks, smaller);
    }
    std::string_view condition() const override { return real_->condition(); }
    std::string trouble() const override { return real_->trouble(); }
    bool has_unflushed_writes() const noexcept override { return real_->has_unflushed_writes(); }
    bool lost_data() const noexcept override { return real_->lost_data(); }
    result<void> reopen() override { return real_->reopen(); }
    result<void> accept() override { return real_->accept(); }
    result<void> detach(bool drain) override { return real_->detach(drain); }
    result<void> attach() override { return real_->attach(); }
    std::string note() const override { return real_->note(); }
    void set_listener(backend::device_listener* l) noexcept override { listener_ = l; }

  private:
    void on_device_lost(backend::device&, const std::string& why) noexcept override {
        if (listener_ != nullptr) listener_->on_device_lost(*this, why);
    }
    // The drive that serves first is the one that it stands on for good.
    void on_device_returned(backend::device&) noexcept override {
        if (serial_.empty()) serial_ = real_->identity().serial;
        if (listener_ != nullptr) listener_->on_device_returned(*this);
    }
    bool on_device_back_without_data(backend::device&, const std::string& why) noexcept override {
        return listener_ == nullptr || listener_->on_device_back_without_data(*this, why);
    }
    void on_device_resized(backend::device&) noexcept override {
        if (listener_ != nullptr) listener_->on_device_resized(*this);
    }

    std::unique_ptr<backend::pcie_device> real_;
    sim_drive_ledger& ledger_;
    std::string serial_;
    backend::device_listener* listener_ = nullptr;
};

}  // namespace

std::unique_ptr<backend::device> watch_device(std::unique_ptr<backend::pcie_device> real,
                                              sim_drive_ledger& ledger) {
    return std::make_unique<watched_device>(std::move(real), ledger);
}

}  // namespace fulmar::sim
