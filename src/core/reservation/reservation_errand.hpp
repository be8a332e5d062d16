// A reservation command, Set Features 83h or the first fused pair of a namespace on its way to the
// control reactor, which decides, and back. It outlives its command when the connection ends
// meanwhile. Called on: the reactor that holds the message. Must never: leave the control reactor
// without a status.
#pragma once

#include "reservation_rules.hpp"

#include <fulmar/base/ids.hpp>
#include <fulmar/engine/message.hpp>

#include <memory>
#include <string>
#include <variant>

namespace fulmar::core {

class poll_group;
class request;
struct subsystem_group;

/// Set Features 83h: the PTPL state.
struct persistence_request {
    bool persistent = false;
    bool all = false;  ///< of every namespace from the one that is meant, one after the other
};

/// A fused pair: its namespace gets locks of ranges, with nothing on its way past them.
struct range_locks_request {};

struct reservation_errand final : engine::message {
    reservation_errand() noexcept;

    /// Sends the command `r`, which stays in `executing` until this is back. False: no memory.
    [[nodiscard]] static bool send(
        request& r, const subsystem_group& from, namespace_id about,
        std::variant<reservation_request, persistence_request, range_locks_request> what,
        const nvme::host_id& who) noexcept;
    /// The connection of `r` ends: nobody waits any more. Called on: the qpair's reactor.
    static void forget(request& r) noexcept;
    /// Control reactor: it is decided.
    static void go_home(std::unique_ptr<reservation_errand> self, nvme::status status) noexcept;

    request* asker = nullptr;  ///< null: its connection has ended. The qpair's reactor's
    poll_group* group = nullptr;
    subsystem_id subsystem{};
    namespace_id ns{};
    nvme::host_id who{};
    std::string host_nqn{};  ///< of the same host
    std::variant<reservation_request, persistence_request, range_locks_request> what{};
    nvme::status status{};

  private:
    static void leave(std::unique_ptr<reservation_errand> self) noexcept;
    static void come_home(engine::message& m) noexcept;
};

}  // namespace fulmar::core
