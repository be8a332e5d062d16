// The loopback connections of one data reactor.
#pragma once

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

    void adopt(arrival from) noexcept;
    void has_input(loopback_qpair& q) noexcept;
    void needs_flush(loopback_qpair& q) noexcept;
    void needs_deadlines() noexcept;
    void retire(loopback_qpair& q) noexcept;

    [[nodiscard]] core::poll_group& group() noexcept { return group_; }
    [[nodiscard]] engine::reactor& reactor() noexcept { return group_.reactor(); }

  private:
    bool receive_all() noexcept;
    [[nodiscard]] bool may_receive() const noexcept { return !input_.empty(); }
    bool flush_all() noexcept;
    [[nodiscard]] bool has_flush() const noexcept { return !flush_.empty() || !retired_.empty(); }
    void on_deadlines() noexcept;

    core::poll_group& group_;
    engine::member_poller<&loopback_group::receive_all, &loopback_group::may_receive> receiver_{
        *this};
    engine::member_poller<&loopback_group::flush_all, &loopback_group::has_flush> flusher_{*this};
    intrusive_list<loopback_qpair, &loopback_qpair::group_hook> all_;
    intrusive_list<loopback_qpair, &loopback_qpair::input_hook> input_;
    intrusive_list<loopback_qpair, &loopback_qpair::flush_hook> flush_;
    intrusive_list<loopback_qpair, &loopback_qpair::group_hook> retired_;
    engine::member_timer<&loopback_group::on_deadlines> deadlines_{*this};
};

}  // namespace fulmar::transport::loopback
