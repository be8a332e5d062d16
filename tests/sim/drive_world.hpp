// One drive, its real driver and whoever uses it, under a seeded scheduler: reactors, the card and
// the driver's blocking jobs on one thread and one clock. A job runs when the seed says so, and
// everything else goes on while it blocks. The same seed gives the same run, step for step.
#pragma once

#include "support/fake_drive.hpp"
#include "trace.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/helper_job.hpp>
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

/// What happens to a drive: the signs of its loss, and what brings it back.
enum class drive_sign : std::uint8_t {
    request,       ///< the kernel asks for it
    bus_error,     ///< the bus reports one of it
    removed,       ///< the kernel says that it is gone
    silent_zeros,  ///< the card is pulled; its registers read 0
    silent_ones,   ///< or all ones
    fatal,         ///< its status says so, and it does no more
    stuck,         ///< it completes nothing, nor ends it when asked to
    hostile,       ///< it completes what nobody sent
    detach,        ///< an operator takes it
    drain,         ///< and lets what is there end
    arrival,       ///< the kernel found a drive
    attach,        ///< an operator wants it again
};
inline constexpr std::size_t drive_sign_count = static_cast<std::size_t>(drive_sign::attach) + 1;
[[nodiscard]] std::string_view to_string(drive_sign what) noexcept;

/// Called on: one thread.
class drive_world final : engine::helper_runner, backend::device_listener, backend::drive_observer {
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
    /// Called before each turn of anybody, also while a job blocks.
    void watch(std::function<void()> look) { look_ = std::move(look); }

    void give(drive_sign what);
    void sign(backend::loss_cause cause) { device_->sign(cause); }
    /// Reads and writes on all reactors, each with memory of its own.
    void submit(std::size_t count);
    /// A healthy card is in the slot, as soon as the former one has been given back; and nobody
    /// does anything more. False: the drive does not come to rest.
    bool rest();
    /// What must hold at rest, and that the drive serves when it is wanted. `there`: it is wanted
    /// already, and nothing keeps it away.
    void expect_rest(bool there = false);

    [[nodiscard]] backend::drive_state state() const { return device_->status().state; }
    [[nodiscard]] backend::drive_status status() const { return device_->status(); }
    [[nodiscard]] test::fake_drive& card() { return card_; }
    [[nodiscard]] instant now() const { return clock_.now(); }
    [[nodiscard]] bool closing() const { return closing_; }
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
    struct waiting_job {
        engine::helper_job* job;
        instant due;
    };
    static constexpr std::size_t piece_bytes = 4096;
    static constexpr std::size_t pieces = 1024;

    void take(engine::helper_job& job) override;
    void on_device_lost(backend::device&, const std::string& why) noexcept override;
    void on_device_returned(backend::device&) noexcept override;
    void on_device_resized(backend::device&) noexcept override {}
    void on_drive_event(const backend::pcie_options& which, backend::drive_occurrence what,
                        backend::loss_cause cause, std::string_view detail) noexcept override;
    void block(test::fake_drive::moment which);
    void run_due_job();
    void look();
    void answered(operation& op, nvme::status status) noexcept;
    void heal();
    [[nodiscard]] bool fatal() const {
        return fatal_opening_ == card_.openings() && card_.is_open();
    }

    std::uint64_t seed_;
    ::testing::ScopedTrace scope_;
    trace trace_;
    std::mt19937_64 random_;
    manual_clock clock_;
    test::fake_drive card_;
    bool requested_ = false;  // by the kernel, once at least
    mem::heap_memory source_;
    mem::dma_region buffers_ = source_.allocate(pieces * piece_bytes).value();
    std::vector<bool> lent_ = std::vector<bool>(pieces, false);
    std::size_t next_piece_ = 0;
    std::vector<std::unique_ptr<engine::reactor>> reactors_;  // control, data …
    std::vector<std::uint64_t> idleness_;                     // turns in one out of so many
    backend::pcie_roster roster_;
    backend::pcie_environment environment_;
    std::unique_ptr<backend::pcie_device> device_;
    std::vector<std::unique_ptr<backend::io_channel>> channels_;
    std::deque<std::unique_ptr<operation>> operations_;
    std::size_t unanswered_ = 0;
    std::deque<waiting_job> jobs_;
    int working_ = 0;  // jobs that are under way
    bool closing_ = false;
    std::function<void()> look_;
    bool looking_ = false;
    backend::drive_state seen_ = backend::drive_state::absent;
    bool silent_ = false;
    std::uint32_t fatal_opening_ = 0;  // the one of which it reported a fatal error
    int losses_ = 0;
    int returns_ = 0;
    int told_ = 0;  // losses of this incarnation
};

/// The one that is running, for whoever must tell the seed when the process dies.
[[nodiscard]] const drive_world* running_drive();

}  // namespace fulmar::sim
