// The first fused pair of a namespace on its turn among the operations of its subsystem: what is on
// its way comes home, and every poll group gets the locks of ranges before anything else passes.
#pragma once

#include "operations.hpp"
#include "reservation/reservation_errand.hpp"

#include <memory>
#include <vector>

namespace fulmar::core {

/// Called on: control reactor.
class share_ranges_operation final : public operation {
  public:
    share_ranges_operation(subsystem& s, std::unique_ptr<reservation_errand> from);
    /// One that has had no turn, because the target stops, is answered here.
    ~share_ranges_operation() override;
    bool resume() override;
    [[nodiscard]] const nvme::host_id* of_host() const noexcept override {
        return errand_ ? &errand_->who : nullptr;
    }

    [[nodiscard]] bool concerns(namespace_id which) const noexcept {
        return errand_ != nullptr && errand_->ns == which;
    }
    /// Another pair waits for the same. Of too many, one is sent home.
    void join(std::unique_ptr<reservation_errand> another);

  private:
    bool finish(operation_end how);
    void answer(nvme::status status) noexcept;

    std::unique_ptr<reservation_errand> errand_;  // null: answered
    std::vector<std::unique_ptr<reservation_errand>> others_;
};

}  // namespace fulmar::core
