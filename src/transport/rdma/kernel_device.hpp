// An RDMA device through libibverbs.
#pragma once

#include "verbs.hpp"

#include <fulmar/base/unique_fd.hpp>

#include <infiniband/verbs.h>

#include <cstdint>
#include <memory>

namespace fulmar::transport::rdma {

/// Called on: control reactor, but for what verbs.hpp says of the parts.
class kernel_device final : public device {
  public:
    /// `context` is the connection manager library's, which opened it and closes it.
    static fulmar::result<std::unique_ptr<kernel_device>> create(ibv_context* context,
                                                                 std::uint8_t port);
    ~kernel_device() override;

    [[nodiscard]] const device_facts& facts() const noexcept override { return facts_; }
    fulmar::result<std::unique_ptr<memory_region>> register_memory(
        std::span<std::byte> memory) override;
    fulmar::result<std::unique_ptr<completion_queue>> create_completion_queue(std::uint32_t entries,
                                                                              void* owner) override;
    fulmar::result<std::unique_ptr<shared_receive_queue>> create_shared_receive_queue(
        std::uint32_t receives, void* owner) override;
    [[nodiscard]] int descriptor() const noexcept override { return context_->async_fd; }
    bool next_event(device_event& into) noexcept override;
    [[nodiscard]] bool present() const noexcept override;

    [[nodiscard]] ibv_context* context() noexcept { return context_; }
    [[nodiscard]] ibv_pd* domain() noexcept { return domain_.get(); }
    [[nodiscard]] static ibv_cq* handle(completion_queue& q) noexcept;
    [[nodiscard]] static ibv_srq* handle(shared_receive_queue& q) noexcept;
    /// Its last act: the kernel's hold on this process ends, though the connection manager's
    /// library keeps the context open until it happens to look at its list of devices.
    void abandon() noexcept;

  private:
    explicit kernel_device(ibv_context* context) noexcept : context_(context) {}
    fulmar::result<void> learn(std::uint8_t port);

    struct domain_end {
        void operator()(ibv_pd* d) const noexcept { ::ibv_dealloc_pd(d); }
    };
    ibv_context* context_;
    device_facts facts_;
    std::unique_ptr<ibv_pd, domain_end> domain_;
};

}  // namespace fulmar::transport::rdma
