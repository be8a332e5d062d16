// Who counts what core does not know of.
#pragma once

#include <fulmar/core/status_report.hpp>

namespace fulmar::core {

/// A transport may derive from it beside core::transport, and whoever composes the target may name
/// another one; the target asks.
/// Called on: control reactor.
class counter_source {
  public:
    virtual void report(counters_report& into) const = 0;

  protected:
    ~counter_source() = default;
};

}  // namespace fulmar::core
