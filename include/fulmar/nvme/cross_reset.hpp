// Cross-Controller Reset (TP8028; NVMe Base 2.3, section 5.4.3): the command, its answer and log
// page 1Eh. Any thread.
// The numbers are those of libnvme in linux-nvme/nvme-cli, as merged: opcode, identifier of the log
// page, CIU, CIRN, CCRL and CQT in commit e117ee68059f; command dwords, completion dword, statuses
// and the entries of the log page in commit 03d7322090bf (libnvme/src/nvme/nvme-types-base.h and
// nvme-cmds-fabrics.h). The codes of its asynchronous events are neither there nor in SPDK at
// 3230130e6a, so that they are not here.
// Must never: decide who may end whom (core does).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>

#include <cstdint>

namespace fulmar::nvme {

struct cross_reset {
    std::uint16_t icid = 0;  ///< the controller that is to end
    std::uint8_t ciu = 0;    ///< which instance of that number, as its Identify Controller said
    std::uint64_t cirn = 0;  ///< likewise

    [[nodiscard]] constexpr bool operator==(const cross_reset&) const noexcept = default;
};

[[nodiscard]] inline cross_reset decode_cross_reset(const sqe& cmd) noexcept {
    const std::uint32_t dw10 = cmd.cdw10.value();
    return {.icid = static_cast<std::uint16_t>(dw10 & 0xffffu),
            .ciu = static_cast<std::uint8_t>(dw10 >> 16 & 0xffu),
            .cirn = std::uint64_t{cmd.cdw13.value()} << 32 | cmd.cdw12.value()};
}

inline void encode_cross_reset(sqe& cmd, const cross_reset& c) noexcept {
    cmd.cdw10 = std::uint32_t{c.ciu} << 16 | c.icid;
    cmd.cdw12 = static_cast<std::uint32_t>(c.cirn);
    cmd.cdw13 = static_cast<std::uint32_t>(c.cirn >> 32);
}

/// Dword 0 of a completion that is a success.
namespace cross_reset_result {
inline constexpr std::uint32_t immediate = 1u << 0;  ///< it is over: nothing comes after this
inline constexpr std::uint32_t validated = 1u << 1;  ///< that instance was known
inline constexpr std::uint32_t initiated = 1u << 2;  ///< it was there, and has been reset
}  // namespace cross_reset_result

// --- log page 1Eh --------------------------------------------------------------------------------

/// Success and failure are never told there: core/cross_reset.cpp.
enum class cross_reset_state : std::uint8_t { in_progress = 0, success = 1, failed = 2 };

struct cross_reset_log_header {
    le16 entries;
    reserved<6> reserved_2;
};
static_assert(sizeof(cross_reset_log_header) == 8 && wire_type<cross_reset_log_header>);

struct cross_reset_entry {
    le16 icid;
    std::uint8_t ciu;
    std::uint8_t reserved_3;
    le16 acid;  // the controller that was asked
    std::uint8_t state;
    std::uint8_t flags;
};
static_assert(sizeof(cross_reset_entry) == 8 && wire_type<cross_reset_entry>);

}  // namespace fulmar::nvme
