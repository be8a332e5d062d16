// What the control reactor asks of one poll group, and the group's ack. One node per poll group and
// subsystem, reused for one operation after the other: operations of a subsystem are serialised, so
// nothing is allocated to tear it down.
#pragma once

#include <fulmar/core/controller_instance.hpp>
#include <fulmar/core/description.hpp>
#include <fulmar/core/group_action.hpp>
#include <fulmar/core/namespace_gauge.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/reactor.hpp>

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fulmar::core {

class poll_group;
struct reservation_outcome;

/// Owned by the control reactor while `busy` is false, by the poll group while it is true.
/// Called on: its owner.
struct group_command : engine::message {
    group_command() noexcept;

    std::uint32_t index = 0;  ///< of the poll group, from 0
    poll_group* group = nullptr;
    engine::reactor* control = nullptr;  ///< where the ack goes
    void* owner = nullptr;               ///< the state change that waits for the ack
    void (*acknowledged)(group_command&) noexcept = nullptr;  ///< called on the control reactor
    bool busy = false;

    /// Control reactor: sends the command to its group.
    void send() noexcept;
    /// Data reactor: sends it back; then `acknowledged` runs.
    void reply() noexcept;

    group_action action = group_action::none;
    std::uint64_t transition = 0;  ///< echoed in the ack; a stale one is dropped
    subsystem_id subsystem{};
    namespace_id ns{};
    subsystem_view view;
    backend::device* device = nullptr;
    std::string_view subject{};   ///< expel_hosts: which one, or empty; the owner keeps it alive
    controller_instance ended{};  ///< end_controller: which one
    namespace_gauge* gauge = nullptr;  ///< attach_namespace: where its numbers are shown
    const reservation_outcome* adopted =
        nullptr;           ///< a reservation: whom it concerns is told; the owner keeps it alive
    bool flushes = false;  ///< drain_namespace: what has landed is made durable before the ack
    std::uint32_t ana_group = 0;  ///< change_access: every namespace in it, where `ns` is none
    std::vector<std::uint32_t> changed_namespaces;  ///< NSIDs whose attributes changed

    bool succeeded = true;
    std::string_view failure{};  ///< static text
    std::uint32_t unreaped = 0;  ///< operations that were given up and are at a backend still
    std::atomic<std::uint32_t> waiting_for{
        0};  ///< requests, qpairs or controllers still there; a hint for people
};

/// "Your deadline has passed": whatever the group's command on this subsystem still waits for is
/// given up. Comes home, so that its owner knows when nobody looks at it any more.
/// Called on: control reactor; handled on the group's.
struct escalate_command : engine::message {
    escalate_command() noexcept;
    poll_group* group = nullptr;
    engine::reactor* control = nullptr;
    void* owner = nullptr;
    void (*returned)(escalate_command&) noexcept = nullptr;  ///< called on the control reactor
    bool away = false;
    subsystem_id subsystem{};
    std::uint64_t transition = 0;

    /// Control reactor.
    void send() noexcept;
};

}  // namespace fulmar::core
