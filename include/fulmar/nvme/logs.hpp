// Log pages: identifiers, the Get Log Page command and the data structures.
// NVMe Base 2.0, section 5.16; ANA in 8.1; discovery in 5.16.1.23. Any thread.
// Must never: assume that a page is read from its start or to its end (offset and length vary).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar::nvme {

enum class lid : std::uint8_t {
    supported_pages = 0x00,
    error_information = 0x01,
    smart = 0x02,
    firmware_slot = 0x03,
    changed_namespaces = 0x04,
    command_effects = 0x05,
    self_test = 0x06,
    telemetry_host = 0x07,
    telemetry_controller = 0x08,
    endurance_group = 0x09,
    predictable_latency = 0x0a,
    predictable_latency_events = 0x0b,
    ana = 0x0c,
    persistent_event = 0x0d,
    lba_status = 0x0e,
    endurance_group_events = 0x0f,
    media_unit_status = 0x10,
    capacity_configurations = 0x11,
    feature_effects = 0x12,
    mi_command_effects = 0x13,
    lockdown = 0x14,
    boot_partition = 0x15,
    rotational_media = 0x16,
    cross_controller_reset = 0x1e,
    fdp_configurations = 0x20,
    fdp_handle_usage = 0x21,
    fdp_statistics = 0x22,
    fdp_events = 0x23,
    discovery = 0x70,
    reservation_notification = 0x80,
    sanitize_status = 0x81,
    changed_zones = 0xbf,
};

[[nodiscard]] constexpr std::optional<lid> parse_lid(std::uint8_t raw) noexcept {
    if (raw <= 0x16 || raw == 0x1e || (raw >= 0x20 && raw <= 0x23) || raw == 0x70 || raw == 0x80 ||
        raw == 0x81 || raw == 0xbf)
        return static_cast<lid>(raw);
    return std::nullopt;
}

struct get_log_page {
    std::uint8_t lid = 0;
    std::uint8_t lsp = 0;
    bool rae = false;                // retain the asynchronous event
    std::uint64_t length_bytes = 4;  // from the 0-based dword count; up to 16 GiB
    std::uint64_t offset_bytes = 0;  // an index when `offset_is_index`
    bool offset_is_index = false;
    std::uint16_t lsi = 0;
    std::uint8_t csi = 0;
    std::uint8_t uuid_index = 0;

    [[nodiscard]] constexpr bool operator==(const get_log_page&) const noexcept = default;
};

[[nodiscard]] inline get_log_page decode_get_log_page(const sqe& cmd) noexcept {
    const std::uint32_t dw10 = cmd.cdw10.value();
    const std::uint32_t dw11 = cmd.cdw11.value();
    const std::uint32_t dw14 = cmd.cdw14.value();
    const std::uint64_t numd = std::uint64_t{dw11 & 0xffffu} << 16 | dw10 >> 16;
    return {.lid = static_cast<std::uint8_t>(dw10 & 0xffu),
            .lsp = static_cast<std::uint8_t>(dw10 >> 8 & 0x7fu),
            .rae = (dw10 & 1u << 15) != 0,
            .length_bytes = (numd + 1) * 4,
            .offset_bytes = std::uint64_t{cmd.cdw13.value()} << 32 | cmd.cdw12.value(),
            .offset_is_index = (dw14 & 1u << 23) != 0,
            .lsi = static_cast<std::uint16_t>(dw11 >> 16),
            .csi = static_cast<std::uint8_t>(dw14 >> 24),
            .uuid_index = static_cast<std::uint8_t>(dw14 & 0x7fu)};
}

/// `length_bytes` must be a multiple of 4, and not 0.
inline void encode_get_log_page(sqe& cmd, const get_log_page& g) noexcept {
    const auto numd = static_cast<std::uint32_t>(g.length_bytes / 4 - 1);
    cmd.cdw10 = std::uint32_t{g.lid} | (g.lsp & 0x7fu) << 8 | (g.rae ? 1u << 15 : 0u) | numd << 16;
    cmd.cdw11 = numd >> 16 | std::uint32_t{g.lsi} << 16;
    cmd.cdw12 = static_cast<std::uint32_t>(g.offset_bytes);
    cmd.cdw13 = static_cast<std::uint32_t>(g.offset_bytes >> 32);
    cmd.cdw14 =
        (g.uuid_index & 0x7fu) | (g.offset_is_index ? 1u << 23 : 0u) | std::uint32_t{g.csi} << 24;
}

