// What is counted of drives, for the metrics.
#pragma once

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/core/counter_source.hpp>

namespace fulmar::drives {

/// Called on: control reactor.
class drive_metrics final : public core::counter_source {
  public:
    explicit drive_metrics(const backend::pcie_device_list& device_list) noexcept
        : device_list_(device_list) {}
    void report(core::counters_report& into) const override;

  private:
    const backend::pcie_device_list& device_list_;
};

}  // namespace fulmar::drives
