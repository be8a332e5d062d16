// Which commands a reservation lets through: what each opcode does to a namespace, and what each
// type denies to whom (NVMe Base 2.0, section 8.19.1, and NVM Command Set 1.0 on its commands). The
// data path asks denied_to() for each command, where somebody holds a reservation at all. Any
// thread; pure. Must never: allocate.
#pragma once

#include "reservation_state.hpp"

#include <fulmar/base/mutation.hpp>
#include <fulmar/nvme/command.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace fulmar::core {

/// Bits: what a command needs, or what a host is denied.
using access_bits = std::uint8_t;
namespace access {
inline constexpr access_bits none = 0;
inline constexpr access_bits read = 1u << 0;
inline constexpr access_bits write = 1u << 1;
inline constexpr access_bits both = read | write;
}  // namespace access

struct access_row {
    nvme::io_opcode opcode;
    access_bits needs;
};

/// `none`: reservation commands check for themselves; the others leave the blocks alone.
inline constexpr auto access_rows = [] {
    using enum nvme::io_opcode;
    return std::array{
        access_row{flush, access::write},
        access_row{write, access::write},
        access_row{read, access::read},
        access_row{write_uncorrectable, access::write},
        access_row{compare, access::read},
        access_row{write_zeroes, access::write},
        access_row{dataset_management, access::write},
        access_row{verify, access::read},
        access_row{reservation_register, access::none},
        access_row{reservation_report, access::none},
        access_row{reservation_acquire, access::none},
        access_row{io_management_receive, access::none},
        access_row{reservation_release, access::none},
        access_row{cancel, access::none},
        access_row{copy, access::both},  // sources are read, the destination is written
        access_row{io_management_send, access::none},
        access_row{zone_management_send, access::write},
        access_row{zone_management_receive, access::read},
        access_row{zone_append, access::write},
        access_row{fabrics, access::none},
    };
}();

/// The rows by opcode. An opcode without a row is one that nobody knows: it is answered as such
/// before its access is asked for.
inline constexpr auto access_by_opcode = [] {
    std::array<access_bits, 256> table{};
    table.fill(access::both);
    for (const access_row& row : access_rows)
        table[static_cast<std::uint8_t>(row.opcode)] = row.needs;
    return table;
}();

[[nodiscard]] constexpr bool every_opcode_has_one_access_row() noexcept {
    for (unsigned raw = 0; raw < 256; ++raw) {
        unsigned rows = 0;
        for (const access_row& row : access_rows)
            if (static_cast<std::uint8_t>(row.opcode) == raw) ++rows;
        const bool known = nvme::parse_io_opcode(static_cast<std::uint8_t>(raw)).has_value();
        if (rows != (known ? 1u : 0u)) return false;
    }
    return true;
}
static_assert(every_opcode_has_one_access_row(), "say in access_rows what a new opcode needs");

/// What an I/O command needs of the namespace in its NSID field.
[[nodiscard]] inline access_bits access_needed(std::uint8_t opcode) noexcept {
    if (mutated(mutation::copies_only_read) &&
        opcode == static_cast<std::uint8_t>(nvme::io_opcode::copy))
        return access::read;
    return access_by_opcode[opcode];
}

inline constexpr std::size_t reservation_types = 7;  ///< with none

/// By type, then by role: stranger, registrant, holder.
inline constexpr std::array<std::array<access_bits, reservation_roles>, reservation_types>
    access_denied{{
        {access::none, access::none, access::none},
        {access::write, access::write, access::none},  // Write Exclusive
        {access::both, access::both, access::none},    // Exclusive Access
        {access::write, access::none, access::none},   // Write Exclusive - Registrants Only
        {access::both, access::none, access::none},    // Exclusive Access - Registrants Only
        {access::write, access::none, access::none},   // Write Exclusive - All Registrants
        {access::both, access::none, access::none},    // Exclusive Access - All Registrants
    }};

[[nodiscard]] inline access_bits denied(nvme::reservation_type type,
                                        reservation_role role) noexcept {
    if (mutated(mutation::registrants_share_any_reservation) &&
        role == reservation_role::registrant)
        return access::none;
    return access_denied[static_cast<std::size_t>(type)][static_cast<std::size_t>(role)];
}

/// What `host` is denied now.
[[nodiscard]] inline access_bits denied_to(const reservation_state& state,
                                           const nvme::host_id& host) noexcept {
    return denied(state.type, state.role_of(host));
}

/// Whether anybody is denied more than before: commands of such a host may be on their way, and
/// have to come home before anybody is told of the new state.
[[nodiscard]] bool takes_access(const reservation_state& before,
                                const reservation_state& after) noexcept;

}  // namespace fulmar::core
