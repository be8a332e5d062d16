// The table of routes. A test compares it with openapi.json.
#include "routes.hpp"

namespace fulmar::admin {

namespace {
constexpr std::string_view as_json = "application/json";
constexpr std::string_view as_metrics = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view as_text = "text/plain; charset=utf-8";
constexpr std::string_view as_html = "text/html; charset=utf-8";
constexpr std::string_view as_css = "text/css; charset=utf-8";
constexpr std::string_view as_script = "text/javascript; charset=utf-8";

std::vector<route> with_ana_groups(std::vector<route> table) {
    constexpr auto none = route::body::none;
    constexpr auto with_body = route::body::json;
    const std::vector<route> more{
        {"GET", "/v1/subsystems/{nqn}/ana_groups", routes::list_ana_groups},
        {"GET", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::show_ana_group},
        {"PUT", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::put_ana_group, with_body, true},
        {"PATCH", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::patch_ana_group, with_body,
         true},
        {"DELETE", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::delete_ana_group, none, true},
        {"PUT", "/v1/subsystems/{nqn}/ana_groups/{group}/listeners/{name}", routes::put_ana_path,
         with_body, true},
        {"DELETE", "/v1/subsystems/{nqn}/ana_groups/{group}/listeners/{name}",
         routes::delete_ana_path, none, true},
    };
    table.insert(table.end(), more.begin(), more.end());
    return table;
}

std::vector<route> with_keys(std::vector<route> table) {
    const std::vector<route> more{
        {"PUT", "/v1/subsystems/{nqn}/hosts/{host}", routes::put_host, route::body::maybe_json,
         true},
        {"GET", "/v1/keys", routes::list_keys},
        {"POST", "/v1/keys", routes::set_key, route::body::json},
        {"GET", "/v1/keys/{name}", routes::show_key},
        {"DELETE", "/v1/keys/{name}", routes::remove_key},
    };
    table.insert(table.end(), more.begin(), more.end());
    return table;
}
}  // namespace

const std::vector<route>& all_routes() {
    constexpr auto none = route::body::none;
    constexpr auto maybe = route::body::maybe_json;
    constexpr auto with_body = route::body::json;
    static const std::vector<route> table = with_keys(with_ana_groups({
        {"GET", "/", routes::page, none, false, as_html},
        {"GET", "/page.css", routes::page_style, none, false, as_css},
        {"GET", "/page.js", routes::page_script, none, false, as_script},
        {"GET", "/metrics", routes::metrics, none, false, as_metrics},
        {"GET", "/v1/health", routes::health},
        {"GET", "/v1/version", routes::version},
        {"GET", "/v1/openapi.json", routes::openapi},
        {"GET", "/v1/connections", routes::connections},
        {"GET", "/v1/connections/{id}", routes::show_connection},
        {"DELETE", "/v1/connections/{id}", routes::end_connection},
        {"GET", "/v1/recorder", routes::recorder},
        {"GET", "/v1/recorder/timeline", routes::timeline, none, false, as_text},
        {"GET", "/v1/config", routes::config},
        {"POST", "/v1/config/reload", routes::reload, none, false, as_json, "dry_run prune force"},

        {"GET", "/v1/subsystems", routes::list_subsystems},
        {"POST", "/v1/subsystems", routes::create_subsystem, with_body, true},
        {"GET", "/v1/subsystems/{nqn}", routes::show_subsystem},
        {"PUT", "/v1/subsystems/{nqn}", routes::put_subsystem, with_body, true, as_json, "force"},
        {"PATCH", "/v1/subsystems/{nqn}", routes::patch_subsystem, with_body, true},
        {"DELETE", "/v1/subsystems/{nqn}", routes::delete_subsystem, none, true, as_json, "force"},
        {"POST", "/v1/subsystems/{nqn}/pause", routes::pause_subsystem, none, true},
        {"POST", "/v1/subsystems/{nqn}/resume", routes::resume_subsystem, none, true},
        {"GET", "/v1/subsystems/{nqn}/hosts", routes::list_hosts},
        {"POST", "/v1/subsystems/{nqn}/hosts", routes::add_host, with_body, true},
        {"GET", "/v1/subsystems/{nqn}/hosts/{host}", routes::show_host},
        {"DELETE", "/v1/subsystems/{nqn}/hosts/{host}", routes::remove_host, none, true},

        {"GET", "/v1/subsystems/{nqn}/namespaces", routes::list_namespaces},
        {"POST", "/v1/subsystems/{nqn}/namespaces", routes::add_namespace, with_body, true},
        {"GET", "/v1/subsystems/{nqn}/namespaces/{nsid}", routes::show_namespace},
        {"PATCH", "/v1/subsystems/{nqn}/namespaces/{nsid}", routes::patch_namespace, with_body,
         true},
        {"DELETE", "/v1/subsystems/{nqn}/namespaces/{nsid}", routes::remove_namespace, none, true},
        {"DELETE", "/v1/subsystems/{nqn}/namespaces/{nsid}/protection", routes::lift_protection},

        {"GET", "/v1/listeners", routes::list_listeners},
        {"POST", "/v1/listeners", routes::add_listener, with_body, true},
        {"GET", "/v1/listeners/{name}", routes::show_listener},
        {"DELETE", "/v1/listeners/{name}", routes::remove_listener, none, true},

        {"GET", "/v1/referrals", routes::list_referrals},
        {"POST", "/v1/referrals", routes::add_referral, with_body, true},
        {"GET", "/v1/referrals/{name}", routes::show_referral},
        {"DELETE", "/v1/referrals/{name}", routes::remove_referral, none, true},

        {"GET", "/v1/devices", routes::list_devices},
        {"POST", "/v1/devices", routes::create_device, with_body, true},
        {"GET", "/v1/devices/{name}", routes::show_device},
        {"PATCH", "/v1/devices/{name}", routes::patch_device, with_body, true},
        {"DELETE", "/v1/devices/{name}", routes::delete_device, none, true},
        {"POST", "/v1/devices/{name}/reopen", routes::reopen_device, maybe, true},

        {"GET", "/v1/drives", routes::list_drives},
        {"GET", "/v1/drives/{drive}", routes::show_drive},
        {"POST", "/v1/drives/{drive}/bind", routes::bind_drive},
        {"POST", "/v1/drives/{drive}/unbind", routes::unbind_drive},
        {"POST", "/v1/drives/{drive}/attach", routes::attach_drive, none, true},
        {"POST", "/v1/drives/{drive}/detach", routes::detach_drive, none, true},
        {"POST", "/v1/drives/{drive}/drain", routes::drain_drive, none, true},
        {"POST", "/v1/drives/{drive}/locate", routes::locate_drive, with_body},
        {"GET", "/v1/events", routes::events, none, false, as_json, "after"},
    }));
    return table;
}

}  // namespace fulmar::admin
