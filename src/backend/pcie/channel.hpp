// One reactor's way into a drive: cuts operations into commands, rings once a turn, reaps. Owning
// reactor only. Must never allocate per operation, nor read a register.
#pragma once

#include "queue_binding.hpp"
#include "queue_pair.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/vfio/interrupt_mask.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

namespace fulmar::backend::pcie {

class channel;

/// One reactor's queue at a drive, shared by the channels of the drive's namespaces; lives as long
/// as the drive's owner. Called on: that reactor, unless a member says otherwise.
class reactor_queue {
  public:
    static constexpr std::uint32_t reaps_per_turn = 128;
    static constexpr duration sweep_interval = std::chrono::milliseconds(100);
    /// After its Abort a command has this long, or the drive is reset.
    static constexpr duration abort_grace = std::chrono::seconds(1);

    explicit reactor_queue(engine::reactor& reactor) noexcept;
    reactor_queue(const reactor_queue&) = delete;
    reactor_queue& operator=(const reactor_queue&) = delete;

    [[nodiscard]] engine::reactor& reactor() const noexcept { return reactor_; }  ///< any thread
    progress_counters progress;                                                   ///< any thread

    void bind(queue_pair& fresh, const drive_view& fresh_view, int fd,
              vfio::interrupt_mask mask) noexcept;
    /// The drive can touch no memory any more: everything that was there is answered.
    void unbind() noexcept;

    // For channels.
    void join(channel& user);
    void leave(channel& user) noexcept;
    [[nodiscard]] queue_pair* queue() const noexcept { return queue_; }
    [[nodiscard]] const drive_view& view() const noexcept { return *view_; }
    /// Something goes to the drive: from now on somebody looks how long it takes.
    void watch_over() noexcept {
        if (!sweep_.armed()) arm_sweep();
    }
    void abort_all_of(const void* owner) noexcept;

  private:
    bool reap() noexcept;
    [[nodiscard]] bool has_completion() const noexcept;
    bool ring() noexcept;
    [[nodiscard]] bool must_ring() const noexcept;
    void pump() noexcept;
    void listen() noexcept;
    [[nodiscard]] bool arm_interrupt() noexcept;
    void disarm_interrupt() noexcept;
    void publish() noexcept;
    void arm_sweep() noexcept;
    void sweep() noexcept;
    void send_aborts() noexcept;
    void look_after_aborts() noexcept;

    engine::reactor& reactor_;
    queue_pair* queue_ = nullptr;  // null: no drive
    const drive_view* view_ = nullptr;
    int interrupt_fd_ = -1;
    vfio::interrupt_mask mask_;
    bool armed_ = false;
    std::array<std::uint32_t, std::tuple_size_v<decltype(progress_counters::aborts)>>
        abort_slots_{};  // of progress.aborts; only where there is something
    std::uint32_t aborts_asked_ = 0;
    std::vector<channel*> users_;
    std::size_t next_user_ = 0;  // whose turn it is to fill the queue
    engine::member_poller<&reactor_queue::reap, &reactor_queue::has_completion,
                          &reactor_queue::arm_interrupt, &reactor_queue::disarm_interrupt>
        reaper_{*this};
    engine::member_poller<&reactor_queue::ring, &reactor_queue::must_ring> bell_{*this};
    engine::member_timer<&reactor_queue::sweep> sweep_{*this};
    engine::descriptor_watch interrupt_;
};

/// Called on: owning reactor, all methods.
class channel final : public io_channel {
  public:
    static constexpr std::uint32_t job_count = 512;

    channel(reactor_queue& place, namespace_view& of);
    ~channel() override;
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    void submit(io_op& op) noexcept override;
    void abort(io_op& op) noexcept override;
    [[nodiscard]] std::optional<device_health> health() const noexcept override {
        return namespace_.health.read();
    }
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return outstanding_; }

    // For reactor_queue.
    void detached() noexcept;
    void pump() noexcept;
    [[nodiscard]] bool wants_room() const noexcept {
        return !waiting_.empty() || !unfinished_.empty();
    }
    static void command_ended(void* owner, nvme::status status) noexcept;

  private:
    /// An operation at the drive, in one or more commands.
    struct job {
        channel* owner = nullptr;
        io_op* op = nullptr;
        std::uint32_t issued = 0;  // blocks (of a deallocate: ranges) that are under way or done
        std::uint32_t total = 0;   // of those; 0 for what has none
        std::uint32_t range_block = 0;    // of a deallocate: how far in range `issued`
        write_ledger::epoch flushes = 0;  // what this flush makes durable
        std::uint32_t commands = 0;       // at the drive
        nvme::status failure{};           // of the first command that failed
        list_hook hook{};                 // in unfinished_
        job* next_free = nullptr;
    };
    using op_list = intrusive_list<io_op, &io_op::hook>;
    using job_list = intrusive_list<job, &job::hook>;
    [[nodiscard]] bool start(io_op& op) noexcept;
    [[nodiscard]] bool issue(job& j) noexcept;
    [[nodiscard]] bool issue_command(job& j, std::uint32_t slot) noexcept;
    [[nodiscard]] bool point_to_data(nvme::sqe& command, const io_op& op, std::uint64_t skip,
                                     std::uint64_t bytes, std::uint32_t slot) noexcept;
    void command_done(job& j, nvme::status status) noexcept;
    void end_if_done(job& j) noexcept;
    void settle(const job& j) noexcept;
    void give_up(job& j, nvme::status failure) noexcept;
    void fail_waiting() noexcept;

    reactor_queue& place_;
    namespace_view& namespace_;
    std::unique_ptr<job[]> jobs_;
    job* free_ = nullptr;
    op_list waiting_;      // no job, or no slot for a first command
    job_list unfinished_;  // begun, with commands still to come
    std::uint32_t outstanding_ = 0;
};

}  // namespace fulmar::backend::pcie
