// The TLS keys that hosts of a poll group's subsystems may have, by the identities they offer.
#pragma once

#include <fulmar/security/tls_session.hpp>

#include <string_view>
#include <vector>

namespace fulmar::core {

class poll_group;

/// Called on: the group's reactor.
class tls_host_keys final : public security::tls_psk_finder {
  public:
    explicit tls_host_keys(poll_group& group) noexcept : group_(group) {}

    /// As the configuration and the files of keys are now: the present key of that host for that
    /// subsystem, and those that are still accepted. For a discovery service, the keys that it has
    /// for whatever subsystem.
    [[nodiscard]] std::vector<security::tls_psk> find(std::string_view identity) const override;

  private:
    poll_group& group_;
};

}  // namespace fulmar::core
