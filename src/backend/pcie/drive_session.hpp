// One incarnation of a drive: what is open, the queues, and the blocking work on them. The work
// runs on the drive's helper thread; between jobs everything belongs to the control reactor.
#pragma once

#include "controller.hpp"
#include "queue_binding.hpp"
#include "queue_pair.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace fulmar::backend::pcie {

class drive;

/// What a look at the registers of a drive that makes no progress shows.
enum class liveness : std::uint8_t { alive, fatal, gone };

/// Called on: control reactor, unless a method says otherwise.
class drive_session {
  public:
    /// `wanted`: namespaces, 0 for the first.
    drive_session(drive& owner, const pcie_options& options, const pcie_environment& environment,
                  std::vector<std::uint32_t> wanted);
    ~drive_session();
    drive_session(const drive_session&) = delete;
    drive_session& operator=(const drive_session&) = delete;

    /// Each begins a job on the helper thread; the owner is told of its end.
    /// Errors: no_memory (no thread).
    result<void> begin_attach();
    /// `orderly`: the drive is told to shut down first. Its thread waits since the drive was
    /// attached, so that nothing is needed now; only where none could be had then it may fail.
    result<void> begin_release(bool orderly);
    result<void> begin_probe();
    [[nodiscard]] bool busy() const noexcept { return main_.running() || probe_.running(); }
    [[nodiscard]] bool probing() const noexcept { return probe_.running(); }
    /// The bring-up under way is not wanted any more; it ends soon.  Called on: any thread.
    void cancel() noexcept { cancel_.store(true, std::memory_order_relaxed); }

    // The results of begin_attach().
    [[nodiscard]] const std::optional<error>& failure() const noexcept { return failure_; }
    /// The kernel asked for the drive meanwhile: while it was brought up, or until it was closed.
    [[nodiscard]] bool removal_seen() const noexcept { return removal_seen_; }
    [[nodiscard]] const drive_view& view() const noexcept { return view_; }
    [[nodiscard]] queue_pair& queue(std::size_t index) noexcept { return *queues_[index]; }
    [[nodiscard]] queue_pair& admin_queue() noexcept { return controller_->admin(); }
    /// In the order of view().description.namespaces.
    [[nodiscard]] const std::vector<std::uint32_t>& wanted() const noexcept { return wanted_; }
    /// The drive has shut down in order, and so emptied its write cache, after begin_release().
    [[nodiscard]] bool flushed() const noexcept { return flushed_; }
    /// When begin_release()'s thread ran at last.
    [[nodiscard]] instant releasing_at() const noexcept { return releasing_at_; }
    /// When it asked the kernel to close the drive, and when the kernel had: it resets the function
    /// in between.
    [[nodiscard]] instant closing_at() const noexcept { return closing_at_; }
    [[nodiscard]] instant closed_at() const noexcept { return closed_at_; }
    [[nodiscard]] const vfio::drive_access& access() const noexcept { return *access_; }

  private:
    enum class task : std::uint8_t { attach, release };
    struct main_job final : engine::helper_job {
        explicit main_job(drive_session& s) noexcept : session(&s) {}
        void work() noexcept override;
        void on_done() noexcept override;
        void on_abandoned() noexcept override {}
        using helper_job::post_home;
        drive_session* session;
        task what = task::attach;
        bool orderly = false;
    };
    struct probe_job final : engine::helper_job {
        explicit probe_job(drive_session& s) noexcept : session(&s) {}
        void work() noexcept override;
        void on_done() noexcept override;
        void on_abandoned() noexcept override {}
        drive_session* session;
        liveness found = liveness::alive;
    };

    // On the control reactor.
    void on_quiet() noexcept;
    // On the helper thread.
    result<void> attach();
    result<void> map_memory();
    result<void> run_controller();
    void release(bool orderly) noexcept;
    void nap() noexcept;
    /// On the clock of the reactors, which any thread may read.
    [[nodiscard]] instant now() const noexcept { return environment_.control->fresh_now(); }

    drive& owner_;
    pcie_options options_;
    const pcie_environment& environment_;
    std::vector<std::uint32_t> wanted_;
    std::unique_ptr<vfio::drive_access> access_;
    mem::heap_memory source_;
    mem::dma_region memory_;
    std::uint64_t memory_address_ = 0;
    std::unique_ptr<controller> controller_;
    drive_view view_;
    std::vector<std::unique_ptr<queue_pair>> queues_;
    std::optional<error> failure_;
    bool removal_seen_ = false;
    bool flushed_ = false;
    instant releasing_at_{};
    instant closing_at_{};
    instant closed_at_{};
    std::atomic<bool> cancel_{false};
    main_job main_;
    probe_job probe_;
    engine::member_message<&drive_session::on_quiet> quiet_{*this};
};

}  // namespace fulmar::backend::pcie
