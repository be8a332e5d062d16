#include "event_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <string>

namespace fulmar::admin {

namespace {

std::string time_text(std::int64_t unix_ms) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000);
}

}  // namespace

nlohmann::ordered_json to_json(const event& one) {
    nlohmann::ordered_json out{{"sequence", one.sequence}, {"time", time_text(one.unix_ms)}};
    const auto add = [&out](const char* key, const std::string& text) {
        if (!text.empty()) out[key] = text;
    };
    add("address", one.address);
    add("subsystem", one.subsystem);
    if (one.nsid != 0) out["nsid"] = one.nsid;
    add("host", one.host);
    out["event"] = one.what;
    add("device", one.device);
    add("cause", one.cause);
    add("detail", one.detail);
    return out;
}

}  // namespace fulmar::admin
