#include "rest_session.hpp"

#include "exit.hpp"
#include "option_checks.hpp"
#include "rest_commands.hpp"

#include <fmt/core.h>

namespace fulmar::cli {

void rest_session::add_to(CLI::App& app) {
    app.add_option("--admin", endpoint_.address,
                   "fulmard's socket, http:// or https:// address (default: $FULMAR_ADMIN,\n"
                   "/run/fulmar/admin.sock, build/run/admin.sock)")
        ->type_name("WHERE");
    app.add_option("--token-file", endpoint_.token_file,
                   "file with the bearer token, for http:// and https://")
        ->type_name("FILE");
    app.add_option("--ca", endpoint_.ca, "PEM file of whom to trust, for https://")
        ->type_name("FILE");
    app.add_option("--cert", endpoint_.certificate,
                   "PEM file of a client certificate, for https://")
        ->type_name("FILE");
    app.add_option("--key", endpoint_.key, "PEM file of its key (default: that of --cert)")
        ->type_name("FILE");
    app.add_option("--timeout", endpoint_.timeout_s, "seconds to wait for an answer")
        ->capture_default_str()
        ->check(between(0.01, 86400.0));
    app.add_flag("--json", as_json_, "as JSON");
}

void rest_session::add_volatile(CLI::App& app) {
    app.add_flag("--volatile", volatile_, "do not wait for the disk: a crash may undo it");
}

CLI::App* rest_session::add_verb(CLI::App& group, const char* name, const char* about,
                                 bool changes) {
    CLI::App* const command = group.add_subcommand(name, about);
    add_to(*command);
    if (changes) add_volatile(*command);
    return command;
}

rest_client& rest_session::client() {
    if (client_ == nullptr)
        client_ = std::make_unique<rest_client>(value_or_leave(rest_client::connect(endpoint_)));
    return *client_;
}

rest_session::json rest_session::get(const std::string& target) {
    return value_or_leave(client().call("GET", target));
}

std::string with_parameter(const std::string& target, std::string_view parameter) {
    std::string out = target;
    out += target.find('?') == std::string::npos ? '?' : '&';
    return out.append(parameter);
}

rest_session::json rest_session::change(std::string_view method, const std::string& target,
                                        const json* body) {
    return value_or_leave(
        client().call(method, volatile_ ? with_parameter(target, "durable=false") : target, body));
}

void rest_session::show(const json& document, const std::function<std::string()>& people) const {
    if (as_json_)
        fmt::print("{}\n", document.dump(2));
    else
        fmt::print("{}", people());
}

void rest_session::done(const json& document, const std::string& what) const {
    if (!as_json_)
        fmt::print("{}\n", what);
    else if (!document.is_null())
        fmt::print("{}\n", document.dump(2));
}

std::string text_of(const rest_client::json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return {};
    if (found->is_string()) return found->get<std::string>();
    if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
    return found->dump();
}

void add_rest_commands(CLI::App& app) {
    for (const auto add :
         {add_status, add_subsystem, add_namespace, add_ana, add_host, add_key, add_listener,
          add_device, add_referral, add_connection, add_config, add_events, add_token})
        add(app);
}

}  // namespace fulmar::cli
