// Features: identifiers, Get and Set Features unpacked, and the fields of the features in use.
// NVMe Base 2.0, sections 5.15 and 5.27. Any thread.
// Must never: keep a value (core owns each feature's current one).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar::nvme {

enum class fid : std::uint8_t {
    arbitration = 0x01,
    power_management = 0x02,
    lba_range_type = 0x03,
    temperature_threshold = 0x04,
    error_recovery = 0x05,
    volatile_write_cache = 0x06,
    number_of_queues = 0x07,
    interrupt_coalescing = 0x08,
    interrupt_vector = 0x09,
    write_atomicity = 0x0a,
    async_event_configuration = 0x0b,
    autonomous_power_state = 0x0c,
    host_memory_buffer = 0x0d,
    timestamp = 0x0e,
    keep_alive_timer = 0x0f,
    host_thermal_management = 0x10,
    non_operational_power_state = 0x11,
    read_recovery_level = 0x12,
    predictable_latency_configuration = 0x13,
    predictable_latency_window = 0x14,
    lba_status_interval = 0x15,
    host_behavior = 0x16,
    sanitize_configuration = 0x17,
    endurance_group_events = 0x18,
    command_set_profile = 0x19,
    spinup_control = 0x1a,
    flexible_data_placement = 0x1d,
    flexible_data_placement_events = 0x1e,
    enhanced_controller_metadata = 0x7d,
    controller_metadata = 0x7e,
    namespace_metadata = 0x7f,
    software_progress = 0x80,
    host_identifier = 0x81,
    reservation_notification_mask = 0x82,
    reservation_persistence = 0x83,
    namespace_write_protection = 0x84,
};

[[nodiscard]] constexpr std::optional<fid> parse_fid(std::uint8_t raw) noexcept {
    if ((raw >= 0x01 && raw <= 0x1a) || raw == 0x1d || raw == 0x1e || (raw >= 0x7d && raw <= 0x84))
        return static_cast<fid>(raw);
    return std::nullopt;
}

/// SEL of Get Features.
enum class feature_select : std::uint8_t {
    current = 0,
    default_value = 1,
    saved = 2,
    capabilities = 3,
};

/// Dword 0 that answers `feature_select::capabilities`.
namespace feature_capability {
inline constexpr std::uint32_t saveable = 1u << 0;
inline constexpr std::uint32_t namespace_specific = 1u << 1;
inline constexpr std::uint32_t changeable = 1u << 2;
}  // namespace feature_capability

struct get_features {
    std::uint8_t fid = 0;
    std::uint8_t sel = 0;  // parse_feature_select() before use
    std::uint32_t cdw11 = 0;
    std::uint8_t uuid_index = 0;

    [[nodiscard]] constexpr bool operator==(const get_features&) const noexcept = default;
};

struct set_features {
    std::uint8_t fid = 0;
    bool save = false;
    std::uint32_t cdw11 = 0;
    std::uint8_t uuid_index = 0;

    [[nodiscard]] constexpr bool operator==(const set_features&) const noexcept = default;
};

[[nodiscard]] constexpr std::optional<feature_select> parse_feature_select(
    std::uint8_t raw) noexcept {
    if (raw > 3) return std::nullopt;
    return static_cast<feature_select>(raw);
}

[[nodiscard]] inline get_features decode_get_features(const sqe& cmd) noexcept {
    const std::uint32_t dw10 = cmd.cdw10.value();
    return {.fid = static_cast<std::uint8_t>(dw10 & 0xffu),
            .sel = static_cast<std::uint8_t>(dw10 >> 8 & 7u),
            .cdw11 = cmd.cdw11.value(),
            .uuid_index = static_cast<std::uint8_t>(cmd.cdw14.value() & 0x7fu)};
}

[[nodiscard]] inline set_features decode_set_features(const sqe& cmd) noexcept {
    const std::uint32_t dw10 = cmd.cdw10.value();
    return {.fid = static_cast<std::uint8_t>(dw10 & 0xffu),
            .save = (dw10 >> 31) != 0,
            .cdw11 = cmd.cdw11.value(),
            .uuid_index = static_cast<std::uint8_t>(cmd.cdw14.value() & 0x7fu)};
}

inline void encode_get_features(sqe& cmd, const get_features& g) noexcept {
    cmd.cdw10 = std::uint32_t{g.fid} | (g.sel & 7u) << 8;
    cmd.cdw11 = g.cdw11;
    cmd.cdw14 = g.uuid_index & 0x7fu;
}

inline void encode_set_features(sqe& cmd, const set_features& s) noexcept {
    cmd.cdw10 = std::uint32_t{s.fid} | (s.save ? 1u << 31 : 0u);
    cmd.cdw11 = s.cdw11;
    cmd.cdw14 = s.uuid_index & 0x7fu;
}

// --- 04h Temperature threshold (dword 11) ------------------------------------------------------

struct temperature_threshold {
    std::uint16_t kelvin = 0;
    std::uint8_t sensor = 0;  // 0 composite, 1 to 8, 15 all
    bool under = false;

    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return std::uint32_t{kelvin} | (sensor & 0xfu) << 16 | (under ? 1u << 20 : 0u);
    }
    [[nodiscard]] static constexpr temperature_threshold unpack(std::uint32_t dw11) noexcept {
        return {.kelvin = static_cast<std::uint16_t>(dw11 & 0xffffu),
                .sensor = static_cast<std::uint8_t>(dw11 >> 16 & 0xfu),
                .under = (dw11 >> 20 & 3u) == 1};
    }
    [[nodiscard]] constexpr bool operator==(const temperature_threshold&) const noexcept = default;
};

