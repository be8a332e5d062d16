// How much data an admin command moves, known from the command alone: before memory is given, and
// before a host is asked for anything. Any thread.
// Must never: look at anything that a peer can change.
#pragma once

#include <fulmar/nvme/command.hpp>

#include <cstdint>

namespace fulmar::core {

/// What the length of an answer depends on, beside the command.
struct admin_data_rules {
    bool discovery = false;             ///< a discovery controller, which anybody may have
    std::uint32_t namespace_limit = 0;  ///< of the subsystem
    std::uint32_t max_transfer_bytes = 0;
};

/// The largest data of any admin command of such a controller: what MDTS says to a host of a
/// discovery controller.
[[nodiscard]] std::uint32_t most_admin_bytes(const admin_data_rules& rules) noexcept;

/// The longest that can be asked of a log page at once: the page, rounded up to what
/// every host may ask for. 0: there is
/// no such page.
[[nodiscard]] std::uint32_t most_log_bytes(std::uint8_t page,
                                           const admin_data_rules& rules) noexcept;

/// Bytes that `command` moves, in the direction that its opcode says. 0: none, or it cannot be
/// carried out; then no buffer is taken, and no data fetched.
[[nodiscard]] std::uint32_t admin_data_length(const nvme::sqe& command,
                                              const admin_data_rules& rules) noexcept;

}  // namespace fulmar::core
