// What a PCIe controller adds to the registers: queue attributes and doorbells, queue commands.
// NVMe over PCIe Transport 1.0, section 3.1. For the VFIO driver. Any thread; constexpr.
// Must never: touch a register (only vfio and its drivers do).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/registers.hpp>

#include <cstdint>

namespace fulmar::nvme {

/// What a register reads once the device is gone.
inline constexpr std::uint32_t register_all_ones = 0xffff'ffff;
inline constexpr std::uint64_t register_all_ones_64 = 0xffff'ffff'ffff'ffff;

inline constexpr std::uint32_t doorbell_base = 0x1000;

/// `dstrd` is CAP.DSTRD.
[[nodiscard]] constexpr std::uint32_t sq_doorbell_offset(std::uint16_t qid,
                                                         std::uint8_t dstrd) noexcept {
    return doorbell_base + 2u * qid * (4u << dstrd);
}

[[nodiscard]] constexpr std::uint32_t cq_doorbell_offset(std::uint16_t qid,
                                                         std::uint8_t dstrd) noexcept {
    return doorbell_base + (2u * qid + 1) * (4u << dstrd);
}

/// AQA; both counts as people say them, 2 to 4096.
[[nodiscard]] constexpr std::uint32_t admin_queue_attributes(std::uint32_t sq_entries,
                                                             std::uint32_t cq_entries) noexcept {
    return ((sq_entries - 1) & 0xfffu) | ((cq_entries - 1) & 0xfffu) << 16;
}

/// The page size that a CC.MPS, CAP.MPSMIN or CAP.MPSMAX stands for.
[[nodiscard]] constexpr std::uint64_t page_bytes(std::uint8_t mps) noexcept {
    return std::uint64_t{4096} << mps;
}

/// Bit 0 of dword 11 of both queue commands.
inline constexpr std::uint32_t queue_physically_contiguous = 1u << 0;
/// Bit 1 of dword 11 of Create I/O Completion Queue.
inline constexpr std::uint32_t cq_interrupts_enabled = 1u << 1;

inline void encode_create_cq(sqe& cmd, std::uint16_t qid, std::uint32_t entries,
                             std::uint64_t address, bool interrupts,
                             std::uint16_t vector) noexcept {
    cmd.opcode = static_cast<std::uint8_t>(admin_opcode::create_io_cq);
    cmd.set_prps(address, 0);
    cmd.cdw10 = std::uint32_t{qid} | ((entries - 1) & 0xffffu) << 16;
    cmd.cdw11 = queue_physically_contiguous | (interrupts ? cq_interrupts_enabled : 0u) |
                std::uint32_t{vector} << 16;
}

inline void encode_create_sq(sqe& cmd, std::uint16_t qid, std::uint32_t entries,
                             std::uint64_t address, std::uint16_t cqid) noexcept {
    cmd.opcode = static_cast<std::uint8_t>(admin_opcode::create_io_sq);
    cmd.set_prps(address, 0);
    cmd.cdw10 = std::uint32_t{qid} | ((entries - 1) & 0xffffu) << 16;
    cmd.cdw11 = queue_physically_contiguous | std::uint32_t{cqid} << 16;
}

}  // namespace fulmar::nvme
