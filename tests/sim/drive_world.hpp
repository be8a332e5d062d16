// One drive, its real driver and whoever uses it, under a seeded scheduler: reactors, the drive and
// the driver's blocking jobs on one thread and one clock. The same seed gives the same run, step
// for step.
#pragma once

#include "job_runner.hpp"
#include "sim_drive.hpp"
#include "trace.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

namespace fulmar::sim {

/// Called on: one thread.
class drive_world final : backend::device_listener, backend::drive_observer {
  public:
    explicit drive_world(std::uint64_t seed);
    /// Gives the drive back, and expects that nothing is left.
    ~drive_world();
    drive_world(const drive_world&) = delete;
    drive_world& operator=(const drive_world&) = delete;

    /// Everybody has a turn or none, in random order; then time moves on.
    void round();
    template <typename Condition>
    bool run_until(Condition&& condition, duration limit = std::chrono::seconds(60)) {
        const instant end = clock_.now() + limit;
        while (!condition()) {
            if (clock_.now() >= end) return false;
            round();
        }
        return true;
    }
    void run_for(duration time) {
        run_until([] { return false; }, time);
    }
    bool becomes(backend::drive_state wanted, duration limit = std::chrono::seconds(60)) {
        return run_until([&] { return state() == wanted; }, limit);
    }
    /// Called before each turn of anybody.
    void watch(std::function<void()> look) { look_ = std::move(look); }

    void give(drive_fault what);
    void report_loss(backend::loss_cause cause) { device_->report_loss(cause); }
    /// Reads and writes on all reactors, each with memory of its own.
    void submit(std::size_t count);
    /// A healthy drive is in the slot, as soon as the former one has been given back; and nobody
    /// does anything more. False: the drive does not come to rest.
    bool rest();
    /// What must hold at rest, and that the drive serves when it is wanted. `there`: it is wanted
    /// already, and nothing keeps it away.
    void expect_rest(bool there = false);

    [[nodiscard]] backend::drive_state state() const { return device_->status().state; }
    [[nodiscard]] backend::drive_status status() const { return device_->status(); }
    [[nodiscard]] test::fake_drive& sim_drive() { return sim_drive_.drive(); }
    [[nodiscard]] instant now() const { return clock_.now(); }
    [[nodiscard]] bool closing() const { return sim_drive_.closing(); }
    [[nodiscard]] int losses() const { return losses_; }
    [[nodiscard]] int returns() const { return returns_; }
    [[nodiscard]] std::size_t unanswered() const { return unanswered_; }
    [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    [[nodiscard]] bool one_in(std::uint64_t n) { return pick(n) == 0; }
    [[nodiscard]] std::uint64_t trace_hash() const { return trace_.hash(); }
    [[nodiscard]] std::string trace_tail() const { return trace_.tail(); }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }

    template <typename... Args>
    void note(fmt::format_string<Args...> form, Args&&... args) {
        const auto us =
            std::chrono::duration_cast<std::chrono::microseconds>(now().time_since_epoch());
        trace_.note(static_cast<std::uint64_t>(us.count()), form, std::forward<Args>(args)...);
    }

  private:
    struct operation;
    static constexpr std::size_t piece_bytes = 4096;
    static constexpr std::size_t pieces = 1024;

    void on_device_lost(backend::device&, const std::string& why) noexcept override;
    void on_device_returned(backend::device&) noexcept override;
    void on_device_resized(backend::device&) noexcept override {}
    void on_drive_event(const backend::pcie_options& which, backend::drive_occurrence what,
                        backend::loss_cause cause, std::string_view detail) noexcept override;
    void look();
    [[nodiscard]] instant next_due() const;
    void answered(operation& op, nvme::status status) noexcept;

    std::uint64_t seed_;
    ::testing::ScopedTrace scope_;
    trace trace_;
    std::mt19937_64 random_;
    manual_clock clock_;
    job_runner jobs_{clock_, random_};
    sim::sim_drive sim_drive_;
    mem::heap_memory source_;
    mem::dma_region buffers_ = source_.allocate(pieces * piece_bytes).value();
    std::vector<bool> lent_ = std::vector<bool>(pieces, false);
    std::size_t next_piece_ = 0;
    std::vector<std::unique_ptr<engine::reactor>> reactors_;  // control, data …
    std::vector<std::uint64_t> idleness_;                     // turns in one out of so many
    backend::pcie_device_list device_list_;
    backend::pcie_environment environment_;
    std::unique_ptr<backend::pcie_device> device_;
    std::vector<std::unique_ptr<backend::io_channel>> channels_;
    std::deque<std::unique_ptr<operation>> operations_;
    std::size_t unanswered_ = 0;
    std::function<void()> look_;
    bool looking_ = false;
    bool resting_ = false;  // nothing happens but timers: everybody has a turn, and time hurries
    backend::drive_state seen_ = backend::drive_state::absent;
    int losses_ = 0;
    int returns_ = 0;
    int told_ = 0;  // losses of this incarnation
};

/// The one that is running, for whoever must tell the seed when the process dies.
[[nodiscard]] const drive_world* running_drive();

}  // namespace fulmar::sim
