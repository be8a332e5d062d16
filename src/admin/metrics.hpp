// Counters as Prometheus text. Pure.
#pragma once

#include "rest.hpp"

#include <fulmar/core/status_report.hpp>

#include <cstddef>
#include <string>

namespace fulmar::admin {

/// The core's samples, and what the admin layer counts itself; `missing` parts of the
/// configuration.
std::string render_metrics(const core::counters_report& report, const rest_context& context,
                           std::size_t missing);

}  // namespace fulmar::admin
