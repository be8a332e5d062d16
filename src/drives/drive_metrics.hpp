// What is counted of drives, for the metrics.
#pragma once

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/core/counter_source.hpp>

namespace fulmar::drives {

/// Called on: control reactor.
class drive_metrics final : public core::counter_source {
  public:
    explicit drive_metrics(const backend::pcie_roster& roster) noexcept : roster_(roster) {}
    void report(core::counters_report& into) const override;

  private:
    const backend::pcie_roster& roster_;
};

}  // namespace fulmar::drives
