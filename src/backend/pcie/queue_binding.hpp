// What the channels of a drive share with its owner on the control reactor.
#pragma once

#include "controller.hpp"
#include "dma_table.hpp"
#include "write_ledger.hpp"

#include <fulmar/backend/device.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace fulmar::backend::pcie {

/// What a drive is like in its present incarnation; fixed while any queue of it is in use.
struct drive_view {
    drive_description description;
    dma_table memory;
    duration command_timeout{};  ///< then a command is aborted
};

/// The drive's condition, where every reactor can read it without asking. Called on: any thread;
/// written by the control reactor.
class health_board {
  public:
    void show(const device_health& now) noexcept {
        media_errors_.store(now.media_errors, std::memory_order_relaxed);
        condition_.store(known | std::uint64_t{now.critical_warning} << 40 |
                             std::uint64_t{now.temperature_kelvin} << 24 |
                             std::uint64_t{now.available_spare_percent} << 16 |
                             std::uint64_t{now.spare_threshold_percent} << 8 | now.used_percent,
                         std::memory_order_relaxed);
    }
    [[nodiscard]] std::optional<device_health> read() const noexcept {
        const std::uint64_t all = condition_.load(std::memory_order_relaxed);
        if (all == 0) return std::nullopt;
        return device_health{.critical_warning = static_cast<std::uint8_t>(all >> 40),
                             .temperature_kelvin = static_cast<std::uint16_t>(all >> 24),
                             .available_spare_percent = static_cast<std::uint8_t>(all >> 16),
                             .spare_threshold_percent = static_cast<std::uint8_t>(all >> 8),
                             .used_percent = static_cast<std::uint8_t>(all),
                             .media_errors = media_errors_.load(std::memory_order_relaxed)};
    }

  private:
    static constexpr std::uint64_t known = std::uint64_t{1} << 48;
    std::atomic<std::uint64_t> condition_{0};
    std::atomic<std::uint64_t> media_errors_{0};
};

/// One namespace of a drive as the channels see it. Called on: any thread.
struct namespace_view {
    /// True: operations fail at once. Set before anything is taken down; cleared only when every
    /// reactor has its queue and what follows is right.
    std::atomic<bool> lost{true};
    std::atomic<std::uint64_t> block_count{0};
    health_board health;
    write_ledger ledger;
    // Written while `lost` and no reactor has a queue, or there has been no user yet.
    std::uint32_t nsid = 0;
    std::uint32_t block_bytes = 0;
};

/// What one reactor did with one queue, for whoever watches over progress. Written by the reactor
/// alone.
struct progress_counters {
    std::atomic<std::uint64_t> completed{0};
    std::atomic<std::uint32_t> at_drive{0};
    std::atomic<std::uint64_t> faults{0};  ///< completions that fit no command
    std::atomic<std::uint64_t> doorbells{0};
    /// A command outlived its Abort.
    std::atomic<bool> stuck{false};
    /// Commands to be aborted, as abort_wanted | cid: set by the reactor where there is 0. Whoever
    /// asks the drive adds abort_sent first, and sets 0 when the Abort is answered. A command that
    /// has ended takes its wish back: 0 where abort_sent is not there yet.
    static constexpr std::uint32_t abort_wanted = 1u << 16;
    static constexpr std::uint32_t abort_sent = 1u << 17;
    std::array<std::atomic<std::uint32_t>, 4> aborts{};
};

}  // namespace fulmar::backend::pcie
