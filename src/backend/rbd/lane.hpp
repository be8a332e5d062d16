// One reactor's part of a device: what is outstanding there. Owning reactor only. Must never
// allocate for an operation of job_memory::kept_bytes or less (librbd does); what has no job waits
// in order.
#pragma once

#include "image.hpp"
#include "image_view.hpp"
#include "job.hpp"

#include <fulmar/base/intrusive.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace fulmar::backend::rbd {

/// Lives as long as the owner of the image. Called on: its reactor, unless a method says otherwise.
class lane {
  public:
    static constexpr duration sweep_interval = std::chrono::milliseconds(100);
    static constexpr std::uint32_t job_count = 256;
    static constexpr std::uint64_t piece_bytes = 256 * 1024;  ///< of a verify or a copy

    /// Called on: control reactor.
    lane(engine::reactor& reactor, image_view& view);
    ~lane();
    lane(const lane&) = delete;
    lane& operator=(const lane&) = delete;

    [[nodiscard]] engine::reactor& reactor() const noexcept { return reactor_; }  ///< any thread

    /// All that was an orphan has ended.
    void bring(image& open) noexcept;
    /// What is outstanding is answered now: its requests become orphans.
    void take_away() noexcept;
    /// Nothing is on its way here: the image may be closed when there are no orphans.
    [[nodiscard]] bool at_rest() const noexcept { return under_way_.empty(); }
    /// Requests that the cluster has not ended, and nobody waits for.  Called on: any thread.
    [[nodiscard]] std::uint32_t orphans() const noexcept {
        return orphans_.load(std::memory_order_acquire);
    }

    void submit(channel& from, io_op& op) noexcept;
    /// It had not begun, and is forgotten; or, when false, ends in its own time.
    [[nodiscard]] bool cancel(io_op& op) noexcept;

  private:
    using time_list = intrusive_list<job, &job::time_hook>;
    using op_list = intrusive_list<io_op, &io_op::hook>;

    void start(channel& from, io_op& op) noexcept;
    void begin(job& j) noexcept;
    void requests_begin(job& j, job_step step) noexcept;
    void requests_made(job& j) noexcept;
    void write(job& j) noexcept;
    void deallocate(job& j) noexcept;
    void scan(job& j) noexcept;
    void arrived(job& j) noexcept;
    void moved(job& j) noexcept;
    void next_piece(job& j) noexcept;
    void finish(job& j, nvme::status status) noexcept;
    void start_waiting() noexcept;
    void sweep() noexcept;

    engine::reactor& reactor_;
    image_view& view_;
    image* image_ = nullptr;
    std::unique_ptr<job[]> jobs_;
    job* free_ = nullptr;
    time_list under_way_;
    time_list orphaned_;
    op_list waiting_;  // its cookie is the address of its channel
    std::atomic<std::uint32_t> orphans_{0};
    engine::member_timer<&lane::sweep> sweep_{*this};
};

}  // namespace fulmar::backend::rbd
