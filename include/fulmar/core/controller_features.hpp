// What a host has set by Set Features (NVMe Base 2.0, section 5.27), of one controller.
#pragma once

#include <fulmar/nvme/features.hpp>

#include <atomic>
#include <cstdint>
#include <unordered_map>

namespace fulmar::core {

/// Called on: the controller's home reactor; what is atomic is read on any other.
struct controller_features {
    std::atomic<std::uint32_t> event_config{0};
    std::uint32_t arbitration = 0;
    std::uint32_t power_management = 0;
    std::uint32_t temperature_over = 0x0157;  ///< kelvin; the specification's example of a default
    std::uint32_t temperature_under = 0;      ///< kelvin
    std::uint32_t write_atomicity = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> error_recovery;  ///< by NSID
    nvme::host_behavior_support host_behavior{};
    std::uint16_t queues_granted = 0;        ///< pairs; 0: not asked yet
    std::atomic<bool> retry_delay{false};    ///< the host honours retry delays
    std::atomic<bool> write_through{false};  ///< the host has switched the volatile write cache off

    /// Defaults everywhere, as a controller reset wants it.
    void reset() noexcept;
    [[nodiscard]] bool temperature_out_of_bounds(std::uint16_t kelvin) const noexcept;
};

}  // namespace fulmar::core