// --- 00h Supported log pages -------------------------------------------------------------------

namespace lid_support {
inline constexpr std::uint32_t supported = 1u << 0;
inline constexpr std::uint32_t index_offset = 1u << 1;
/// For the discovery page: bits 18:16 say which of EXTDLPE, PLEO and ALLSUBE are supported.
inline constexpr unsigned specific_shift = 16;
}  // namespace lid_support

struct supported_log_pages {
    std::array<le32, 256> lid;
};
static_assert(sizeof(supported_log_pages) == 1024 && wire_type<supported_log_pages>);

// --- 01h Error information ---------------------------------------------------------------------

/// Bits 7:0 byte and bits 10:8 bit of the command that was in error.
inline constexpr std::uint16_t error_location_unknown = 0xffff;

struct error_log_entry {
    le64 error_count;  // 0 marks an unused entry
    le16 sqid;
    le16 cid;
    le16 status_field;  // as in the completion, phase bit included
    le16 parameter_error_location;
    le64 lba;
    le32 nsid;
    std::uint8_t vendor_page;
    std::uint8_t trtype;
    reserved<2> reserved_30;
    le64 command_specific;
    le16 transport_specific;
    reserved<22> reserved_42;
};
static_assert(sizeof(error_log_entry) == 64 && wire_type<error_log_entry>);
static_assert(offsetof(error_log_entry, lba) == 16 && offsetof(error_log_entry, nsid) == 24);
static_assert(offsetof(error_log_entry, command_specific) == 32);

// --- 02h SMART / health ------------------------------------------------------------------------

namespace critical_warning {
inline constexpr std::uint8_t spare = 1u << 0;
inline constexpr std::uint8_t temperature = 1u << 1;
inline constexpr std::uint8_t reliability = 1u << 2;
inline constexpr std::uint8_t read_only = 1u << 3;
inline constexpr std::uint8_t volatile_backup = 1u << 4;
inline constexpr std::uint8_t persistent_memory = 1u << 5;
}  // namespace critical_warning

struct smart_log {
    std::uint8_t critical_warning;
    le16 temperature_kelvin;
    std::uint8_t available_spare_percent;
    std::uint8_t spare_threshold_percent;
    std::uint8_t used_percent;
    std::uint8_t endurance_group_warning;
    reserved<25> reserved_7;
    le128 data_units_read;     // thousands of 512 bytes
    le128 data_units_written;  // thousands of 512 bytes
    le128 host_reads;
    le128 host_writes;
    le128 busy_minutes;
    le128 power_cycles;
    le128 power_on_hours;
    le128 unsafe_shutdowns;
    le128 media_errors;
    le128 error_log_entries;
    le32 warning_temperature_minutes;
    le32 critical_temperature_minutes;
    std::array<le16, 8> temperature_sensor_kelvin;
    le32 thermal_1_transitions;
    le32 thermal_2_transitions;
    le32 thermal_1_seconds;
    le32 thermal_2_seconds;
    reserved<280> reserved_232;
};
static_assert(sizeof(smart_log) == 512 && wire_type<smart_log>);
static_assert(offsetof(smart_log, data_units_read) == 32);
static_assert(offsetof(smart_log, error_log_entries) == 176);
static_assert(offsetof(smart_log, temperature_sensor_kelvin) == 200);

// --- 03h Firmware slot -------------------------------------------------------------------------

struct firmware_slot_log {
    std::uint8_t afi;  // bits 2:0 active slot, bits 6:4 slot after the next reset
    reserved<7> reserved_1;
    std::array<std::array<char, 8>, 7> frs;
    reserved<448> reserved_64;
};
static_assert(sizeof(firmware_slot_log) == 512 && wire_type<firmware_slot_log>);

// --- 04h Changed namespace list ----------------------------------------------------------------

/// Ascending; the first entry alone is FFFFFFFFh when more than 1024 changed.
struct changed_namespace_log {
    std::array<le32, 1024> nsid;
};
static_assert(sizeof(changed_namespace_log) == 4096 && wire_type<changed_namespace_log>);

// --- 05h Commands supported and effects --------------------------------------------------------

