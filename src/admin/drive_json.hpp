// Drives and their events → JSON. Pure; any thread.
#pragma once

#include <fulmar/admin/drive_port.hpp>

#include <nlohmann/json.hpp>

namespace fulmar::admin {

nlohmann::ordered_json to_json(const drive_report& drive);

}  // namespace fulmar::admin
