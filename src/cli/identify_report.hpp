// Identify structures as JSON, which is also what the readable form is printed from.
#pragma once

#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/namespace_ids.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace fulmar::cli {

[[nodiscard]] nlohmann::ordered_json describe(const nvme::identify_controller& c);
[[nodiscard]] nlohmann::ordered_json describe(std::uint32_t nsid, const nvme::identify_namespace& n,
                                              const nvme::namespace_ids& ids);
/// One line per value, indented as nested.
[[nodiscard]] std::string readable(const nlohmann::ordered_json& what);

}  // namespace fulmar::cli
