// What the control reactor asks of one poll group, and the group's ack. One node per poll group and
// subsystem, reused for one operation after the other: operations of a subsystem are serialised, so
// nothing is allocated to tear it down.
#pragma once

#include <fulmar/core/description.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/reactor.hpp>

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fulmar::core {

class poll_group;

enum class group_action : std::uint8_t {
    none,
    add_subsystem,     ///< build the subsystem group and its namespaces, gates closed
    open_subsystem,    ///< gates open, parked requests replayed, parked Connects go on
    fence_subsystem,   ///< gates fenced; done when nothing is at the backends
    close_subsystem,   ///< gates closed, everything parked is answered, connections end; done when
                       ///< all are gone
    remove_subsystem,  ///< forget it
    attach_namespace,  ///< open a channel and the gate; tell the hosts
    fence_namespace,   ///< one gate fenced; done when nothing of it is at the backend
    open_namespace,    ///< one gate open again
    detach_namespace,  ///< gate closed, parked I/O answered, hosts told; done when nothing is at
                       ///< the backend
    lose_namespace,    ///< the device is gone: gate closed, everything answered; done at once
    update_view,       ///< hosts, ANA states, sizes: replace the description and tell the hosts
    expel_host,        ///< end the controllers of one host; done when they are gone
};
[[nodiscard]] std::string_view to_string(group_action action) noexcept;

/// Owned by the control reactor while `busy` is false, by the poll group while it is true.
/// Called on: its owner.
struct group_command : engine::message {
    group_command() noexcept;

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
    std::string_view subject{};     ///< host NQN, or listener name; the owner keeps it alive
    std::uint64_t changed_ana = 0;  ///< update_view: tell hosts that the ANA log changed
    std::vector<std::uint32_t> changed_namespaces;  ///< NSIDs whose attributes changed

    bool succeeded = true;
    std::string_view failure{};  ///< static text
    std::atomic<std::uint32_t> waiting_for{
        0};  ///< requests, qpairs or controllers still there; a hint for people
};

/// "Your deadline has passed": whatever the group's command on this subsystem still waits for is
/// given up.
struct escalate_command : engine::message {
    escalate_command() noexcept;
    poll_group* group = nullptr;
    subsystem_id subsystem{};
    std::uint64_t transition = 0;
};

}  // namespace fulmar::core
