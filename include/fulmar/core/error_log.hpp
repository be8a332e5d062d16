// The Error Information log of a controller (NVMe Base 2.0, section 5.16.1.2), and what SMART
// counts of the medium. Queues on any reactor write it without a lock; the newest 64 errors are
// kept. Must never: allocate, or make a writer wait for another one.
#pragma once

#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/status.hpp>

#include <array>
#include <atomic>
#include <cstdint>

namespace fulmar::core {

/// What happened to one command.
struct command_error {
    std::uint16_t sqid = 0;
    std::uint16_t cid = 0;
    nvme::status status{};
    std::uint64_t lba = 0;  ///< the first one of the command; 0 when it has none
    std::uint32_t nsid = 0;
};

/// Called on: any thread, all methods.
class error_log {
  public:
    static constexpr std::uint32_t slot_count = 64;
    using page = std::array<nvme::error_log_entry, slot_count>;

    void add(const command_error& what) noexcept;
    /// Errors since the controller exists; those that the page has lost included.
    [[nodiscard]] std::uint64_t count() const noexcept {
        return count_.load(std::memory_order_relaxed);
    }
    /// Of these, those of the medium: what could not be read back as it was written, or not be
    /// written at all.
    [[nodiscard]] std::uint64_t media_errors() const noexcept {
        return media_errors_.load(std::memory_order_relaxed);
    }
    /// Newest first; what is behind the entries in use is zeroes. An entry that is just being
    /// written is left out.
    [[nodiscard]] page newest() const noexcept;

  private:
    static constexpr std::size_t words = sizeof(nvme::error_log_entry) / sizeof(std::uint64_t);
    /// Even: twice the count of the entry that is in it; odd: somebody writes.
    struct slot {
        std::atomic<std::uint64_t> version{0};
        std::array<std::atomic<std::uint64_t>, words> data{};
    };

    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> media_errors_{0};
    std::array<slot, slot_count> slots_{};
};

}  // namespace fulmar::core
