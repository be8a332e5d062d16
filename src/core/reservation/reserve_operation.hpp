// A reservation command on its turn among the operations of its subsystem: decided, what it denies
// drained, recorded, adopted by every poll group, answered. At each point it can fail and has
// changed nothing.
#pragma once

#include "operations.hpp"
#include "reservation_errand.hpp"

#include <fulmar/core/reservation_memory.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <memory>

namespace fulmar::core {

/// Called on: control reactor.
class reserve_operation final : public operation, private reservation_memory::waiter {
  public:
    reserve_operation(subsystem& s, std::unique_ptr<reservation_errand> from);
    /// One that has had no turn, because the target stops, is answered here.
    ~reserve_operation() override;
    bool resume() override;
    void hurry(instant deadline) noexcept override;
    [[nodiscard]] const nvme::host_id* of_host() const noexcept override {
        return errand_ ? &errand_->who : nullptr;
    }

  private:
    void decide(const namespace_record& n);
    /// False: it is done, or has failed; nobody has to be waited for.
    bool record(const namespace_record& n, const reservation_state& next);
    void undo_record(const namespace_record& n) noexcept;
    void on_recorded(result<void> outcome) noexcept override;
    void on_record_late() noexcept;
    bool finish(operation_end how);

    std::unique_ptr<reservation_errand> errand_;  // null: answered
    reservation_outcome outcome_;
    bool takes_ = false;
    bool waits_ = false;   // for the record
    bool failed_ = false;  // to be recorded
    engine::member_timer<&reserve_operation::on_record_late> record_deadline_{*this};
};

}  // namespace fulmar::core
