// Unpacked forms of the NVM command set's I/O commands, and the ranges that some carry as data.
// NVM Command Set 1.0, section 3.2. Any thread.
// Must never: check a range against a namespace except through `lba_range_fits`.
#pragma once

#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::nvme {

/// True when [slba, slba + blocks) lies inside a namespace of `size_blocks`; cannot overflow.
[[nodiscard]] constexpr bool lba_range_fits(std::uint64_t slba, std::uint64_t blocks,
                                            std::uint64_t size_blocks) noexcept {
    return blocks <= size_blocks && slba <= size_blocks - blocks;
}

/// The command is about a range of blocks in dwords 10 to 12, and its answer about them.
[[nodiscard]] constexpr bool names_a_range(io_opcode opcode) noexcept {
    return opcode == io_opcode::read || opcode == io_opcode::write ||
           opcode == io_opcode::compare || opcode == io_opcode::write_zeroes ||
           opcode == io_opcode::write_uncorrectable || opcode == io_opcode::verify;
}

/// Protection information field: PRACT is bit 3, PRCHK bits 2:0.
namespace prinfo {
inline constexpr std::uint8_t check_reference_tag = 1u << 0;
inline constexpr std::uint8_t check_application_tag = 1u << 1;
inline constexpr std::uint8_t check_guard = 1u << 2;
inline constexpr std::uint8_t action = 1u << 3;
}  // namespace prinfo

/// Read, Write, Compare, Verify, Write Zeroes, Write Uncorrectable: dwords 10 to 13.
struct block_range {
    std::uint64_t slba = 0;
    std::uint32_t blocks = 1;  // 1 to 65536; the wire counts from 0
    bool fua = false;
    bool lr = false;
    bool deac = false;  // Write Zeroes only: deallocate
    bool stc = false;   // storage tag check
    std::uint8_t prinfo = 0;
    std::uint8_t dtype = 0;     // Write only
    std::uint16_t dspec = 0;    // Write only
    std::uint8_t dsm_hint = 0;  // access frequency and latency, Read and Write

    [[nodiscard]] constexpr bool operator==(const block_range&) const noexcept = default;
};

[[nodiscard]] inline block_range decode_block_range(const sqe& cmd) noexcept {
    const std::uint32_t dw12 = cmd.cdw12.value();
    const std::uint32_t dw13 = cmd.cdw13.value();
    return {.slba = cmd.cdw10_11(),
            .blocks = (dw12 & 0xffffu) + 1,
            .fua = (dw12 & 1u << 30) != 0,
            .lr = (dw12 & 1u << 31) != 0,
            .deac = (dw12 & 1u << 25) != 0,
            .stc = (dw12 & 1u << 24) != 0,
            .prinfo = static_cast<std::uint8_t>(dw12 >> 26 & 0xfu),
            .dtype = static_cast<std::uint8_t>(dw12 >> 20 & 0xfu),
            .dspec = static_cast<std::uint16_t>(dw13 >> 16),
            .dsm_hint = static_cast<std::uint8_t>(dw13 & 0xffu)};
}

inline void encode_block_range(sqe& cmd, const block_range& r) noexcept {
    cmd.set_cdw10_11(r.slba);
    cmd.cdw12 = ((r.blocks - 1) & 0xffffu) | (r.dtype & 0xfu) << 20 | (r.stc ? 1u << 24 : 0u) |
                (r.deac ? 1u << 25 : 0u) | (r.prinfo & 0xfu) << 26 | (r.fua ? 1u << 30 : 0u) |
                (r.lr ? 1u << 31 : 0u);
    cmd.cdw13 = std::uint32_t{r.dspec} << 16 | r.dsm_hint;
}

// --- Dataset Management ------------------------------------------------------------------------

namespace dsm_attribute {
inline constexpr std::uint32_t integral_read = 1u << 0;
inline constexpr std::uint32_t integral_write = 1u << 1;
inline constexpr std::uint32_t deallocate = 1u << 2;
}  // namespace dsm_attribute

inline constexpr std::uint32_t dsm_ranges_max = 256;

struct dsm_range {
    le32 cattr;
    le32 blocks;  // not 0-based
    le64 slba;
};
static_assert(sizeof(dsm_range) == 16 && wire_type<dsm_range>);
static_assert(offsetof(dsm_range, blocks) == 4 && offsetof(dsm_range, slba) == 8);

struct dataset_management {
    std::uint32_t ranges = 1;  // 1 to 256
    std::uint32_t attributes = 0;
};

[[nodiscard]] inline dataset_management decode_dataset_management(const sqe& cmd) noexcept {
    return {.ranges = (cmd.cdw10.value() & 0xffu) + 1, .attributes = cmd.cdw11.value()};
}

inline void encode_dataset_management(sqe& cmd, const dataset_management& d) noexcept {
    cmd.cdw10 = (d.ranges - 1) & 0xffu;
    cmd.cdw11 = d.attributes;
}

// --- Copy --------------------------------------------------------------------------------------

/// Source range of descriptor format 0 (16-bit guard).
struct copy_range {
    reserved<8> reserved_0;
    le64 slba;
    le16 nlb;  // 0-based
    reserved<6> reserved_18;
    le32 eilbrt;
    le16 elbat;
    le16 elbatm;
};
static_assert(sizeof(copy_range) == 32 && wire_type<copy_range>);
static_assert(offsetof(copy_range, slba) == 8 && offsetof(copy_range, nlb) == 16);
static_assert(offsetof(copy_range, eilbrt) == 24 && offsetof(copy_range, elbat) == 28);

struct copy_command {
    std::uint64_t sdlba = 0;
    std::uint32_t ranges = 1;  // 1 to 256
    std::uint8_t descriptor_format = 0;
    std::uint8_t prinfo_read = 0;
    std::uint8_t prinfo_write = 0;
    bool fua = false;
    bool lr = false;

    [[nodiscard]] constexpr bool operator==(const copy_command&) const noexcept = default;
};

[[nodiscard]] inline copy_command decode_copy(const sqe& cmd) noexcept {
    const std::uint32_t dw12 = cmd.cdw12.value();
    return {.sdlba = cmd.cdw10_11(),
            .ranges = (dw12 & 0xffu) + 1,
            .descriptor_format = static_cast<std::uint8_t>(dw12 >> 8 & 0xfu),
            .prinfo_read = static_cast<std::uint8_t>(dw12 >> 12 & 0xfu),
            .prinfo_write = static_cast<std::uint8_t>(dw12 >> 26 & 0xfu),
            .fua = (dw12 & 1u << 30) != 0,
            .lr = (dw12 & 1u << 31) != 0};
}

inline void encode_copy(sqe& cmd, const copy_command& c) noexcept {
    cmd.set_cdw10_11(c.sdlba);
    cmd.cdw12 = ((c.ranges - 1) & 0xffu) | (c.descriptor_format & 0xfu) << 8 |
                (c.prinfo_read & 0xfu) << 12 | (c.prinfo_write & 0xfu) << 26 |
                (c.fua ? 1u << 30 : 0u) | (c.lr ? 1u << 31 : 0u);
}

}  // namespace fulmar::nvme
