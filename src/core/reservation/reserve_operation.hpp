// A reservation command, or a change of the write protection, on its turn among the operations of
// its subsystem: decided, what it denies drained, recorded, adopted by every poll group, answered.
// At each point it can fail and has changed nothing.
#pragma once

#include "operations.hpp"
#include "reservation_errand.hpp"

#include <fulmar/core/namespace_memory.hpp>
#include <fulmar/core/namespace_observer.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace fulmar::core {

/// Called on: control reactor.
class reserve_operation final : public operation, private namespace_memory::waiter {
  public:
    reserve_operation(subsystem& s, std::unique_ptr<reservation_errand> from);
    /// One that has had no turn, because the target stops, is answered here.
    ~reserve_operation() override;
    bool resume() override;
    void cancel(instant deadline) noexcept override;
    [[nodiscard]] const nvme::host_id* of_host() const noexcept override {
        return errand_ ? &errand_->who : nullptr;
    }
    [[nodiscard]] std::uint64_t of_controller() const noexcept override {
        return errand_ ? errand_->instance : 0;
    }

  private:
    [[nodiscard]] bool path_is_closed(const namespace_record& n);
    void decide(const namespace_record& n);
    void decide_protection(const namespace_record& n, const protection_request& asked);
    std::vector<std::uint32_t> adopt(namespace_record& n);
    [[nodiscard]] kept_namespace describe(const namespace_record& n, bool decided) const;
    /// False: it is done, or has failed; nobody has to be waited for.
    bool record(namespace_record& n);
    void undo_record(const namespace_record& n) noexcept;
    void on_recorded(result<void> outcome) noexcept override;
    void on_record_late() noexcept;
    void describe_adoption(const namespace_record& n) noexcept;
    void tell_operators() noexcept;
    bool finish(operation_end how);

    std::unique_ptr<reservation_errand> errand_;  // null: answered
    reservation_outcome outcome_;
    std::optional<nvme::write_protection> protection_;  // to be adopted
    std::optional<namespace_occurrence> occurrence_;    // of what has been adopted
    bool takes_ = false;
    bool waits_ = false;   // for the record
    bool failed_ = false;  // to be recorded
    engine::member_timer<&reserve_operation::on_record_late> record_deadline_{*this};
};

}  // namespace fulmar::core
