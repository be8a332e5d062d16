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

constexpr auto by_anyone = role::anyone;
constexpr auto by_metrics = role::metrics;
constexpr auto by_viewer = role::viewer;
constexpr auto by_operator = role::operator_;  // can neither lose data nor let anybody in
constexpr auto by_admin = role::admin;

std::vector<route> with_ana_groups(std::vector<route> table) {
    constexpr auto none = route::body::none;
    constexpr auto with_body = route::body::json;
    const std::vector<route> more{
        {by_viewer, "GET", "/v1/subsystems/{nqn}/ana_groups", routes::list_ana_groups},
        {by_viewer, "GET", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::show_ana_group},
        {by_admin, "PUT", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::put_ana_group,
         with_body, true},
        {by_operator, "PATCH", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::patch_ana_group,
         with_body, true},
        {by_admin, "DELETE", "/v1/subsystems/{nqn}/ana_groups/{group}", routes::delete_ana_group,
         none, true},
        {by_operator, "PUT", "/v1/subsystems/{nqn}/ana_groups/{group}/listeners/{name}",
         routes::put_ana_path, with_body, true},
        {by_operator, "DELETE", "/v1/subsystems/{nqn}/ana_groups/{group}/listeners/{name}",
         routes::delete_ana_path, none, true},
    };
    table.insert(table.end(), more.begin(), more.end());
    return table;
}

std::vector<route> with_keys(std::vector<route> table) {
    constexpr auto with_body = route::body::json;
    const std::vector<route> more{
        {by_admin, "PUT", "/v1/subsystems/{nqn}/hosts/{host}", routes::put_host,
         route::body::maybe_json, true},
        {by_viewer, "GET", "/v1/keys", routes::list_keys},
        {by_admin, "POST", "/v1/keys", routes::set_key, with_body},
        {by_viewer, "GET", "/v1/keys/{name}", routes::show_key},
        {by_admin, "DELETE", "/v1/keys/{name}", routes::remove_key},
    };
    table.insert(table.end(), more.begin(), more.end());
    return table;
}

/// Devices, drives, and what happens to them.
std::vector<route> with_storage(std::vector<route> table) {
    constexpr auto none = route::body::none;
    constexpr auto maybe = route::body::maybe_json;
    constexpr auto with_body = route::body::json;
    const std::vector<route> more{
        {by_viewer, "GET", "/v1/devices", routes::list_devices},
        {by_admin, "POST", "/v1/devices", routes::create_device, with_body, true},
        {by_viewer, "GET", "/v1/devices/{name}", routes::show_device},
        {by_admin, "PATCH", "/v1/devices/{name}", routes::patch_device, with_body, true},
        {by_admin, "DELETE", "/v1/devices/{name}", routes::delete_device, none, true},
        {by_operator, "POST", "/v1/devices/{name}/reopen", routes::reopen_device, maybe, true},

        {by_viewer, "GET", "/v1/drives", routes::list_drives},
        {by_viewer, "GET", "/v1/drives/{drive}", routes::show_drive},
        {by_admin, "POST", "/v1/drives/{drive}/bind", routes::bind_drive},
        {by_admin, "POST", "/v1/drives/{drive}/unbind", routes::unbind_drive},
        {by_operator, "POST", "/v1/drives/{drive}/attach", routes::attach_drive, none, true},
        {by_operator, "POST", "/v1/drives/{drive}/detach", routes::detach_drive, none, true},
        {by_operator, "POST", "/v1/drives/{drive}/drain", routes::drain_drive, none, true},
        {by_operator, "POST", "/v1/drives/{drive}/locate", routes::locate_drive, with_body},
        {by_viewer, "GET", "/v1/events", routes::events, none, false, as_json, "after"},
    };
    table.insert(table.end(), more.begin(), more.end());
    return table;
}
}  // namespace

