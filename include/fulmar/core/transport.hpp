// The seam between core and whatever moves capsules. core knows nothing below this file.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/status_report.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace fulmar::core {

class poll_group;
class target;

/// Accepts connections at one address until it is destroyed.
/// Called on: control reactor.
class listener {
  public:
    virtual ~listener() = default;
    [[nodiscard]] virtual listener_status status() const = 0;  ///< with the port that was bound
    /// False: discovery leaves it out. Whoever changes it calls target::discovery_changed(), since
    /// pages are kept until then.
    [[nodiscard]] virtual bool in_discovery() const noexcept { return true; }
};

/// What becomes of a listener whose address cannot be had now.
enum class listen_mode : std::uint8_t {
    now,    ///< it is refused: somebody asked for it and hears why
    retry,  ///< it waits, and tries again until it listens: it is configured, and may come later
};

/// What a transport keeps on one data reactor.
/// Called on: owning reactor; created and destroyed while the reactor does not run.
class transport_group {
  public:
    virtual ~transport_group() = default;
};

/// One way for hosts to reach the target.
/// Called on: control reactor.
class transport {
  public:
    virtual ~transport() = default;
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;  ///< "tcp"

    /// Errors: already_exists (address in use); unavailable (this machine does not have the
    /// address); invalid_argument; permission_denied; limit_reached. With listen_mode::retry the
    /// first two are none: `status().waits_for` tells. A transport whose hardware comes and goes
    /// (RDMA) waits in either mode.
    virtual result<std::unique_ptr<listener>> listen(const listener_spec& spec,
                                                     listen_mode mode) = 0;

    /// Called once per poll group before its reactor runs.  Errors: no_memory.
    virtual result<std::unique_ptr<transport_group>> create_group(poll_group& group) = 0;
};

}  // namespace fulmar::core
