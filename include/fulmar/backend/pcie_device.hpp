// An NVMe drive of this machine, driven from here through VFIO. It may come and go at any moment:
// the device stays, and is lost while its drive is away.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/vfio/drive_access.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::backend {

/// Why a drive was lost.
enum class loss_cause : std::uint8_t {
    none,
    removal_requested,  ///< the kernel asks for it: slot power, unbind, attention button
    bus_error,          ///< the bus reported an error of it, or an access to its registers failed
    removed,            ///< the kernel says that it is gone
    silent,             ///< its registers read as if it were gone
    fatal_status,       ///< it reports a fatal error of its own
    timed_out,          ///< it answers, but completes no command
    hostile,            ///< it completes commands that nobody sent
    detached,           ///< an operator took it away
    bring_up_failed,
    other_drive,  ///< there is one, and it is not the one that was there
};
inline constexpr std::size_t loss_cause_count =
    static_cast<std::size_t>(loss_cause::other_drive) + 1;
[[nodiscard]] std::string_view to_string(loss_cause cause) noexcept;

/// Where a drive is in its life.
enum class drive_state : std::uint8_t {
    absent,     ///< nothing is open; it may come
    attaching,  ///< its helper thread opens it and brings it up
    linking,    ///< the reactors are given their queues
    ready,
    releasing,  ///< commands are answered, memory is taken back, the kernel gets it back
};
[[nodiscard]] std::string_view to_string(drive_state state) noexcept;

/// How often a drive was lost, and how long that took, since the device exists. Called on: control
/// reactor, which owns it.
struct drive_counters {
    /// Upper bounds of `drained`; its last element is beyond all of them.
    static constexpr std::array<std::uint64_t, 8> bounds_us{1'000,  5'000,   10'000,    25'000,
                                                            50'000, 100'000, 1'000'000, 10'000'000};
    std::array<std::uint64_t, loss_cause_count> losses{};  ///< by cause
    /// From the first sign until nothing that was outstanding was left on any reactor.
    std::array<std::uint64_t, bounds_us.size() + 1> drained{};
    std::uint64_t drained_us = 0;  ///< the sum

    void count_drain(std::uint64_t us) noexcept {
        const auto* const at = std::lower_bound(bounds_us.begin(), bounds_us.end(), us);
        ++drained[static_cast<std::size_t>(at - bounds_us.begin())];
        drained_us += us;
    }
};

/// What a drive says of its own condition (NVMe Base 2.0, SMART / Health Information log).
struct drive_health : device_health {
    std::uint64_t power_on_hours = 0;
    std::uint64_t unsafe_shutdowns = 0;
    std::uint64_t error_log_entries = 0;
};

/// An entry of the drive's own error log.
struct drive_error {
    std::uint64_t number = 0;  ///< counts all errors of the drive's life
    std::uint16_t qid = 0;
    std::uint64_t lba = 0;
    std::uint32_t nsid = 0;
    nvme::status status{};
};

struct drive_status {
    drive_state state = drive_state::absent;
    instant since{};               ///< when it came into this state
    std::uint32_t generation = 0;  ///< counts the attempts to attach
    bool detached = false;         ///< an operator wants it to stay away
    loss_cause last_loss = loss_cause::none;
    std::string reason{};  ///< of the last loss or failure, for people
    std::uint64_t losses = 0;
    std::uint64_t late_reports = 0;     ///< of a loss that was known already, or of a former drive
    std::uint64_t last_release_us = 0;  ///< from the first sign until close() was called
    std::uint64_t last_quiet_us = 0;    ///< from the first sign until it could touch no memory
    std::string firmware{};
    drive_counters counters{};
    std::uint64_t events = 0;              ///< asynchronous events that the drive sent
    std::uint64_t aborts = 0;              ///< commands that it was asked to end
    std::uint64_t faults = 0;              ///< completions that fit no command
    std::vector<drive_error> errors{};     ///< the newest of its error log, newest first
    std::optional<drive_health> health{};  ///< as it was last read
};

