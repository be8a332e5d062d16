// Listens for NVMe/RDMA connections at one address; while no RDMA device has that address, it waits
// for one.
#pragma once

#include "rdma_control.hpp"

#include <fulmar/core/listener_places.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/member_adapters.hpp>

#include <memory>
#include <string>

namespace fulmar::transport::rdma {

/// Called on: control reactor, all methods.
class rdma_listener final : public core::listener, public identifier_owner {
  public:
    /// A missing device is no error: the listener waits. Errors: those of
    /// connection_manager::listen().
    static fulmar::result<std::unique_ptr<core::listener>> open(const core::listener_spec& spec,
                                                                rdma_control& control);
    ~rdma_listener() override;
    [[nodiscard]] core::listener_status status() const override;

    [[nodiscard]] device* where() const noexcept { return id_ != nullptr ? id_->where() : nullptr; }
    /// Its device is going: listens no more, and tries again until one has the address.
    void lose(std::string_view why) noexcept;
    [[nodiscard]] const std::string& name() const noexcept { return counters->name; }

    std::shared_ptr<common::listener_counters> counters;
    /// Of its connections: who may have one more, and who gives way.
    std::shared_ptr<core::listener_places> places;

  private:
    rdma_listener(const core::listener_spec& spec, rdma_control& control);
    void try_again() noexcept;

    core::listener_spec spec_;
    rdma_control& control_;
    std::unique_ptr<identifier> id_;
    std::string waits_for_;  // while there is no id_
    engine::member_timer<&rdma_listener::try_again> retry_{*this};
};

}  // namespace fulmar::transport::rdma