// --- 05h Error recovery, 06h volatile write cache, 84h write protection ------------------------

namespace error_recovery {
inline constexpr std::uint32_t tler_mask = 0xffff;            // 100 ms units
inline constexpr std::uint32_t deallocated_error = 1u << 16;  // DULBE
}  // namespace error_recovery

inline constexpr std::uint32_t volatile_write_cache_enable = 1u << 0;
inline constexpr std::uint32_t write_atomicity_disable_normal = 1u << 0;

enum class write_protection : std::uint8_t {
    none = 0,
    write_protect = 1,
    until_power_cycle = 2,
    permanent = 3,
};
inline constexpr std::uint32_t write_protection_mask = 7;  // dword 11; the rest is reserved

/// Also in records and in REST.
[[nodiscard]] constexpr std::string_view to_string(write_protection state) noexcept {
    switch (state) {
        case write_protection::none: return "none";
        case write_protection::write_protect: return "write-protect";
        case write_protection::until_power_cycle: return "until-power-cycle";
        case write_protection::permanent: return "permanent";
    }
    return "?";
}

// --- 07h Number of queues ----------------------------------------------------------------------

/// Counts as people say them; the wire is 0-based and cannot say none.
struct queue_counts {
    std::uint32_t submission = 1;
    std::uint32_t completion = 1;

    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return ((submission - 1) & 0xffffu) | ((completion - 1) & 0xffffu) << 16;
    }
    /// 65536 of either means FFFFh on the wire, which a controller must refuse.
    [[nodiscard]] static constexpr queue_counts unpack(std::uint32_t dw) noexcept {
        return {.submission = (dw & 0xffffu) + 1, .completion = (dw >> 16) + 1};
    }
    [[nodiscard]] constexpr bool operator==(const queue_counts&) const noexcept = default;
};

// --- 0Bh Asynchronous event configuration ------------------------------------------------------

/// The notice bits equal those of Identify Controller OAES.
namespace async_event_config {
inline constexpr std::uint32_t smart_spare = 1u << 0;
inline constexpr std::uint32_t smart_temperature = 1u << 1;
inline constexpr std::uint32_t smart_reliability = 1u << 2;
inline constexpr std::uint32_t smart_read_only = 1u << 3;
inline constexpr std::uint32_t smart_volatile_backup = 1u << 4;
inline constexpr std::uint32_t smart_persistent_memory = 1u << 5;
inline constexpr std::uint32_t namespace_attribute = 1u << 8;
inline constexpr std::uint32_t firmware_activation = 1u << 9;
inline constexpr std::uint32_t telemetry = 1u << 10;
inline constexpr std::uint32_t ana_change = 1u << 11;
inline constexpr std::uint32_t predictable_latency = 1u << 12;
inline constexpr std::uint32_t lba_status = 1u << 13;
inline constexpr std::uint32_t endurance_group = 1u << 14;
inline constexpr std::uint32_t normal_shutdown = 1u << 15;
inline constexpr std::uint32_t zone_descriptor_changed = 1u << 27;
inline constexpr std::uint32_t discovery_log_change = 1u << 31;
}  // namespace async_event_config

// --- 0Eh Timestamp -----------------------------------------------------------------------------

struct timestamp_data {
    le48 milliseconds;  // since 1970, or since the last reset
    std::uint8_t attributes;
    std::uint8_t reserved_7;
};
static_assert(sizeof(timestamp_data) == 8 && wire_type<timestamp_data>);
static_assert(offsetof(timestamp_data, attributes) == 6);

namespace timestamp_attribute {
inline constexpr std::uint8_t stopped = 1u << 0;      // the clock may have stood still
inline constexpr std::uint8_t set_by_host = 1u << 1;  // bits 3:1, origin
}  // namespace timestamp_attribute

// --- 16h Host behavior support -----------------------------------------------------------------

struct host_behavior_support {
    std::uint8_t acre;    // 1: the host honours CRD
    std::uint8_t etdas;   // 1: extended telemetry data area 4
    std::uint8_t lbafee;  // 1: extended LBA formats
    std::uint8_t hdisns;  // 1: dispersed namespaces
    le16 cdfe;            // copy descriptor formats 2h to 4h enabled, by bit number
    reserved<506> reserved_6;
};
static_assert(sizeof(host_behavior_support) == 512 && wire_type<host_behavior_support>);
static_assert(offsetof(host_behavior_support, cdfe) == 4);

// --- 81h Host identifier -----------------------------------------------------------------------

/// EXHID: the identifier has 128 bits. Always so over fabrics.
inline constexpr std::uint32_t host_identifier_extended = 1u << 0;

// --- 82h, 83h Reservations ---------------------------------------------------------------------

namespace reservation_mask {
inline constexpr std::uint32_t registration_preempted = 1u << 1;
inline constexpr std::uint32_t reservation_released = 1u << 2;
inline constexpr std::uint32_t reservation_preempted = 1u << 3;
inline constexpr std::uint32_t all =
    registration_preempted | reservation_released | reservation_preempted;
}  // namespace reservation_mask

inline constexpr std::uint32_t reservation_persist_through_power_loss = 1u << 0;

}  // namespace fulmar::nvme
