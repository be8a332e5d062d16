#include "drive_json.hpp"

#include "event_json.hpp"

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

void add(ordered_json& out, const char* key, const std::string& text) {
    if (!text.empty()) out[key] = text;
}

ordered_json identity(const drive_report& drive) {
    ordered_json out = ordered_json::object();
    add(out, "serial", drive.serial);
    add(out, "model", drive.model);
    add(out, "firmware", drive.firmware);
    add(out, "subsystem_nqn", drive.subsystem_nqn);
    add(out, "vendor", drive.vendor);
    add(out, "device", drive.device);
    return out;
}

ordered_json use(const drive_report& drive) {
    ordered_json out{{"name", drive.names.front()}, {"names", drive.names},
                     {"state", drive.state},        {"in_state_ms", drive.in_state_ms},
                     {"detached", drive.detached},  {"losses", drive.losses}};
    add(out, "cause", drive.cause);
    add(out, "reason", drive.reason);
    return out;
}

}  // namespace

ordered_json to_json(const drive_report& drive) {
    ordered_json out{{"address", drive.address.text()},
                     {"present", drive.present},
                     {"allowed", drive.allowed},
                     {"slot", drive.slot},
                     {"driver", drive.driver}};
    out["iommu_group"] = drive.iommu_group ? ordered_json(*drive.iommu_group) : ordered_json();
    out["users"] = drive.users;
    out["disks"] = drive.disks;
    out["identity"] = identity(drive);
    out["device"] = drive.names.empty() ? ordered_json() : use(drive);
    out["history"] = ordered_json::array();
    for (const event& one : drive.history) out["history"].push_back(to_json(one));
    return out;
}

}  // namespace fulmar::admin
