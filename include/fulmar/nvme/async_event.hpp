// Asynchronous events: types, what they say, and the dword 0 that carries them.
// NVMe Base 2.0, section 5.2. Any thread; constexpr.
// Must never: decide when an event is due or masked (core keeps one per type outstanding).
#pragma once

#include <fulmar/nvme/logs.hpp>

#include <cstdint>

namespace fulmar::nvme {

enum class async_event_type : std::uint8_t {
    error = 0,
    smart = 1,
    notice = 2,
    immediate = 3,
    one_shot = 4,
    io_command_set = 6,
    vendor = 7,
};

struct async_event {
    async_event_type type = async_event_type::error;
    std::uint8_t info = 0;
    std::uint8_t log_page = 0;  // the page whose reading clears the event; 0 = none

    /// Dword 0 of the completion.
    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return (static_cast<std::uint32_t>(type) & 7u) | std::uint32_t{info} << 8 |
               std::uint32_t{log_page} << 16;
    }
    [[nodiscard]] static constexpr async_event unpack(std::uint32_t dw0) noexcept {
        return {.type = static_cast<async_event_type>(dw0 & 7u),
                .info = static_cast<std::uint8_t>(dw0 >> 8 & 0xffu),
                .log_page = static_cast<std::uint8_t>(dw0 >> 16 & 0xffu)};
    }
    [[nodiscard]] constexpr bool operator==(const async_event&) const noexcept = default;
};

namespace event {

constexpr async_event make(async_event_type type, std::uint8_t info, lid page) noexcept {
    return {.type = type, .info = info, .log_page = static_cast<std::uint8_t>(page)};
}
constexpr async_event error(std::uint8_t info) noexcept {
    return make(async_event_type::error, info, lid::error_information);
}
constexpr async_event smart(std::uint8_t info) noexcept {
    return make(async_event_type::smart, info, lid::smart);
}
constexpr async_event notice(std::uint8_t info, lid page) noexcept {
    return make(async_event_type::notice, info, page);
}

inline constexpr async_event invalid_doorbell = error(0x00);
inline constexpr async_event invalid_doorbell_value = error(0x01);
inline constexpr async_event diagnostic_failure = error(0x02);
inline constexpr async_event persistent_internal_error = error(0x03);
inline constexpr async_event transient_internal_error = error(0x04);
inline constexpr async_event firmware_load_error = error(0x05);

inline constexpr async_event reliability = smart(0x00);
inline constexpr async_event temperature = smart(0x01);
inline constexpr async_event spare = smart(0x02);

inline constexpr async_event namespace_attribute_changed = notice(0x00, lid::changed_namespaces);
inline constexpr async_event firmware_activation_starting = notice(0x01, lid::firmware_slot);
inline constexpr async_event telemetry_changed = notice(0x02, lid::telemetry_controller);
inline constexpr async_event ana_changed = notice(0x03, lid::ana);
inline constexpr async_event predictable_latency_changed =
    notice(0x04, lid::predictable_latency_events);
inline constexpr async_event lba_status_alert = notice(0x05, lid::lba_status);
inline constexpr async_event endurance_group_changed = notice(0x06, lid::endurance_group_events);
inline constexpr async_event zone_descriptor_changed = notice(0xef, lid::changed_zones);
inline constexpr async_event discovery_log_changed = notice(0xf0, lid::discovery);

inline constexpr async_event reservation_log_available =
    make(async_event_type::io_command_set, 0x00, lid::reservation_notification);
inline constexpr async_event sanitize_completed =
    make(async_event_type::io_command_set, 0x01, lid::sanitize_status);

}  // namespace event
}  // namespace fulmar::nvme