struct pcie_options {
    std::string name{};
    vfio::pci_address address{};
    std::uint32_t drive_nsid = 0;  ///< the drive's own namespace; 0: its first
    std::string serial{};          ///< only this drive; empty: the first that is seen there
    bool bind = true;              ///< take it from the kernel's nvme driver when nobody uses it
    bool detached = false;         ///< an operator wants it to stay away
    bool write_through = false;    ///< its volatile write cache is switched off
    duration command_timeout = std::chrono::seconds(10);  ///< then the drive is reset
};

/// What happens to a drive, for the history and the event stream.
enum class drive_occurrence : std::uint8_t {
    arrived,   ///< the kernel found a drive there, or gave it to vfio-pci
    ready,     ///< it serves, for the first time
    returned,  ///< it serves again
    lost,
    refused,   ///< one is there, and cannot be brought up or is not the right one
    detached,  ///< by an operator
    attached,  ///< by an operator
    released,  ///< the kernel has it back: it can be unplugged or unbound
};
inline constexpr std::size_t drive_occurrence_count =
    static_cast<std::size_t>(drive_occurrence::released) + 1;
[[nodiscard]] std::string_view to_string(drive_occurrence what) noexcept;

/// Called on: control reactor.
class drive_observer {
  public:
    /// `cause` of a loss, else none; `detail` for people, may be empty.
    virtual void on_drive_event(const pcie_options& which, drive_occurrence what, loss_cause cause,
                                std::string_view detail) noexcept = 0;

  protected:
    ~drive_observer() = default;
};

/// Called on: control reactor, unless a method says otherwise.
class pcie_device : public device {
  public:
    const char* type() const noexcept override { return "pcie"; }
    bool has_hardware_geometry() const noexcept override { return true; }
    [[nodiscard]] virtual const vfio::pci_address& address() const noexcept = 0;
    [[nodiscard]] virtual drive_status status() const = 0;
    [[nodiscard]] virtual const pcie_options& options() const noexcept = 0;

    /// A drive is there (again), says the kernel.
    virtual void arrived() noexcept = 0;
    /// A sign of loss; the first one of an incarnation counts.
    virtual void report_loss(loss_cause cause) noexcept = 0;
};

/// The devices of this kind that exist, by the place of their drive. Called on: control reactor.
class pcie_device_list {
  public:
    void join(pcie_device& device) { devices_.push_back(&device); }
    void leave(pcie_device& device) noexcept { std::erase(devices_, &device); }
    [[nodiscard]] pcie_device* find(const vfio::pci_address& address) const noexcept {
        for (pcie_device* d : devices_)
            if (d->address() == address) return d;
        return nullptr;
    }
    [[nodiscard]] const std::vector<pcie_device*>& all() const noexcept { return devices_; }

  private:
    std::vector<pcie_device*> devices_;
};

/// Which drives may be taken. Called on: any thread; does not change.
class drive_filter {
  public:
    /// Some drive may be taken there: what it must say of itself is asked later.
    [[nodiscard]] virtual bool allows_place(const vfio::pci_address& where) const noexcept = 0;
    [[nodiscard]] virtual bool allows(const vfio::pci_address& where, std::string_view serial,
                                      std::string_view model) const noexcept = 0;

  protected:
    ~drive_filter() = default;
};

/// What every drive uses. All of it outlives the devices.
struct pcie_environment {
    engine::reactor* control = nullptr;
    std::vector<engine::reactor*> data{};
    vfio::drive_access_provider* provider = nullptr;
    std::vector<std::span<std::byte>> memory{};  ///< what operations may point to: page aligned
    pcie_device_list* device_list = nullptr;     ///< may be null
    drive_observer* observer = nullptr;          ///< may be null
    const drive_filter* filter = nullptr;        ///< null: every drive may be taken
};

/// Begins to bring the drive up, and returns at once: until the listener is told that it is there
/// the device is lost. Devices of one device list at one address share the drive, one namespace
/// each. Called on: control reactor. Errors: no_memory; conflict (they name different serials, or
/// the same namespace); limit_reached (namespaces of a drive); permission_denied (the filter).
result<std::unique_ptr<pcie_device>> make_pcie_device(const pcie_options& options,
                                                      const pcie_environment& environment);

}  // namespace fulmar::backend