namespace command_effect {
inline constexpr std::uint32_t supported = 1u << 0;
inline constexpr std::uint32_t content_change = 1u << 1;        // LBCC
inline constexpr std::uint32_t namespace_change = 1u << 2;      // NCC
inline constexpr std::uint32_t inventory_change = 1u << 3;      // NIC
inline constexpr std::uint32_t controller_change = 1u << 4;     // CCC
inline constexpr std::uint32_t exclusive_namespace = 1u << 16;  // CSE: alone on its namespace
inline constexpr std::uint32_t exclusive_all = 2u << 16;        // CSE: alone on all namespaces
inline constexpr std::uint32_t uuid_selection = 1u << 19;
}  // namespace command_effect

struct command_effects_log {
    std::array<le32, 256> admin;
    std::array<le32, 256> io;
    reserved<2048> reserved_2048;
};
static_assert(sizeof(command_effects_log) == 4096 && wire_type<command_effects_log>);

// --- 0Ch Asymmetric namespace access -----------------------------------------------------------

enum class ana_state : std::uint8_t {
    optimized = 0x01,
    non_optimized = 0x02,
    inaccessible = 0x03,
    persistent_loss = 0x04,
    change = 0x0f,
};

[[nodiscard]] constexpr std::optional<ana_state> parse_ana_state(std::uint8_t raw) noexcept {
    const unsigned value = raw & 0xfu;
    if ((value >= 1 && value <= 4) || value == 0xf) return static_cast<ana_state>(value);
    return std::nullopt;
}

/// LSP bit 0 of Get Log Page: group descriptors without their NSIDs.
inline constexpr std::uint8_t ana_return_groups_only = 1u << 0;

/// `groups` descriptors follow.
struct ana_log_header {
    le64 change_count;
    le16 groups;
    reserved<6> reserved_10;
};
static_assert(sizeof(ana_log_header) == 16 && wire_type<ana_log_header>);

/// `nsids` 4-byte NSIDs follow.
struct ana_group_descriptor {
    le32 group_id;
    le32 nsids;
    le64 change_count;
    std::uint8_t state;  // bits 3:0
    reserved<15> reserved_17;
};
static_assert(sizeof(ana_group_descriptor) == 32 && wire_type<ana_group_descriptor>);
static_assert(offsetof(ana_group_descriptor, change_count) == 8);
static_assert(offsetof(ana_group_descriptor, state) == 16);

// --- 12h Feature identifiers, 13h MI commands supported and effects ----------------------------

/// Shared by both pages.
namespace feature_effect {
inline constexpr std::uint32_t supported = 1u << 0;
inline constexpr std::uint32_t user_data_change = 1u << 1;   // UDCC
inline constexpr std::uint32_t namespace_change = 1u << 2;   // NCC
inline constexpr std::uint32_t inventory_change = 1u << 3;   // NIC
inline constexpr std::uint32_t controller_change = 1u << 4;  // CCC
inline constexpr std::uint32_t uuid_selection = 1u << 19;
inline constexpr std::uint32_t scope_namespace = 1u << 20;
inline constexpr std::uint32_t scope_controller = 1u << 21;
inline constexpr std::uint32_t scope_nvm_set = 1u << 22;
inline constexpr std::uint32_t scope_endurance_group = 1u << 23;
inline constexpr std::uint32_t scope_domain = 1u << 24;
inline constexpr std::uint32_t scope_subsystem = 1u << 25;
}  // namespace feature_effect

struct feature_effects_log {
    std::array<le32, 256> fid;
};
static_assert(sizeof(feature_effects_log) == 1024 && wire_type<feature_effects_log>);

struct mi_command_effects_log {
    std::array<le32, 256> command;
    reserved<3072> reserved_1024;
};
static_assert(sizeof(mi_command_effects_log) == 4096 && wire_type<mi_command_effects_log>);

// --- 80h Reservation notification --------------------------------------------------------------

enum class reservation_notice : std::uint8_t {
    empty = 0,
    registration_preempted = 1,
    reservation_released = 2,
    reservation_preempted = 3,
};

struct reservation_notification_log {
    le64 log_page_count;
    std::uint8_t type;
    std::uint8_t available_pages;
    reserved<2> reserved_10;
    le32 nsid;
    reserved<48> reserved_16;
};
static_assert(sizeof(reservation_notification_log) == 64);
static_assert(wire_type<reservation_notification_log>);
static_assert(offsetof(reservation_notification_log, nsid) == 12);

}  // namespace fulmar::nvme
