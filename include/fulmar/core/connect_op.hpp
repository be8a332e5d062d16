// A Connect on its way: from its qpair's reactor to the control reactor, to the controller's home,
// and back. One per qpair, embedded in it. Each hop names the reactor that it runs on.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/core/connect_refusal.hpp>
#include <fulmar/core/controller_instance.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace fulmar::core {

class controller;
class qpair;
class poll_group;
struct queue_counters;
struct queue_slot;

/// Called on: the reactor that holds the message.
class connect_op : public engine::message {
  public:
    explicit connect_op(qpair& owner) noexcept;

    qpair* owner;
    nvme::connect_command command{};
    std::unique_ptr<nvme::connect_data> data;  ///< null: none has come
    subsystem_id
        subsystem{};  ///< as resolved on the qpair's reactor; stale ones are refused further on
    poll_group* group = nullptr;  ///< the qpair's
    poll_group* home = nullptr;   ///< the controller's
    controller* found = nullptr;
    cntlid assigned{};
    controller_instance instance{};  ///< of `assigned`
    nvme::status status{};
    std::uint32_t dw0 = 0;
    connect_refusal why{};    ///< when `status` is no success
    bool must_prove = false;  ///< its host has a key: until it has shown it, the queue is unproven
    bool proves = false;  ///< the Connect is over, and its host has shown its key: it takes place
    std::uint32_t place = 0;  ///< of the queue in its controller (controller::slot)
    bool in_flight = false;   ///< away from the qpair's reactor, which alone looks at it
    bool parked = false;      ///< waits on the qpair's reactor for its subsystem
    bool registered = false;  ///< the home reactor counts the qpair in
    bool made_room = false;   ///< a controller of another host was asked to give way
    bool wait = false;  ///< the control reactor says: the subsystem is in transition, wait for it
    instant
        wait_until{};  ///< when its waiting ends, however often it is interrupted; zero: not begun
    queue_counters* counters = nullptr;  ///< once registered
    queue_slot* behind =
        nullptr;  ///< at the home reactor: waits for the former queue of that number to leave
    instant at_home_since{};
    std::uint32_t keep_alive_ms = 0;  ///< of the controller, as the home reactor knows it
    /// Its waiting is over.
    void on_wait_over() noexcept;
    engine::member_timer<&connect_op::on_wait_over> deadline{*this};
    list_hook parked_hook{};

    /// `status`, `dw0` and `why` of a refusal after which the host may try again.
    void refuse_for_now(connect_refusal reason, const nvme::invalid_parameter& which) noexcept;
    /// The same of a host that is not allowed: for good, unless nobody knows who is.
    void refuse_host(bool list_is_broken) noexcept;

    /// Likewise of its keys: for good only when it has none.
    void refuse_for_keys(connect_refusal reason) noexcept;

    /// The same of what its connection is encrypted with: for good, unless it may get better when
    /// the configuration does.
    void refuse_for_channel(connect_refusal reason) noexcept;

    [[nodiscard]] std::string_view host_nqn() const noexcept;
    [[nodiscard]] std::string_view subsystem_nqn() const noexcept;

    /// Sends this message to `to`, whose reactor then runs `step`. Called on: the qpair's reactor.
    void depart(engine::reactor& to, handler step) noexcept;
    /// The same from any other reactor: on, or home.
    void hop(engine::reactor& to, handler step) noexcept;
};

}  // namespace fulmar::core
