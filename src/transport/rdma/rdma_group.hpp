// The RDMA connections of one data reactor, and the completion queues that feed them.
#pragma once

#include "common/connection_set.hpp"
#include "common/turn_list.hpp"
#include "rdma_qpair.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/member_adapters.hpp>

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

namespace fulmar::transport::rdma {

/// Called on: owning reactor, all methods.
class rdma_group final : public core::transport_group {
  public:
    explicit rdma_group(core::poll_group& group);
    ~rdma_group() override;

    /// Builds the connection's end here; its answer is the connection's `answered`.
    void adopt(rdma_connection& c) noexcept;
    /// The device is going: nothing of it is polled any more.
    void detach(group_device& d) noexcept;
    void has_input(rdma_qpair& q) noexcept { input_.add(q); }
    void needs_flush(rdma_qpair& q) noexcept { connections_.needs_flush(q); }
    void needs_deadlines() noexcept { connections_.needs_deadlines(); }
    /// Its capsules wait for a buffer, and keep their receive slots meanwhile.
    void is_blocked(rdma_qpair& q) noexcept;
    void is_blocked_no_more(rdma_qpair& q) noexcept;
    /// It is looked at every turn until its namespace may have more.
    void waits_for_share(rdma_qpair& q) noexcept { short_.push_back(q); }
    /// Destroyed at the end of the turn.
    void retire(rdma_qpair& q) noexcept;

    [[nodiscard]] core::poll_group& group() noexcept { return group_; }
    [[nodiscard]] engine::reactor& reactor() noexcept { return group_.reactor(); }

    /// Scratch for one post.
    struct work_scratch {
        std::array<ibv_send_wr, bounds::work_per_post> work;
        std::array<ibv_sge, bounds::work_per_post * bounds::work_pieces> pieces;
        std::array<iovec, limits::max_chunks_per_request> vectors;
    };
    [[nodiscard]] work_scratch& scratch() noexcept { return scratch_; }

  private:
    bool reap_all() noexcept;
    bool has_completions() noexcept;
    bool arm_all() noexcept;
    void attach(group_device& d) noexcept;
    void look_for_stalls() noexcept;
    bool retry_shares() noexcept;

    core::poll_group& group_;
    engine::member_poller<&rdma_group::reap_all, &rdma_group::has_completions, &rdma_group::arm_all>
        reaper_{*this};
    work_scratch scratch_;
    intrusive_list<group_device, &group_device::group_hook> devices_;
    common::turn_list<rdma_qpair, &rdma_qpair::input_hook> input_;
    common::connection_set<rdma_qpair> connections_;
    intrusive_list<rdma_qpair, &rdma_qpair::blocked_hook> blocked_;
    intrusive_list<rdma_qpair, &rdma_qpair::share_hook> short_;
    engine::member_timer<&rdma_group::look_for_stalls> stalls_{*this};
};

}  // namespace fulmar::transport::rdma
