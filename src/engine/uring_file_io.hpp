// The ring of one reactor. Two pollers: completions are reaped early in the turn, submissions leave
// in one system call after everybody has had his say. Owning reactor only. Must never block, and
// never lose an operation.
#pragma once

#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/uring_file_io.hpp>

#include <liburing.h>

#include <memory>

namespace fulmar::engine {

class uring_file_io final : public file_io {
  public:
    /// Called on: `r`'s thread (the kernel binds the ring to it).  Errors: not_supported;
    /// no_memory.
    static result<std::unique_ptr<uring_file_io>> create(reactor& r, const uring_options& options);
    /// Called on: `r`'s thread, or any after that has ended. Nothing is outstanding.
    ~uring_file_io() override;
    uring_file_io(const uring_file_io&) = delete;
    uring_file_io& operator=(const uring_file_io&) = delete;

    void submit(file_op& op) noexcept override;
    void cancel(file_op& op) noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override {
        return at_kernel_ + queued_count_;
    }

    /// The setup flags that the kernel accepted.
    [[nodiscard]] unsigned flags() const noexcept { return ring_.flags; }
    /// What a submission that failed for good would do: everything that is not at the kernel is
    /// answered with -EIO, now and later.
    void give_up_for_test() noexcept { broken_ = EIO; }

  private:
    using op_list = intrusive_list<file_op, &file_op::hook>;

    uring_file_io(reactor& r, std::uint32_t most) noexcept : reactor_(r), most_(most) {}
    result<void> hang_bell() noexcept;
    void silence() noexcept;
    bool poll_completions() noexcept { return at_kernel_ != 0 && reap(); }
    [[nodiscard]] bool may_reap() const noexcept { return at_kernel_ != 0 && completions_wait(); }
    bool arm_bell() noexcept;
    void disarm_bell() noexcept;
    bool reap() noexcept;
    bool flush() noexcept;
    bool fail_queued() noexcept;
    void prepare(io_uring_sqe& sqe, file_op& op) const noexcept;
    void completed(file_op& op, int res) noexcept;
    void enqueue(file_op& op) noexcept;
    [[nodiscard]] bool completions_wait() const noexcept;
    [[nodiscard]] bool can_flush() const noexcept;

    reactor& reactor_;
    std::uint32_t most_;
    io_uring ring_{};
    op_list queued_;  // not in the ring yet
    std::uint32_t queued_count_ = 0;
    std::uint32_t at_kernel_ = 0;  // in the ring: submitted, or about to be
    int broken_ = 0;               // errno of a submission that failed for good
    member_poller<&uring_file_io::poll_completions, &uring_file_io::may_reap,
                  &uring_file_io::arm_bell, &uring_file_io::disarm_bell>
        reaper_{*this};
    member_poller<&uring_file_io::flush, &uring_file_io::can_flush> submitter_{*this};
    unique_fd bell_;  // the kernel rings it for a completion, while the reactor sleeps
    member_watch<&uring_file_io::silence> watch_{*this};
};

}  // namespace fulmar::engine
