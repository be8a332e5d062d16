// The verbs of one NVMe/RDMA queue of a host: identifier, queue pair, completion queue, registered
// memory. Everything that librdmacm and libibverbs give back goes back with it.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/deadline.hpp>
#include <fulmar/host/endpoint.hpp>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace fulmar::host {

/// Memory that the device may use, and the target too by key(). One thread.
class registered_memory {
  public:
    registered_memory() = default;
    registered_memory(registered_memory&& other) noexcept { swap(other); }
    registered_memory& operator=(registered_memory&& other) noexcept {
        registered_memory(std::move(other)).swap(*this);  // the old one goes as a whole, in order
        return *this;
    }
    ~registered_memory() = default;
    /// Errors: no_memory.
    static result<registered_memory> create(ibv_pd* domain, std::size_t bytes);
    [[nodiscard]] std::span<std::byte> all() const noexcept { return {bytes_.get(), size_}; }
    [[nodiscard]] std::uint32_t local_key() const noexcept { return region_->lkey; }
    [[nodiscard]] std::uint32_t remote_key() const noexcept { return region_->rkey; }

  private:
    void swap(registered_memory& other) noexcept {
        std::swap(bytes_, other.bytes_);
        std::swap(size_, other.size_);
        std::swap(region_, other.region_);
    }

    struct region_end {
        void operator()(ibv_mr* m) const noexcept { ::ibv_dereg_mr(m); }
    };
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
    std::unique_ptr<ibv_mr, region_end> region_;  // goes before the memory
};

struct rdma_wire_options {
    std::uint16_t qid = 0;
    std::uint32_t entries = 32;  ///< of the submission queue
};

/// One thread.
class rdma_wire {
  public:
    /// Resolves, connects, and waits until the target accepts; blocks until `until`.
    /// Errors: not_found; unavailable (no RDMA device, nobody listens, rejected with a reason);
    /// timed_out; no_memory.
    static result<std::unique_ptr<rdma_wire>> connect(const endpoint& to,
                                                      const rdma_wire_options& options,
                                                      const deadline& until);
    ~rdma_wire();
    rdma_wire(const rdma_wire&) = delete;
    rdma_wire& operator=(const rdma_wire&) = delete;

    [[nodiscard]] ibv_pd* domain() noexcept { return id_->pd; }
    [[nodiscard]] bool post_receive(const registered_memory& memory, std::span<std::byte> into,
                                    std::uint64_t tag) noexcept;
    [[nodiscard]] bool post_send(const registered_memory& memory, std::span<const std::byte> from,
                                 std::uint64_t tag) noexcept;
    /// How many; negative: broken.
    int poll(std::span<ibv_wc> into) noexcept {
        return ::ibv_poll_cq(queue_.get(), static_cast<int>(into.size()), into.data());
    }
    /// Ends the connection: from here on the device touches nothing.
    void stop() noexcept;
    /// True once the connection manager has said that it is over.
    [[nodiscard]] bool ended() noexcept;
    /// Waits for a completion or for the end; may come back early.
    void wait(const deadline& until) noexcept;

  private:
    rdma_wire() = default;
    result<rdma_cm_event_type> next_event(const deadline& until, std::string& why);
    result<void> expect(rdma_cm_event_type wanted, const deadline& until);
    result<void> build(const rdma_wire_options& options);

    struct channel_end {
        void operator()(rdma_event_channel* c) const noexcept { ::rdma_destroy_event_channel(c); }
    };
    struct id_end {
        void operator()(rdma_cm_id* i) const noexcept { ::rdma_destroy_id(i); }
    };
    struct completion_channel_end {
        void operator()(ibv_comp_channel* c) const noexcept { ::ibv_destroy_comp_channel(c); }
    };
    struct queue_end {
        void operator()(ibv_cq* q) const noexcept { ::ibv_destroy_cq(q); }
    };
    endpoint to_;
    std::unique_ptr<rdma_event_channel, channel_end> channel_;
    std::unique_ptr<rdma_cm_id, id_end> id_;
    std::unique_ptr<ibv_comp_channel, completion_channel_end> completions_;
    std::unique_ptr<ibv_cq, queue_end> queue_;
    bool has_queue_pair_ = false;
    bool ended_ = false;
};

}  // namespace fulmar::host
