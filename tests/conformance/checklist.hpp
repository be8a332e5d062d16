// The sections of the checklist, one function each.
#pragma once

#include "rows.hpp"

#include <span>

namespace fulmar::conformance {

[[nodiscard]] std::span<const row> fabrics_checklist();
[[nodiscard]] std::span<const row> property_checklist();
[[nodiscard]] std::span<const row> admin_checklist();
[[nodiscard]] std::span<const row> io_checklist();
[[nodiscard]] std::span<const row> log_checklist();
[[nodiscard]] std::span<const row> identify_checklist();
[[nodiscard]] std::span<const row> feature_checklist();
[[nodiscard]] std::span<const row> event_checklist();
[[nodiscard]] std::span<const row> discovery_checklist();
[[nodiscard]] std::span<const row> tcp_checklist();
[[nodiscard]] std::span<const row> minimum_checklist();
[[nodiscard]] std::span<const row> input_checklist();
[[nodiscard]] std::span<const row> bounds_checklist();

}  // namespace fulmar::conformance
