// Controller properties: offsets and the fields of CAP, VS, CC, CSTS and CRTO, packed and unpacked.
// NVMe Base 2.0, section 3.1.3. Shared by the fabrics properties and the PCIe driver. Any thread.
// Must never: touch a register (who reads and writes them is up to core and to vfio).
#pragma once

#include <cstdint>

namespace fulmar::nvme {

namespace register_offset {
inline constexpr std::uint32_t cap = 0x00;  // 8 bytes
inline constexpr std::uint32_t vs = 0x08;
inline constexpr std::uint32_t intms = 0x0c;  // PCIe only
inline constexpr std::uint32_t intmc = 0x10;  // PCIe only
inline constexpr std::uint32_t cc = 0x14;
inline constexpr std::uint32_t csts = 0x1c;
inline constexpr std::uint32_t nssr = 0x20;
inline constexpr std::uint32_t aqa = 0x24;  // PCIe only
inline constexpr std::uint32_t asq = 0x28;  // PCIe only, 8 bytes
inline constexpr std::uint32_t acq = 0x30;  // PCIe only, 8 bytes
inline constexpr std::uint32_t cmbloc = 0x38;
inline constexpr std::uint32_t cmbsz = 0x3c;
inline constexpr std::uint32_t bpinfo = 0x40;
inline constexpr std::uint32_t bprsel = 0x44;
inline constexpr std::uint32_t bpmbl = 0x48;   // 8 bytes
inline constexpr std::uint32_t cmbmsc = 0x50;  // 8 bytes
inline constexpr std::uint32_t cmbsts = 0x58;
inline constexpr std::uint32_t nssd = 0x64;
inline constexpr std::uint32_t crto = 0x68;
inline constexpr std::uint32_t pmrcap = 0xe00;
}  // namespace register_offset

/// "NVMe": the value that resets an NVM subsystem when written to NSSR.
inline constexpr std::uint32_t nssr_magic = 0x4e56'4d65;

[[nodiscard]] constexpr std::uint32_t make_version(std::uint32_t major, std::uint32_t minor,
                                                   std::uint32_t tertiary) noexcept {
    return (major & 0xffffu) << 16 | (minor & 0xffu) << 8 | (tertiary & 0xffu);
}

inline constexpr std::uint32_t version_1_4 = make_version(1, 4, 0);
inline constexpr std::uint32_t version_2_0 = make_version(2, 0, 0);
inline constexpr std::uint32_t version_2_1 = make_version(2, 1, 0);

/// CAP.CSS bits.
namespace cap_css {
inline constexpr std::uint8_t nvm = 1u << 0;
inline constexpr std::uint8_t io_command_sets = 1u << 6;  // more than the NVM set; CNS 1Ch
inline constexpr std::uint8_t admin_only = 1u << 7;
}  // namespace cap_css

/// CAP. Defaults are a fabrics controller with the NVM command set.
struct capabilities {
    std::uint16_t mqes = 0;           // 15:0, 0-based, at least 1
    bool cqr = true;                  // 16
    std::uint8_t ams = 0;             // 18:17
    std::uint8_t to = 0;              // 31:24, units of 500 ms
    std::uint8_t dstrd = 0;           // 35:32
    bool nssrs = false;               // 36
    std::uint8_t css = cap_css::nvm;  // 44:37
    bool bps = false;                 // 45
    std::uint8_t cps = 0;             // 47:46
    std::uint8_t mpsmin = 0;          // 51:48, 2^(12 + mpsmin) bytes
    std::uint8_t mpsmax = 0;          // 55:52
    bool pmrs = false;                // 56
    bool cmbs = false;                // 57
    bool nsss = false;                // 58
    bool crwms = false;               // 59, controller ready with media
    bool crims = false;               // 60, controller ready independent of media

    [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
        const auto bit = [](bool on, unsigned at) { return std::uint64_t{on} << at; };
        const auto field = [](std::uint8_t value, unsigned mask, unsigned at) {
            return static_cast<std::uint64_t>(value & mask) << at;
        };
        return std::uint64_t{mqes} | bit(cqr, 16) | field(ams, 3, 17) | field(to, 0xff, 24) |
               field(dstrd, 0xf, 32) | bit(nssrs, 36) | field(css, 0xff, 37) | bit(bps, 45) |
               field(cps, 3, 46) | field(mpsmin, 0xf, 48) | field(mpsmax, 0xf, 52) | bit(pmrs, 56) |
               bit(cmbs, 57) | bit(nsss, 58) | bit(crwms, 59) | bit(crims, 60);
    }

