// What the administration may ask about the drives of this machine, and what it is told of them.
// The admin layer knows no backend: the program brings an implementation. Plain values.
#pragma once

#include <fulmar/admin/event.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/vfio/drives.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fulmar::admin {

/// A drive on the bus, or the place of one that Fulmar is configured for: what the bus tells of it,
/// and what Fulmar does. Without meaning when the bus does not have it: all but `address`; vendor
/// and device are empty while Fulmar has it open, serial, model and firmware as long as nobody
/// knows them.
struct drive_report : vfio::drive_info {
    bool present = false;            ///< the bus has it
    bool allowed = true;             ///< the configuration lets Fulmar take a drive there
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

/// What an operator wants of a drive that he names.
enum class drive_wish : std::uint8_t { bind, unbind, attach, detach, drain };

/// What that takes.
struct drive_plan {
    drive_report drive;
    bool done = false;  ///< it is so already
    /// Of attach, detach and drain, one after the other: the configuration records them.
    std::vector<core::change> changes;
};

/// The one way of the administration to a drive: what may be asked of it is decided behind it.
/// Implemented by drives::drive_service. Called on: any thread, all methods. Each answers once, on
/// a thread of its own choice, or never when the daemon ends meanwhile.
class drive_port {
  public:
    using listed = std::function<void(result<std::vector<drive_report>>)>;
    using shown = std::function<void(result<drive_report>)>;
    using planned = std::function<void(result<drive_plan>)>;
    using finished = std::function<void(result<void>)>;

    /// Errors: limit_reached (limits::max_drive_jobs are under way); no_memory.
    virtual void list(listed then) = 0;
    /// `which`: an address or a serial number.  Errors: not_found; as list().
    virtual void find(const std::string& which, shown then) = 0;
    /// Nothing is done yet.  Errors: as find(); conflict (a device stands on it, or none does).
    virtual void plan(const std::string& which, drive_wish wish, planned then) = 0;
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
