// What GET shows: specifications as in the config file, plus "status" with what is going on. Pure.
#pragma once

#include "missing.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/core/status_report.hpp>

#include <nlohmann/json.hpp>

namespace fulmar::admin {

nlohmann::ordered_json to_json(const core::subsystem_status& status);
nlohmann::ordered_json to_json(const core::namespace_status& status);
nlohmann::ordered_json to_json(const core::device_status& status);
nlohmann::ordered_json to_json(const core::listener_status& status);
nlohmann::ordered_json to_json(const core::connection_status& status);
nlohmann::ordered_json to_json(const core::target_status& status);
nlohmann::ordered_json to_json(const core::flight_report& report);
nlohmann::ordered_json to_json(const missing_part& part);

/// A whole configuration in the shape of the config file, with every option spelled out.
nlohmann::ordered_json to_json(const daemon_options& options, const core::target_spec& spec);

}  // namespace fulmar::admin
