// The loopback transport on the control reactor: listeners by name, and who takes a new connection.
#pragma once

#include "loopback_group.hpp"

#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::transport::loopback {

/// Called on: control reactor, all methods.
class loopback_transport final : public core::transport {
  public:
    explicit loopback_transport(core::target& target) : target_(target) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "loopback"; }
    result<std::unique_ptr<core::listener>> listen(const core::listener_spec& spec,
                                                   core::listen_mode mode) override;
    result<std::unique_ptr<core::transport_group>> create_group(core::poll_group& group) override;

    /// A host wants in at the listener of that name.
    void knock(const std::string& listener, accepted_host from, std::optional<std::size_t> group);
    void forget(const std::string& listener) { listening_.erase(listener); }

  private:
    core::target& target_;
    std::vector<loopback_group*> groups_;
    std::map<std::string, std::shared_ptr<common::listener_counters>> listening_;
};

}  // namespace fulmar::transport::loopback
