// The loopback connections of one data reactor.
#pragma once

#include "loopback_qpair.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/timer_wheel.hpp>

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
    struct receive_poller final : engine::poller {
        explicit receive_poller(loopback_group& g) noexcept : owner(g) {}
        bool poll() noexcept override { return owner.receive_all(); }
        bool has_work() noexcept override { return !owner.input_.empty(); }
        loopback_group& owner;
    };
    struct flush_poller final : engine::poller {
        explicit flush_poller(loopback_group& g) noexcept : owner(g) {}
        bool poll() noexcept override { return owner.flush_all(); }
        bool has_work() noexcept override {
            return !owner.flush_.empty() || !owner.retired_.empty();
        }
        loopback_group& owner;
    };
    bool receive_all() noexcept;
    bool flush_all() noexcept;
    static void on_deadlines(engine::timer& t) noexcept;

    core::poll_group& group_;
    receive_poller receiver_;
    flush_poller flusher_;
    intrusive_list<loopback_qpair, &loopback_qpair::group_hook> all_;
    intrusive_list<loopback_qpair, &loopback_qpair::input_hook> input_;
    intrusive_list<loopback_qpair, &loopback_qpair::flush_hook> flush_;
    intrusive_list<loopback_qpair, &loopback_qpair::group_hook> retired_;
    struct deadline_timer : engine::timer {
        explicit deadline_timer(loopback_group& g) noexcept
            : timer(&loopback_group::on_deadlines), owner(&g) {}
        loopback_group* owner;
    };
    deadline_timer deadlines_;
};

}  // namespace fulmar::transport::loopback
