// A host has lost a path and asks over another one that the controller there be ended: on its turn
// among the operations of the subsystem every poll group ends it, and then says that nothing of it
// is at a backend.
#pragma once

#include "operations.hpp"
#include "reservation/reservation_errand.hpp"

#include <cstdint>
#include <memory>

namespace fulmar::core {

/// Called on: control reactor.
class cross_reset_operation final : public operation {
  public:
    cross_reset_operation(subsystem& s, std::unique_ptr<reservation_errand> from);
    /// One that has had no turn, because the target stops, is answered here.
    ~cross_reset_operation() override;
    bool resume() override;
    [[nodiscard]] std::uint64_t of_controller() const noexcept override {
        return errand_ ? errand_->instance : 0;
    }
    [[nodiscard]] bool ends(const controller_instance& which) const noexcept {
        return errand_ != nullptr && wanted().instance == which;
    }

  private:
    [[nodiscard]] const cross_reset_request& wanted() const noexcept;
    /// Asks every poll group; false.
    bool ask();
    bool finish();
    // The ends: true.
    bool tell_of_failure();
    bool answer_as(nvme::status status);

    std::unique_ptr<reservation_errand> errand_;  // null: answered
    unsigned asked_ = 0;                          // how often
    instant deadline_{};
    bool was_there_ = false;
};

}  // namespace fulmar::core
