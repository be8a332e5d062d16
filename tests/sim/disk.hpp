// A device for the simulator: it remembers which write landed where, answers out of order, late,
// with errors or not at all, ignores aborts, and vanishes; all by seed or on command.
#pragma once

#include "invariant_checker.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/base/clock.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace fulmar::sim {

struct disk_manners {
    duration delay_min{};
    duration delay_max{};
    double error_chance = 0;
    double ignore_abort_chance = 0;   ///< otherwise an abort ends the operation soon
    bool answers_inline = false;      ///< like a RAM disk
    bool loses_cache = false;         ///< what was not flushed is gone with its power
    std::uint16_t no_channel_on = 0;  ///< the reactor that gets no channel; 0: all get one
};

/// What is left of a disk when its device object is gone, and how the test rules it.
/// Called on: any thread.
class disk {
  public:
    disk(std::string name, std::uint64_t blocks, invariant_checker& judge, const moment& now,
         std::uint64_t seed)
        : name_(std::move(name)), blocks_(blocks), checker_(judge), now_(now), seed_(seed) {}

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::uint64_t blocks() const;
    void set_blocks(std::uint64_t count);
    [[nodiscard]] std::uint64_t seed() const { return seed_; }

    /// Of its blocks no invariant is kept.
    void take_anything() { judged_ = false; }
    /// Any host may write any block: instead of the invariant checker, each block keeps what landed
    /// there.
    void keep_history() { keeps_history_ = true; }
    /// Tags, in the order in which they landed.
    [[nodiscard]] std::vector<std::uint64_t> history(std::uint64_t lba) const;
    void set_manners(const disk_manners& m);
    [[nodiscard]] disk_manners fault_profile() const;
    /// While stalled nothing is answered; afterwards everything is.
    void set_stalled(bool stalled);
    [[nodiscard]] bool stalled() const;
    /// Lost: what is there and what comes fails at once (unless stalled).
    void set_lost(bool lost);
    [[nodiscard]] bool lost() const;
    /// Of what it has done only that is left which was to be durable, where it loses its cache.
    void lose_power();
    /// It has done what would be gone then.
    [[nodiscard]] bool has_unflushed() const;

    /// Operations at the disk, and how often each kind came.
    [[nodiscard]] std::uint32_t held() const;
    /// Tags of the writes in the order of their submission.
    [[nodiscard]] std::vector<std::uint64_t> write_order() const;
    /// Writes that came with Force Unit Access, and flushes.
    [[nodiscard]] std::uint64_t durable_writes() const;
    [[nodiscard]] std::uint64_t flushes() const;

    // For channels.
    /// Returns whose I/O it is, for carry_out().
    std::uint64_t took(const backend::io_op& op);
    nvme::status carry_out(const backend::io_op& op, std::uint64_t whose);
    void let_go();

  private:
    void read(const backend::io_op& op, std::uint64_t whose);
    void write(const backend::io_op& op, std::uint64_t whose);
    [[nodiscard]] nvme::status compare(const backend::io_op& op, std::uint64_t whose);

    mutable std::mutex lock_;
    std::string name_;
    std::uint64_t blocks_;
    invariant_checker& checker_;
    const moment& now_;
    std::uint64_t seed_;
    disk_manners fault_profile_;
    bool judged_ = true;
    bool keeps_history_ = false;
    std::map<std::uint64_t, std::vector<std::uint64_t>> history_;
    bool stalled_ = false;
    bool lost_ = false;
    std::uint32_t held_ = 0;
    std::map<std::uint64_t, std::uint64_t> tags_;     // by LBA
    std::map<std::uint64_t, std::uint64_t> durable_;  // likewise
    std::uint64_t formatted_for_ = 0;
    std::vector<std::uint64_t> order_;
    std::uint64_t durable_writes_ = 0;
    std::uint64_t flushes_ = 0;
};

/// The device on `state`. `listener` calls go through the reactor that runs `lose()`.
class sim_device final : public backend::device {
  public:
    explicit sim_device(std::shared_ptr<disk> state);
    [[nodiscard]] const char* type() const noexcept override { return "sim"; }
    [[nodiscard]] backend::geometry geometry() const noexcept override;
    [[nodiscard]] const backend::device_identity& identity() const noexcept override {
        return identity_;
    }
    [[nodiscard]] backend::device_state state() const noexcept override;
    result<std::unique_ptr<backend::io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count, backend::shrinking smaller) override;
    result<void> reopen() override;
    bool has_unflushed_writes() const noexcept override { return disk_->has_unflushed(); }
    bool lost_data() const noexcept override { return disk_->lost() && disk_->has_unflushed(); }
    void set_listener(backend::device_listener* listener) noexcept override {
        listener_ = listener;
    }

    /// Called on: control reactor.
    void lose(const std::string& reason);

  private:
    std::shared_ptr<disk> disk_;
    backend::device_identity identity_;
    bool has_cache_ = false;
    backend::device_listener* listener_ = nullptr;
};

inline constexpr std::uint32_t block_bytes = 512;

/// The stamp at the start of a block.
[[nodiscard]] stamp read_stamp(const std::byte* block);
void write_stamp(std::byte* block, const stamp& s);

}  // namespace fulmar::sim
