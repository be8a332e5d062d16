// One NVMe controller: brought up, asked what it is, given its queues, shut down. Never blocks:
// whoever owns it calls step() until it rests. One thread at a time (the drive's helper thread).
#pragma once

#include "controller_states.hpp"
#include "queue_pair.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/registers.hpp>
#include <fulmar/vfio/mmio.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::backend::pcie {

/// What the drive said of one of its namespaces, checked.
struct namespace_description {
    std::uint32_t nsid = 0;
    std::array<std::uint8_t, 16> nguid{};
    std::array<std::uint8_t, 8> eui64{};
    std::uint32_t block_bytes = 0;
    std::uint64_t block_count = 0;
    std::uint32_t optimal_io_blocks = 0;
    std::uint32_t write_granularity_blocks = 0;
    std::uint32_t deallocate_granularity_blocks = 0;
    std::uint32_t optimal_write_blocks = 0;
    std::uint32_t atomic_blocks = 0;             ///< of one write; 0: as the drive says of itself
    std::uint32_t power_fail_atomic_blocks = 0;  ///< likewise
    bool deallocated_reads_zero = false;
    copy_bounds copy{};               ///< as far as the drive knows Copy at all
    std::optional<error> unusable{};  ///< why; then only `nsid` means anything
};

/// Errors: not_found (it is inactive); not_supported (its format).
[[nodiscard]] result<namespace_description> read_namespace(std::uint32_t nsid,
                                                           const nvme::identify_namespace& page);

/// Errors: not_supported (a command set other than NVM). `page`: what CNS 03h gives.
[[nodiscard]] result<void> read_command_set(std::uint32_t nsid, std::span<const std::byte> page);

/// What one command may be made of (NVM Command Set 1.0, CNS 06h). 0: no limit.
struct command_limits {
    std::uint64_t verify_bytes = 0;
    std::uint64_t write_zeroes_bytes = 0;
    std::uint64_t write_uncorrectable_bytes = 0;
    std::uint32_t deallocate_ranges = 0;
    std::uint32_t deallocate_range_blocks = 0;
    std::uint64_t deallocate_blocks = 0;
    friend bool operator==(const command_limits&, const command_limits&) = default;
};

/// What the drive said of itself, checked.
struct drive_description {
    std::string serial{};
    std::string model{};
    std::string firmware{};
    std::vector<namespace_description> namespaces{};  ///< as they were wanted
    std::uint32_t first_nsid = 0;                     ///< what 0 stood for
    std::uint32_t max_transfer_bytes = 0;             ///< of one command; a multiple of the page
    std::uint16_t oncs = 0;
    std::uint32_t atomic_blocks = 1;             ///< of one write (AWUN)
    std::uint32_t power_fail_atomic_blocks = 1;  ///< likewise (AWUPF)
    command_limits limits{};
    bool volatile_write_cache = false;  ///< there is one, and it is on
    bool command_sets = false;          ///< a namespace may speak another one than NVM
    bool sgl = false;
    bool sgl_dword_aligned = false;
    std::uint32_t shutdown_ms = 0;
    std::uint32_t oaes = 0;         ///< the events that it can tell of
    std::uint32_t abort_limit = 1;  ///< Aborts at once
    std::uint32_t event_limit = 1;  ///< event requests at once
};

/// Called on: the drive's helper thread, all methods.
class controller {
  public:
    struct options {
        std::vector<std::uint32_t> wanted_nsids{0};  ///< 0: the first
        std::uint32_t io_queues = 1;
        std::uint32_t io_entries = 0;
        std::uint32_t vectors = 0;   ///< interrupts that there are: 0 is the admin queue's
        bool write_through = false;  ///< a volatile write cache is switched off
    };
    static constexpr std::uint32_t admin_entries = 32;
    static constexpr duration admin_timeout = std::chrono::seconds(5);
    static constexpr duration least_ready_timeout = std::chrono::seconds(1);
    static constexpr duration least_shutdown_timeout = std::chrono::seconds(2);
    static constexpr duration most_shutdown_timeout = std::chrono::seconds(10);
    static constexpr std::uint32_t max_transfer_bytes = 1024 * 1024;

    /// `memory` holds all the queues: memory_bytes().
    controller(vfio::mmio_window registers, const queue_memory& memory, const options& opts);

    [[nodiscard]] static std::size_t memory_bytes(const options& opts) noexcept;

    void start(instant now);
    /// A clean end, so that the drive need not recover next time. From ready or failed.
    void stop(instant now);
    /// Goes on as far as the drive lets it; false when it rests (ready, off, failed).
    bool step(instant now);

    [[nodiscard]] controller_state state() const noexcept { return state_; }
    /// Why it failed.
    [[nodiscard]] const error& why() const noexcept { return why_; }
    [[nodiscard]] const drive_description& description() const noexcept { return description_; }
    /// When ready. Whoever takes it over leaves nothing to step().
    [[nodiscard]] queue_pair& admin() noexcept { return *admin_; }
    /// One per I/O queue, in order of their numbers. Once, when ready.
    [[nodiscard]] std::vector<std::unique_ptr<queue_pair>> take_queues() noexcept {
        return std::move(queues_);
    }

  private:
    void advance(controller_event on, instant now);
    void enter(instant now);
    void fail_with(error why, instant now);
    [[nodiscard]] bool past_deadline(instant now, std::string_view what);
    void begin_disabling(instant now);
    void begin_enabling(instant now);
    void wait_ready(bool wanted, instant now);
    void wait_shutdown(instant now);
    void reap_answer(instant now);
    [[nodiscard]] bool may_refuse() const noexcept;
    void switch_cache(instant now);
    void check_cache(instant now);
    void send(nvme::sqe command, bool with_page, instant now);
    void send_identify(nvme::cns what, std::uint32_t nsid, instant now);
    void send_next_queue(instant now);
    void answered(const queue_pair::reaped& answer, instant now);
    result<void> read_capabilities();
    result<void> read_controller(std::span<const std::byte> page);
    void read_limits(std::span<const std::byte> page) noexcept;
    result<void> read_namespace_list(std::span<const std::byte> page);
    void identify_next_namespace(instant now);
    void namespace_answered(std::span<const std::byte> page, instant now);

    vfio::mmio_window registers_;
    queue_memory memory_;
    options options_;
    controller_state state_ = controller_state::off;
    instant deadline_{};
    nvme::capabilities caps_{};
    std::unique_ptr<queue_pair> admin_;
    std::uint32_t asked_slot_ = queue_pair::no_slot;
    std::vector<std::unique_ptr<queue_pair>> queues_;
    std::size_t next_queue_ = 0;
    std::size_t next_namespace_ = 0;
    bool cq_created_ = false;
    bool command_set_read_ = false;  // of the next namespace
    std::uint32_t version_ = 0;
    drive_description description_;
    error why_{};
};

}  // namespace fulmar::backend::pcie
