// What a reservation command does (NVMe Base 2.0, sections 7.2 to 7.4 and 8.19): from the state of
// a namespace, a host and its request to a status, the next state and what other hosts are told.
// Any thread; pure. Must never: change anything, or decide half of it: who decides first, writes
// the record, and adopts the next state last, can fail at any point and has changed nothing.
#pragma once

#include "reservation_state.hpp"

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace fulmar::core {

/// A Reservation Register, Acquire or Release as it came, together with its data.
struct reservation_request {
    nvme::io_opcode opcode = nvme::io_opcode::reservation_register;
    nvme::reservation_command command{};
    std::uint64_t current_key = 0;  ///< CRKEY
    std::uint64_t other_key = 0;    ///< NRKEY of Register, PRKEY of Acquire
};

/// How much data it brings; 0 for commands that are none of the three.
[[nodiscard]] std::size_t reservation_data_bytes(std::uint8_t opcode) noexcept;
/// Nothing when `data` is too short, or the command is none of the three.
[[nodiscard]] std::optional<reservation_request> read_reservation_request(
    const nvme::sqe& command, std::span<const std::byte> data) noexcept;

/// What a command does to a host that had registered.
struct reservation_effect {
    nvme::host_id host;
    nvme::reservation_notice notice = nvme::reservation_notice::empty;  ///< to all its controllers
    bool ends_commands = false;  ///< its commands on the namespace: aborted, or waited for

    [[nodiscard]] bool operator==(const reservation_effect&) const noexcept = default;
};

struct reservation_outcome {
    nvme::status status{};  ///< DNR, except when there was no memory
    /// To be recorded, then adopted; none: nothing changes.
    std::optional<reservation_state> next;
    std::vector<reservation_effect> effects;  ///< ascending by host, once each, after the adoption
};

/// `who` is the Host Identifier of the controller that has the command; never nil. Preempt and
/// Abort may unregister `who` itself: its effect means all its commands but this one.
[[nodiscard]] reservation_outcome decide(const reservation_state& now, const nvme::host_id& who,
                                         const reservation_request& asked) noexcept;

/// Set Features 83h: the PTPL state, by whomever.
[[nodiscard]] reservation_outcome decide_persistence(const reservation_state& now,
                                                     bool persistent) noexcept;

/// `next`, if any, takes the place of `now`.
inline void adopt(reservation_state& now, reservation_outcome& outcome) noexcept {
    static_assert(std::is_nothrow_move_assignable_v<reservation_state>);
    if (outcome.next) now = std::move(*outcome.next);
    outcome.next.reset();
}

}  // namespace fulmar::core
