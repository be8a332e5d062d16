// Counters as Prometheus text. Pure.
#pragma once

#include "rest.hpp"

#include <fulmar/core/status_report.hpp>

#include <string>

namespace fulmar::admin {

/// The core's samples, and what the admin layer counts itself.
std::string render_metrics(const core::counters_report& report, const rest_context& context);

}  // namespace fulmar::admin
