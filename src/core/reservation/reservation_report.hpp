// The data of Reservation Report with 128-bit Host Identifiers (NVMe Base 2.0, section 7.5). Any
// thread; pure. Must never: allocate.
#pragma once

#include "reservation_state.hpp"

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace fulmar::core {

/// Success, or why the command cannot be answered: over fabrics there is the extended form only.
[[nodiscard]] nvme::status check_reservation_report(const nvme::sqe& command) noexcept;

/// Of the whole report, in bytes. The host gets as much of it as it has asked for, and no more.
[[nodiscard]] std::size_t reservation_report_bytes(const reservation_state& state) noexcept;

/// Writes the bytes from `offset` on to `to`, as many as there are and as fit; returns how many.
/// However little that is, the count of registrants in the header is the true one.
std::size_t write_reservation_report(const reservation_state& state, std::size_t offset,
                                     std::span<std::byte> to) noexcept;

}  // namespace fulmar::core
