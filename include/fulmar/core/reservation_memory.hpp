// Where the reservations of namespaces are kept over restarts, by the UUID of the namespace.
// Implemented by app::reservation_files, called by core. Must never: report a state as recorded
// that a power cut can take back.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/reservation_record.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <optional>

namespace fulmar::core {

/// Called on: control reactor.
class reservation_memory {
  public:
    /// Told once a record is on stable storage, or that it will not be.
    class waiter {
      public:
        virtual void on_recorded(result<void> outcome) noexcept = 0;

      protected:
        ~waiter() = default;
    };

    /// What is known; nothing: no host has registered. Errors: there is a record, and it cannot be
    /// understood.
    [[nodiscard]] virtual result<std::optional<reservation_record>> recall(
        const nvme::uuid& of) const = 0;
    /// Writes `what` in the place of what was known of `of`, in the order of calls, and tells `w`
    /// (may be null), later. May throw std::bad_alloc: then nothing was written, and nobody is
    /// told.
    virtual void record(const nvme::uuid& of, const reservation_record& what, waiter* w) = 0;
    /// An operator has removed the namespace: nothing is known of it any more, some time later.
    virtual void forget(const nvme::uuid& of) noexcept = 0;
    /// `w` is not told any more. What it waited for may still be written.
    virtual void withdraw(waiter& w) noexcept = 0;

  protected:
    ~reservation_memory() = default;
};

}  // namespace fulmar::core
