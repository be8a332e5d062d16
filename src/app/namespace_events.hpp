// From what core tells of namespaces to the events that operators read.
#pragma once

#include <fulmar/admin/event.hpp>
#include <fulmar/admin/event_numbers.hpp>
#include <fulmar/core/namespace_observer.hpp>

#include <functional>

namespace fulmar::app {

/// Called on: control reactor.
class namespace_events final : public core::namespace_observer {
  public:
    using publisher = std::function<void(const admin::event&)>;

    /// `numbers` outlives it.
    explicit namespace_events(admin::event_numbers& numbers) noexcept : numbers_(numbers) {}

    /// Who is told of every event; null: nobody any more.
    void set_publisher(publisher to) { publish_ = std::move(to); }

    void on_namespace_occurrence(const core::namespace_occurrence& one) noexcept override;

  private:
    admin::event_numbers& numbers_;
    publisher publish_;
};

}  // namespace fulmar::app
