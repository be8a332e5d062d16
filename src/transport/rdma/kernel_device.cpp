#include "kernel_device.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fulmar::transport::rdma {

namespace {

struct region_end {
    void operator()(ibv_mr* m) const noexcept { ::ibv_dereg_mr(m); }
};
struct completion_channel_end {
    void operator()(ibv_comp_channel* c) const noexcept { ::ibv_destroy_comp_channel(c); }
};
struct queue_end {
    void operator()(ibv_cq* q) const noexcept { ::ibv_destroy_cq(q); }
};
struct shared_end {
    void operator()(ibv_srq* q) const noexcept { ::ibv_destroy_srq(q); }
};

class kernel_region final : public memory_region {
  public:
    explicit kernel_region(ibv_mr* m) noexcept : region_(m) {}
    [[nodiscard]] std::uint32_t key() const noexcept override { return region_->lkey; }

  private:
    std::unique_ptr<ibv_mr, region_end> region_;
};

class kernel_completions final : public completion_queue {
  public:
    using channel_ptr = std::unique_ptr<ibv_comp_channel, completion_channel_end>;
    kernel_completions(channel_ptr channel, ibv_cq* queue) noexcept
        : channel_(std::move(channel)), queue_(queue) {}

    int poll(std::span<ibv_wc> into) noexcept override {
        return ::ibv_poll_cq(queue_.get(), static_cast<int>(into.size()), into.data());
    }
    bool arm() noexcept override { return ::ibv_req_notify_cq(queue_.get(), 0) == 0; }
    [[nodiscard]] int descriptor() const noexcept override { return channel_->fd; }
    void take_events() noexcept override {
        ibv_cq* which = nullptr;
        void* context = nullptr;
        unsigned count = 0;
        while (::ibv_get_cq_event(channel_.get(), &which, &context) == 0) ++count;
        // A queue is not destroyed before every event of it is acknowledged.
        if (count != 0) ::ibv_ack_cq_events(queue_.get(), count);
    }

    [[nodiscard]] ibv_cq* get() noexcept { return queue_.get(); }

  private:
    channel_ptr channel_;  // goes after the queue that uses it
    std::unique_ptr<ibv_cq, queue_end> queue_;
};

class kernel_shared_receives final : public shared_receive_queue {
  public:
    explicit kernel_shared_receives(ibv_srq* q) noexcept : queue_(q) {}
    int post(ibv_recv_wr& one) noexcept override {
        ibv_recv_wr* bad = nullptr;
        return ::ibv_post_srq_recv(queue_.get(), &one, &bad);
    }
    [[nodiscard]] ibv_srq* get() noexcept { return queue_.get(); }

  private:
    std::unique_ptr<ibv_srq, shared_end> queue_;
};

bool set_nonblocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

std::uint32_t positive(int value) noexcept {
    return value > 0 ? static_cast<std::uint32_t>(value) : 0;
}
std::uint8_t clamp_8(int value) noexcept {
    return static_cast<std::uint8_t>(std::clamp(value, 0, 0xff));
}

}  // namespace

// Whoever has a kernel device has its queues, and no others.
ibv_cq* kernel_device::handle(completion_queue& q) noexcept {
    return static_cast<kernel_completions&>(q).get();
}
ibv_srq* kernel_device::handle(shared_receive_queue& q) noexcept {
    return static_cast<kernel_shared_receives&>(q).get();
}

fulmar::result<std::unique_ptr<kernel_device>> kernel_device::create(ibv_context* context,
                                                                     std::uint8_t port) {
    std::unique_ptr<kernel_device> made(new kernel_device(context));
    FULMAR_CHECK(made->learn(port));
    return made;
}

kernel_device::~kernel_device() = default;

fulmar::result<void> kernel_device::learn(std::uint8_t port) {
    facts_.name = ::ibv_get_device_name(context_->device);
    ibv_device_attr a{};
    if (const int e = ::ibv_query_device(context_, &a); e != 0)
        return fail_errno("cannot ask the RDMA device what it can do", e, facts_.name);
    ibv_port_attr p{};
    facts_.max_message_bytes =
        ::ibv_query_port(context_, port, &p) == 0 && p.max_msg_sz != 0 ? p.max_msg_sz : 4096;
    facts_.max_completions = positive(a.max_cqe);
    facts_.max_work = positive(a.max_qp_wr);
    facts_.max_pieces = std::max(positive(a.max_sge), 1u);
    facts_.max_read_pieces = std::max(positive(a.max_sge_rd), 1u);
    facts_.max_shared_receives = a.max_srq > 0 && a.max_srq_sge > 0 ? positive(a.max_srq_wr) : 0;
    facts_.max_read_depth = clamp_8(a.max_qp_init_rd_atom);
    facts_.max_read_served = clamp_8(a.max_qp_rd_atom);
    facts_.reads_by_remote_write = context_->device->transport_type == IBV_TRANSPORT_IWARP;
    facts_.sends_with_invalidate = (a.device_cap_flags & IBV_DEVICE_MEM_MGT_EXTENSIONS) != 0;
    if (!set_nonblocking(context_->async_fd))
        return fail_errno("cannot watch the RDMA device", errno, facts_.name);
    domain_.reset(::ibv_alloc_pd(context_));
    if (domain_ == nullptr)
        return fail_errno("cannot make a protection domain", errno, facts_.name);
    return {};
}