const std::vector<route>& all_routes() {
    constexpr auto none = route::body::none;
    constexpr auto with_body = route::body::json;
    static const std::vector<route> table = with_storage(with_keys(with_ana_groups({
        {by_anyone, "GET", "/", routes::page, none, false, as_html},
        {by_anyone, "GET", "/page.css", routes::page_style, none, false, as_css},
        {by_anyone, "GET", "/page.js", routes::page_script, none, false, as_script},
        {by_metrics, "GET", "/metrics", routes::metrics, none, false, as_metrics},
        {by_anyone, "GET", "/v1/health", routes::health},
        {by_viewer, "GET", "/v1/version", routes::version},
        {by_viewer, "GET", "/v1/openapi.json", routes::openapi},
        {by_viewer, "GET", "/v1/connections", routes::connections},
        {by_viewer, "GET", "/v1/connections/{id}", routes::show_connection},
        {by_operator, "DELETE", "/v1/connections/{id}", routes::end_connection},
        {by_viewer, "GET", "/v1/recorder", routes::recorder},
        {by_viewer, "GET", "/v1/recorder/timeline", routes::timeline, none, false, as_text},
        {by_viewer, "GET", "/v1/config", routes::config},
        {by_metrics, "GET", "/v1/whoami", routes::whoami},
        {by_viewer, "GET", "/v1/tokens", routes::list_tokens},
        {by_admin, "POST", "/v1/tokens", routes::create_token, with_body},
        {by_viewer, "GET", "/v1/tokens/{name}", routes::show_token},
        {by_admin, "DELETE", "/v1/tokens/{name}", routes::revoke_token},
        {by_admin, "POST", "/v1/tokens/{name}/rotate", routes::rotate_token},
        {by_operator, "POST", "/v1/config/reload", routes::reload, none, false, as_json,
         "dry_run prune force", "prune force"},

        {by_viewer, "GET", "/v1/subsystems", routes::list_subsystems},
        {by_admin, "POST", "/v1/subsystems", routes::create_subsystem, with_body, true},
        {by_viewer, "GET", "/v1/subsystems/{nqn}", routes::show_subsystem},
        {by_admin, "PUT", "/v1/subsystems/{nqn}", routes::put_subsystem, with_body, true, as_json,
         "force"},
        {by_admin, "PATCH", "/v1/subsystems/{nqn}", routes::patch_subsystem, with_body, true},
        {by_admin, "DELETE", "/v1/subsystems/{nqn}", routes::delete_subsystem, none, true, as_json,
         "force"},
        {by_operator, "POST", "/v1/subsystems/{nqn}/pause", routes::pause_subsystem, none, true},
        {by_operator, "POST", "/v1/subsystems/{nqn}/resume", routes::resume_subsystem, none, true},
        {by_viewer, "GET", "/v1/subsystems/{nqn}/hosts", routes::list_hosts},
        {by_admin, "POST", "/v1/subsystems/{nqn}/hosts", routes::add_host, with_body, true},
        {by_viewer, "GET", "/v1/subsystems/{nqn}/hosts/{host}", routes::show_host},
        {by_admin, "DELETE", "/v1/subsystems/{nqn}/hosts/{host}", routes::remove_host, none, true},

        {by_viewer, "GET", "/v1/subsystems/{nqn}/namespaces", routes::list_namespaces},
        {by_admin, "POST", "/v1/subsystems/{nqn}/namespaces", routes::add_namespace, with_body,
         true},
        {by_viewer, "GET", "/v1/subsystems/{nqn}/namespaces/{nsid}", routes::show_namespace},
        {by_admin, "PATCH", "/v1/subsystems/{nqn}/namespaces/{nsid}", routes::patch_namespace,
         with_body, true},
        {by_admin, "DELETE", "/v1/subsystems/{nqn}/namespaces/{nsid}", routes::remove_namespace,
         none, true},
        {by_admin, "DELETE", "/v1/subsystems/{nqn}/namespaces/{nsid}/protection",
         routes::lift_protection},

        {by_viewer, "GET", "/v1/listeners", routes::list_listeners},
        {by_admin, "POST", "/v1/listeners", routes::add_listener, with_body, true},
        {by_viewer, "GET", "/v1/listeners/{name}", routes::show_listener},
        {by_admin, "DELETE", "/v1/listeners/{name}", routes::remove_listener, none, true},

        {by_viewer, "GET", "/v1/referrals", routes::list_referrals},
        {by_admin, "POST", "/v1/referrals", routes::add_referral, with_body, true},
        {by_viewer, "GET", "/v1/referrals/{name}", routes::show_referral},
        {by_admin, "DELETE", "/v1/referrals/{name}", routes::remove_referral, none, true},
    })));
    return table;
}

}  // namespace fulmar::admin
