// Events as REST tells them. Pure; any thread.
#pragma once

#include <fulmar/admin/event.hpp>

#include <nlohmann/json.hpp>

namespace fulmar::admin {

nlohmann::ordered_json to_json(const event& one);

}  // namespace fulmar::admin