fulmar::result<std::unique_ptr<memory_region>> kernel_device::register_memory(
    std::span<std::byte> memory) {
    // Data from hosts arrives as the answer to our own READs: local access is all that it takes.
    constexpr int access = IBV_ACCESS_LOCAL_WRITE;
    ibv_mr* m = ::ibv_reg_mr(domain_.get(), memory.data(), memory.size(), access);
    if (m == nullptr)
        return fail_errno(
            fmt::format("cannot register {} KiB with the RDMA device", memory.size() >> 10), errno,
            facts_.name, errno == ENOMEM ? "raise the limit of locked memory (LimitMEMLOCK)" : "");
    return std::make_unique<kernel_region>(m);
}

fulmar::result<std::unique_ptr<completion_queue>> kernel_device::create_completion_queue(
    std::uint32_t entries, void* owner) {
    kernel_completions::channel_ptr channel(::ibv_create_comp_channel(context_));
    if (channel == nullptr || !set_nonblocking(channel->fd))
        return fail_errno("cannot make a completion channel", errno, facts_.name);
    ibv_cq* queue = ::ibv_create_cq(context_, static_cast<int>(entries), owner, channel.get(), 0);
    if (queue == nullptr)
        return fail_errno(fmt::format("cannot make a completion queue of {} entries", entries),
                          errno, facts_.name);
    return std::make_unique<kernel_completions>(std::move(channel), queue);
}

fulmar::result<std::unique_ptr<shared_receive_queue>> kernel_device::create_shared_receive_queue(
    std::uint32_t receives, void* owner) {
    ibv_srq_init_attr wants{};
    wants.srq_context = owner;
    wants.attr.max_wr = receives;
    wants.attr.max_sge = 1;
    ibv_srq* queue = ::ibv_create_srq(domain_.get(), &wants);
    if (queue == nullptr)
        return fail_errno(fmt::format("cannot make a shared receive queue of {}", receives), errno,
                          facts_.name);
    return std::make_unique<kernel_shared_receives>(queue);
}

bool kernel_device::next_event(device_event& into) noexcept {
    ibv_async_event e{};
    if (::ibv_get_async_event(context_, &e) != 0) return false;
    into = {};
    into.text = ::ibv_event_type_str(e.event_type);
    const auto of_queue_pair = [&](device_event::kind what) {
        into.what = what;
        into.owner = e.element.qp->qp_context;
    };
    switch (e.event_type) {
        case IBV_EVENT_QP_FATAL:
        case IBV_EVENT_QP_REQ_ERR:
        case IBV_EVENT_QP_ACCESS_ERR: of_queue_pair(device_event::kind::queue_pair_broken); break;
        case IBV_EVENT_QP_LAST_WQE_REACHED: of_queue_pair(device_event::kind::last_receive); break;
        case IBV_EVENT_COMM_EST:
            of_queue_pair(device_event::kind::communication_established);
            break;
        case IBV_EVENT_CQ_ERR:
            into.what = device_event::kind::completions_broken;
            into.owner = e.element.cq->cq_context;
            break;
        case IBV_EVENT_SRQ_ERR:
            into.what = device_event::kind::receives_broken;
            into.owner = e.element.srq->srq_context;
            break;
        case IBV_EVENT_PORT_ACTIVE:
        case IBV_EVENT_PORT_ERR: into.what = device_event::kind::port_changed; break;
        case IBV_EVENT_DEVICE_FATAL: into.what = device_event::kind::device_gone; break;
        default: break;
    }
    ::ibv_ack_async_event(&e);
    return true;
}

// The kernel takes the character device's folder away before it waits for its users.
bool kernel_device::present() const noexcept {
    return ::access(context_->device->dev_path, F_OK) == 0;
}

// Closing is not ours to do: the library would close the same numbers again. The files behind them
// can be exchanged for one that nobody waits for.
void kernel_device::abandon() noexcept {
    domain_.reset();
    const unique_fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!nothing) return;
    ::dup3(nothing.get(), context_->async_fd, O_CLOEXEC);
    ::dup3(nothing.get(), context_->cmd_fd, O_CLOEXEC);
}

}  // namespace fulmar::transport::rdma