    [[nodiscard]] static constexpr capabilities unpack(std::uint64_t raw) noexcept {
        const auto bit = [raw](unsigned at) { return (raw >> at & 1u) != 0; };
        const auto field = [raw](unsigned mask, unsigned at) {
            return static_cast<std::uint8_t>(raw >> at & mask);
        };
        return {.mqes = static_cast<std::uint16_t>(raw & 0xffffu),
                .cqr = bit(16),
                .ams = field(3, 17),
                .to = field(0xff, 24),
                .dstrd = field(0xf, 32),
                .nssrs = bit(36),
                .css = field(0xff, 37),
                .bps = bit(45),
                .cps = field(3, 46),
                .mpsmin = field(0xf, 48),
                .mpsmax = field(0xf, 52),
                .pmrs = bit(56),
                .cmbs = bit(57),
                .nsss = bit(58),
                .crwms = bit(59),
                .crims = bit(60)};
    }

    [[nodiscard]] constexpr std::uint32_t timeout_ms() const noexcept {
        return std::uint32_t{to} * 500;
    }
    [[nodiscard]] constexpr bool operator==(const capabilities&) const noexcept = default;
};

/// CC.SHN; CSTS.SHST has the same width but other values.
enum class shutdown_notification : std::uint8_t { none = 0, normal = 1, abrupt = 2, reserved = 3 };
enum class shutdown_status : std::uint8_t { normal = 0, occurring = 1, complete = 2, reserved = 3 };

/// CC.CSS values.
namespace cc_css {
inline constexpr std::uint8_t nvm = 0;
inline constexpr std::uint8_t all_supported = 6;
inline constexpr std::uint8_t admin_only = 7;
}  // namespace cc_css

inline constexpr std::uint8_t io_sq_entry_size_log2 = 6;
inline constexpr std::uint8_t io_cq_entry_size_log2 = 4;

/// CC.
struct controller_configuration {
    bool en = false;                                          // 0
    std::uint8_t css = 0;                                     // 6:4
    std::uint8_t mps = 0;                                     // 10:7
    std::uint8_t ams = 0;                                     // 13:11
    shutdown_notification shn = shutdown_notification::none;  // 15:14
    std::uint8_t iosqes = 0;                                  // 19:16
    std::uint8_t iocqes = 0;                                  // 23:20
    bool crime = false;                                       // 24

    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return std::uint32_t{en} | (css & 7u) << 4 | (mps & 0xfu) << 7 | (ams & 7u) << 11 |
               (static_cast<std::uint32_t>(shn) & 3u) << 14 | (iosqes & 0xfu) << 16 |
               (iocqes & 0xfu) << 20 | std::uint32_t{crime} << 24;
    }

    [[nodiscard]] static constexpr controller_configuration unpack(std::uint32_t raw) noexcept {
        const auto field = [raw](unsigned mask, unsigned at) {
            return static_cast<std::uint8_t>(raw >> at & mask);
        };
        return {.en = (raw & 1u) != 0,
                .css = field(7, 4),
                .mps = field(0xf, 7),
                .ams = field(7, 11),
                .shn = static_cast<shutdown_notification>(raw >> 14 & 3u),
                .iosqes = field(0xf, 16),
                .iocqes = field(0xf, 20),
                .crime = (raw >> 24 & 1u) != 0};
    }

    [[nodiscard]] constexpr bool operator==(const controller_configuration&) const noexcept =
        default;
};

/// CSTS.
struct controller_status {
    bool rdy = false;                                // 0
    bool cfs = false;                                // 1
    shutdown_status shst = shutdown_status::normal;  // 3:2
    bool nssro = false;                              // 4, write 1 to clear
    bool pp = false;                                 // 5
    bool st = false;                                 // 6, shutdown type: subsystem

    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return std::uint32_t{rdy} | std::uint32_t{cfs} << 1 |
               (static_cast<std::uint32_t>(shst) & 3u) << 2 | std::uint32_t{nssro} << 4 |
               std::uint32_t{pp} << 5 | std::uint32_t{st} << 6;
    }

    [[nodiscard]] static constexpr controller_status unpack(std::uint32_t raw) noexcept {
        return {.rdy = (raw & 1u) != 0,
                .cfs = (raw >> 1 & 1u) != 0,
                .shst = static_cast<shutdown_status>(raw >> 2 & 3u),
                .nssro = (raw >> 4 & 1u) != 0,
                .pp = (raw >> 5 & 1u) != 0,
                .st = (raw >> 6 & 1u) != 0};
    }

    [[nodiscard]] constexpr bool operator==(const controller_status&) const noexcept = default;
};

/// CRTO, units of 500 ms.
struct ready_timeouts {
    std::uint16_t crwmt = 0;  // 15:0, with media
    std::uint16_t crimt = 0;  // 31:16, independent of media

    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return std::uint32_t{crwmt} | std::uint32_t{crimt} << 16;
    }
    [[nodiscard]] static constexpr ready_timeouts unpack(std::uint32_t raw) noexcept {
        return {.crwmt = static_cast<std::uint16_t>(raw & 0xffffu),
                .crimt = static_cast<std::uint16_t>(raw >> 16)};
    }
    [[nodiscard]] constexpr bool operator==(const ready_timeouts&) const noexcept = default;
};

}  // namespace fulmar::nvme
