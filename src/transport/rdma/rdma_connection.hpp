// One connection as both sides know it: the control reactor has identifier, queue pair and state,
// the data reactor has the requests; the messages between them are part of it, so that telling
// cannot fail. It is made and destroyed on the control reactor.
#pragma once

#include "common/listener_counters.hpp"
#include "connection_states.hpp"
#include "group_device.hpp"
#include "registered_slots.hpp"
#include "transfer.hpp"
#include "verbs.hpp"

#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::transport::rdma {

class rdma_control;
class rdma_group;
class rdma_qpair;
struct device_part;
struct open_device;

/// Called on: see the members. What is not marked never changes after creation.
class rdma_connection final : public identifier_owner {
  public:
    rdma_connection(const identifier& from, open_device& on, const queue_shape& asked,
                    std::shared_ptr<common::listener_counters> counted);
    rdma_connection(const rdma_connection&) = delete;
    rdma_connection& operator=(const rdma_connection&) = delete;
    ~rdma_connection();
    /// A note of it is in a mailbox.
    [[nodiscard]] bool has_notes() const noexcept;

    const queue_shape shape;
    const std::shared_ptr<common::listener_counters> counters;
    const std::string peer;
    const std::string local;
    const std::uint32_t incarnation;
    std::shared_ptr<core::connection_ticket> ticket;  ///< its place at the listener
    std::uint32_t send_work = 0;
    std::uint32_t receive_work = 0;  ///< receives of its own; 0: they are shared
    transfer_limits read_limits;
    transfer_limits write_limits;
    group_device* resources = nullptr;
    rdma_group* group = nullptr;
    registered_slots receives;       ///< when they are not shared
    std::unique_ptr<identifier> id;  ///< the control reactor's
    /// Posting: data reactor. Everything else: control reactor.
    std::unique_ptr<queue_pair> wire;

    // The control reactor's.
    rdma_control& control;
    open_device* where;           ///< until it is released
    device_part* part = nullptr;  ///< likewise
    connection_state state = connection_state::offered;
    bool peer_told = false;          ///< the poll group has been told that it ends
    bool last_receive_told = false;  ///< … that nothing more is received
    bool stopped = false;            ///< the poll group has stopped: it posts nothing more
    list_hook control_hook{};
    void on_flush_deadline() noexcept;
    engine::member_timer<&rdma_connection::on_flush_deadline> flush_deadline{*this};

    // The data reactor's.
    rdma_qpair* queue = nullptr;
    bool refused = false;  ///< the answer to `arrive`

    // What one side tells the other, each posted at most once. To the data reactor:
    void on_arrive() noexcept;
    void on_peer_gone() noexcept;
    void on_last_receive() noexcept;
    void on_give_up() noexcept;
    void on_released() noexcept;
    engine::member_message<&rdma_connection::on_arrive> arrive{*this};
    engine::member_message<&rdma_connection::on_peer_gone> peer_gone{*this};
    engine::member_message<&rdma_connection::on_last_receive> last_receive{*this};
    engine::member_message<&rdma_connection::on_give_up> give_up{*this};
    engine::member_message<&rdma_connection::on_released> released{*this};
    // To the control reactor:
    void on_answered() noexcept;
    void on_wants_end() noexcept;
    void on_reaped() noexcept;
    void on_let_go() noexcept;
    engine::member_message<&rdma_connection::on_answered> answered{*this};
    engine::member_message<&rdma_connection::on_wants_end> wants_end{*this};
    engine::member_message<&rdma_connection::on_reaped> reaped{*this};
    engine::member_message<&rdma_connection::on_let_go> let_go{*this};
};

}  // namespace fulmar::transport::rdma
