// The loopback connections of one data reactor.
#pragma once

#include "common/connection_set.hpp"
#include "common/turn_list.hpp"
#include "loopback_qpair.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/member_adapters.hpp>

namespace fulmar::transport::loopback {

/// Called on: owning reactor, all methods.
class loopback_group final : public core::transport_group {
  public:
    explicit loopback_group(core::poll_group& group);
    ~loopback_group() override;

    void adopt(accepted_host from) noexcept;
    void has_input(loopback_qpair& q) noexcept { input_.add(q); }
    void needs_flush(loopback_qpair& q) noexcept { connections_.needs_flush(q); }
    void needs_deadlines() noexcept { connections_.needs_deadlines(); }
    void retire(loopback_qpair& q) noexcept;

    [[nodiscard]] core::poll_group& group() noexcept { return group_; }
    [[nodiscard]] engine::reactor& reactor() noexcept { return group_.reactor(); }

  private:
    bool receive_all() noexcept {
        return input_.visit_all([](loopback_qpair& q) { return q.receive(); });
    }
    [[nodiscard]] bool may_receive() const noexcept { return !input_.empty(); }

    core::poll_group& group_;
    engine::member_poller<&loopback_group::receive_all, &loopback_group::may_receive> receiver_{
        *this};
    common::turn_list<loopback_qpair, &loopback_qpair::input_hook> input_;
    common::connection_set<loopback_qpair> connections_;
};

}  // namespace fulmar::transport::loopback
