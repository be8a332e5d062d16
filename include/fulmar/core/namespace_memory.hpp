// Where what hosts have made of namespaces is kept over restarts, by the UUID of the namespace: who
// has reserved it, whether it is write protected. Implemented by app::namespace_files, called by
// core. Must never: report a state as recorded that a power cut can take back.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/reservation_record.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <optional>

namespace fulmar::core {

/// Of one namespace, recorded as a whole.
struct kept_namespace {
    std::optional<reservation_record> reservation{};  ///< none: no host has registered
    nvme::write_protection protection = nvme::write_protection::none;

    [[nodiscard]] bool operator==(const kept_namespace&) const noexcept = default;
};

/// Called on: control reactor.
class namespace_memory {
  public:
    /// Told once a record is on stable storage, or that it will not be.
    class waiter {
      public:
        virtual void on_recorded(result<void> outcome) noexcept = 0;

      protected:
        ~waiter() = default;
    };

    /// What is known; nothing: no host has changed anything. Errors: there is a record, and it
    /// cannot be understood.
    [[nodiscard]] virtual result<std::optional<kept_namespace>> recall(
        const nvme::uuid& of) const = 0;
    /// Writes `what` in the place of what was known of `of`, in the order of calls, and tells `w`
    /// (may be null), later. May throw std::bad_alloc: then nothing was written, and nobody is
    /// told.
    virtual void record(const nvme::uuid& of, const kept_namespace& what, waiter* w) = 0;
    /// An operator has removed the namespace: nothing is known of it any more, some time later.
    virtual void forget(const nvme::uuid& of) noexcept = 0;
    /// `w` is not told any more. What it waited for may still be written.
    virtual void withdraw(waiter& w) noexcept = 0;

  protected:
    ~namespace_memory() = default;
};

}  // namespace fulmar::core
