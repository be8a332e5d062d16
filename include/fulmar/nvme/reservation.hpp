// Reservations: the four commands unpacked, their data and the report structures.
// NVMe Base 2.0, sections 7.2 to 7.5 and 8.19. Any thread.
// Must never: decide who holds what (core does).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar::nvme {

enum class reservation_type : std::uint8_t {
    none = 0,
    write_exclusive = 1,
    exclusive_access = 2,
    write_exclusive_registrants = 3,
    exclusive_access_registrants = 4,
    write_exclusive_all = 5,
    exclusive_access_all = 6,
};

[[nodiscard]] constexpr std::optional<reservation_type> parse_reservation_type(
    std::uint8_t raw) noexcept {
    if (raw < 1 || raw > 6) return std::nullopt;
    return static_cast<reservation_type>(raw);
}

/// "none", "write-exclusive", "exclusive-access-registrants", …
[[nodiscard]] constexpr std::string_view to_string(reservation_type type) noexcept {
    switch (type) {
        case reservation_type::none: return "none";
        case reservation_type::write_exclusive: return "write-exclusive";
        case reservation_type::exclusive_access: return "exclusive-access";
        case reservation_type::write_exclusive_registrants: return "write-exclusive-registrants";
        case reservation_type::exclusive_access_registrants: return "exclusive-access-registrants";
        case reservation_type::write_exclusive_all: return "write-exclusive-all";
        case reservation_type::exclusive_access_all: return "exclusive-access-all";
    }
    return "?";
}

enum class register_action : std::uint8_t { add = 0, remove = 1, replace = 2 };
enum class acquire_action : std::uint8_t { acquire = 0, preempt = 1, preempt_and_abort = 2 };
enum class release_action : std::uint8_t { release = 0, clear = 1 };

[[nodiscard]] constexpr std::optional<register_action> parse_register_action(
    std::uint8_t raw) noexcept {
    if (raw > 2) return std::nullopt;
    return static_cast<register_action>(raw);
}

[[nodiscard]] constexpr std::optional<acquire_action> parse_acquire_action(
    std::uint8_t raw) noexcept {
    if (raw > 2) return std::nullopt;
    return static_cast<acquire_action>(raw);
}

[[nodiscard]] constexpr std::optional<release_action> parse_release_action(
    std::uint8_t raw) noexcept {
    if (raw > 1) return std::nullopt;
    return static_cast<release_action>(raw);
}

/// CPTPL of Reservation Register.
enum class persist_change : std::uint8_t { keep = 0, reserved = 1, off = 2, on = 3 };

/// Register, Acquire and Release share dword 10; `action` is one of the three enums above.
struct reservation_command {
    std::uint8_t action = 0;
    bool ignore_existing_key = false;
    std::uint8_t type = 0;                          // Acquire and Release
    persist_change persist = persist_change::keep;  // Register

    [[nodiscard]] constexpr bool operator==(const reservation_command&) const noexcept = default;
};

[[nodiscard]] inline reservation_command decode_reservation(const sqe& cmd) noexcept {
    const std::uint32_t dw10 = cmd.cdw10.value();
    return {.action = static_cast<std::uint8_t>(dw10 & 7u),
            .ignore_existing_key = (dw10 & 1u << 3) != 0,
            .type = static_cast<std::uint8_t>(dw10 >> 8 & 0xffu),
            .persist = static_cast<persist_change>(dw10 >> 30)};
}

inline void encode_reservation(sqe& cmd, const reservation_command& r) noexcept {
    cmd.cdw10 = (r.action & 7u) | (r.ignore_existing_key ? 1u << 3 : 0u) |
                std::uint32_t{r.type} << 8 | static_cast<std::uint32_t>(r.persist) << 30;
}

/// Report: dword 10 is a 0-based count of dwords, bit 0 of dword 11 asks for 128-bit host IDs.
struct reservation_report_command {
    std::uint64_t length_bytes = 4;
    bool extended = false;
};

[[nodiscard]] inline reservation_report_command decode_reservation_report(const sqe& cmd) noexcept {
    return {.length_bytes = (std::uint64_t{cmd.cdw10.value()} + 1) * 4,
            .extended = (cmd.cdw11.value() & 1u) != 0};
}

/// `length_bytes` must be a multiple of 4, and not 0.
inline void encode_reservation_report(sqe& cmd, const reservation_report_command& r) noexcept {
    cmd.cdw10 = static_cast<std::uint32_t>(r.length_bytes / 4 - 1);
    cmd.cdw11 = r.extended ? 1u : 0u;
}

struct reservation_register_data {
    le64 crkey;
    le64 nrkey;
};
static_assert(sizeof(reservation_register_data) == 16 && wire_type<reservation_register_data>);
static_assert(offsetof(reservation_register_data, nrkey) == 8);

struct reservation_acquire_data {
    le64 crkey;
    le64 prkey;
};
static_assert(sizeof(reservation_acquire_data) == 16 && wire_type<reservation_acquire_data>);
static_assert(offsetof(reservation_acquire_data, prkey) == 8);

struct reservation_release_data {
    le64 crkey;
};
static_assert(sizeof(reservation_release_data) == 8 && wire_type<reservation_release_data>);

/// `registrants` descriptors follow, in the extended form after 40 more reserved bytes.
struct reservation_status {
    le32 generation;
    std::uint8_t type;
    le16 registrants;
    reserved<2> reserved_7;
    std::uint8_t ptpls;
    reserved<14> reserved_10;
};
static_assert(sizeof(reservation_status) == 24 && wire_type<reservation_status>);
static_assert(offsetof(reservation_status, registrants) == 5);
static_assert(offsetof(reservation_status, ptpls) == 9);

struct reservation_status_extended {
    reservation_status basic;
    reserved<40> reserved_24;
};
static_assert(sizeof(reservation_status_extended) == 64);

inline constexpr std::uint8_t registrant_holds_reservation = 1u << 0;

struct registered_controller {
    le16 cntlid;
    std::uint8_t rcsts;
    reserved<5> reserved_3;
    le64 hostid;
    le64 rkey;
};
static_assert(sizeof(registered_controller) == 24 && wire_type<registered_controller>);
static_assert(offsetof(registered_controller, rkey) == 16);

struct registered_controller_extended {
    le16 cntlid;
    std::uint8_t rcsts;
    reserved<5> reserved_3;
    le64 rkey;
    std::array<std::uint8_t, 16> hostid;
    reserved<32> reserved_32;
};
static_assert(sizeof(registered_controller_extended) == 64);
static_assert(wire_type<registered_controller_extended>);
static_assert(offsetof(registered_controller_extended, rkey) == 8);
static_assert(offsetof(registered_controller_extended, hostid) == 16);

}  // namespace fulmar::nvme
