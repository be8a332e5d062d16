// What the control reactor can ask of a poll group.
#pragma once

#include <cstdint>
#include <string_view>

namespace fulmar::core {

enum class group_action : std::uint8_t {
    none,
    add_subsystem,      ///< build the subsystem group and its namespaces, gates closed
    open_subsystem,     ///< gates open, parked requests replayed, parked Connects go on
    quiesce_subsystem,  ///< gates quiesced; done when nothing is at the backends
    close_subsystem,    ///< gates closed, everything parked is answered, connections end; done when
                        ///< all are gone
    remove_subsystem,   ///< forget it
    attach_namespace,   ///< open a channel and the gate; tell the hosts
    quiesce_namespace,  ///< one gate quiesced; done when nothing of it is at the backend
    drain_namespace,    ///< likewise, but nothing is given up: past the deadline it is refused, and
                        ///< what is at the backend goes on
    open_namespace,     ///< one gate open again
    detach_namespace,   ///< gate closed, parked I/O answered, hosts told; done when nothing is at
                        ///< the backend
    lose_namespace,     ///< the device is gone: gate closed, everything answered; done at once
    hold_namespace,     ///< the device is gone for now: what is at it is answered, what comes waits
                        ///< for it; done at once
    update_view,        ///< hosts, sizes: replace the description and tell the hosts
    change_access,      ///< who sees a namespace, or the ANA states of its paths: replace the
                        ///< description, tell the hosts concerned; done when nothing of hosts that
                        ///< do not see it, or of paths that are closed, is at the backend
    expel_hosts,     ///< end the controllers of hosts that the new view does not allow; done when
                     ///< they are gone and nothing of them is at the backends
    end_controller,  ///< end one controller; done when it is gone and nothing of it is at the
                     ///< backends
};
[[nodiscard]] std::string_view to_string(group_action action) noexcept;

}  // namespace fulmar::core
