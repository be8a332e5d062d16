// What a host wants of a namespace, by a reservation command, by Set Features 83h or 84h or by its
// first fused pair, on its way to the control reactor, which decides, and back. A Cross-Controller
// Reset goes the same way, and is about a controller; operators lift a write protection so. It
// outlives its command when the connection ends meanwhile.
// Called on: the reactor that holds the message. Must never: leave the control reactor without a
// status.
#pragma once

#include "reservation_rules.hpp"

#include <fulmar/base/ids.hpp>
#include <fulmar/core/controller_instance.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/nvme/features.hpp>

#include <memory>
#include <string>
#include <variant>

namespace fulmar::core {

class control_request;
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

/// Set Features 84h: the write protection.
struct protection_request {
    nvme::write_protection state = nvme::write_protection::none;
    bool all = false;          ///< as of persistence_request
    bool by_operator = false;  ///< who lifts what no host may
};

/// Cross-Controller Reset: that controller is to be ended.
struct cross_reset_request {
    cntlid id{};
    controller_instance instance{};
};

using namespace_wish = std::variant<reservation_request, persistence_request, protection_request,
                                    range_locks_request, cross_reset_request>;

struct reservation_errand final : engine::message {
    reservation_errand() noexcept;

    /// Sends the command `r`, which stays in `executing` until this is back. False: no memory.
    [[nodiscard]] static bool send(request& r, const subsystem_group& from, namespace_id about,
                                   const namespace_wish& what, const nvme::host_id& who) noexcept;
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
    std::string listener{};  ///< by which its queue came; empty: an operator's
    namespace_wish what{};
    std::uint64_t instance = 0;  ///< the number of the controller that it came to
    nvme::status status{};
    std::uint32_t dw0 = 0;                 ///< of the answer
    control_request* operators = nullptr;  ///< whose it is, instead of a host's

  private:
    static void leave(std::unique_ptr<reservation_errand> self) noexcept;
    static void on_done(engine::message& m) noexcept;
};

}  // namespace fulmar::core
