// The features that controllers have, one row each: Get and Set Features, log page 12h and the
// documentation all read this table. Any thread; constexpr.
// Must never: hold a value (the controller does).
#pragma once

#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/logs.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::core {

struct feature_row {
    nvme::fid id;
    std::string_view name;
    bool per_namespace = false;
    bool changeable = true;
    bool on_discovery = false;     ///< discovery controllers have it too
    std::uint32_t data_bytes = 0;  ///< what Get returns, and Set takes, beside dword 11
};

inline constexpr auto features = [] {
    using enum nvme::fid;
    return std::array{
        feature_row{.id = arbitration, .name = "Arbitration"},
        feature_row{.id = power_management, .name = "Power Management"},
        feature_row{.id = temperature_threshold, .name = "Temperature Threshold"},
        feature_row{.id = error_recovery, .name = "Error Recovery", .per_namespace = true},
        feature_row{.id = volatile_write_cache, .name = "Volatile Write Cache"},
        feature_row{.id = number_of_queues, .name = "Number of Queues"},
        feature_row{.id = write_atomicity, .name = "Write Atomicity Normal"},
        feature_row{.id = async_event_configuration,
                    .name = "Asynchronous Event Configuration",
                    .on_discovery = true},
        feature_row{.id = keep_alive_timer, .name = "Keep Alive Timer", .on_discovery = true},
        feature_row{.id = host_behavior,
                    .name = "Host Behavior Support",
                    .data_bytes = sizeof(nvme::host_behavior_support)},
        feature_row{.id = host_identifier,  // Connect sets it, for the life of the association
                    .name = "Host Identifier",
                    .changeable = false,
                    .data_bytes = 16},
        feature_row{.id = reservation_notification_mask,
                    .name = "Reservation Notification Mask",
                    .per_namespace = true},
        feature_row{.id = reservation_persistence,
                    .name = "Reservation Persistence",
                    .per_namespace = true},
        feature_row{.id = namespace_write_protection,
                    .name = "Namespace Write Protection",
                    .per_namespace = true},
    };
}();

/// Null for what a controller of this kind does not have.
[[nodiscard]] constexpr const feature_row* find_feature(std::uint8_t raw, bool discovery) noexcept {
    for (const feature_row& row : features)
        if (static_cast<std::uint8_t>(row.id) == raw)
            return !discovery || row.on_discovery ? &row : nullptr;
    return nullptr;
}

/// Dword 0 for Get Features with SEL = 3. Nothing is saveable.
[[nodiscard]] constexpr std::uint32_t capabilities_of(const feature_row& row) noexcept {
    namespace cap = nvme::feature_capability;
    return (row.per_namespace ? cap::namespace_specific : 0u) |
           (row.changeable ? cap::changeable : 0u);
}

/// Its entry in log page 12h.
[[nodiscard]] constexpr std::uint32_t effects_of(const feature_row& row) noexcept {
    namespace effect = nvme::feature_effect;
    return effect::supported |
           (row.per_namespace ? effect::scope_namespace : effect::scope_controller);
}

/// The asynchronous events that feature 0Bh may enable: what Identify claims, and the SMART bits,
/// which need no claim.
[[nodiscard]] constexpr std::uint32_t configurable_events(bool discovery) noexcept {
    namespace bit = nvme::async_event_config;
    if (discovery) return bit::discovery_log_change;
    return bit::smart_spare | bit::smart_temperature | bit::smart_reliability |
           bit::smart_read_only | bit::smart_volatile_backup | bit::smart_persistent_memory |
           bit::namespace_attribute | bit::ana_change;
}

}  // namespace fulmar::core
