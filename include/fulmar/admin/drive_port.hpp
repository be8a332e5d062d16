// What the administration may ask about the drives of this machine, and what it is told of them.
// The admin layer knows no backend: the program brings an implementation. Plain values.
#pragma once

#include <fulmar/admin/event.hpp>
#include <fulmar/base/result.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::admin {

/// A drive on the bus, or the place of one that Fulmar is configured for.
struct drive_report {
    std::string address;
    bool present = false;  ///< the bus has it
    bool allowed = true;   ///< the configuration lets Fulmar take a drive there
    std::string slot;      ///< of the hot-plug slot; empty: none
    std::string driver;    ///< "nvme", "vfio-pci"; empty: none
    std::optional<int> iommu_group;
    std::string vendor;              ///< "0x1b36"; empty while Fulmar has the drive open
    std::string device_id;           ///< likewise
    std::vector<std::string> users;  ///< who uses its disks; nobody may take it then
    // As far as they are known.
    std::string serial;
    std::string model;
    std::string firmware;
    std::string subsystem_nqn;       ///< of the drive itself, as the kernel's driver tells it
    std::vector<std::string> disks;  ///< its namespaces under the kernel's driver: "nvme0n1"
    std::vector<std::string> names;  ///< of Fulmar's devices that stand on it, a namespace each
    // What they share; without meaning when there are none.
    std::string state;  ///< "absent" "attaching" "linking" "ready" "releasing"
    std::uint64_t in_state_ms = 0;
    bool detached = false;  ///< an operator wants it to stay away
    std::string cause;      ///< of the last loss
    std::string reason;     ///< why it does not serve, for people
    std::uint64_t losses = 0;
    std::vector<event> history;  ///< the last limits::drive_history
};

/// Implemented by drives::drive_service. Called on: any thread, all methods. Each answers once, on
/// a thread of its own choice, or never when the daemon ends meanwhile.
class drive_port {
  public:
    using listed = std::function<void(result<std::vector<drive_report>>)>;
    using finished = std::function<void(result<void>)>;

    /// Errors: limit_reached (limits::max_drive_jobs are under way); no_memory.
    virtual void list(listed then) = 0;
    /// Moves a drive to `driver`.  Errors: not_found; conflict (in use, by whom; Fulmar has it; the
    /// same is under way); not_supported (no IOMMU, no such driver); permission_denied; io_error;
    /// as list().
    virtual void bind(const std::string& address, const std::string& driver, finished then) = 0;
    /// `indicator`: "off", "on", "blink".  Errors: not_supported (what is missing);
    /// permission_denied; io_error; as list().
    virtual void locate(const std::string& address, const std::string& indicator,
                        finished then) = 0;

  protected:
    ~drive_port() = default;
};

}  // namespace fulmar::admin
