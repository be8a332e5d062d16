// fulmar token: who may administrate, by name.
#include "option_checks.hpp"
#include "rest_session.hpp"
#include "table.hpp"

#include <fulmar/base/limits.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

struct token_settings {
    rest_session session;
    std::string name;
    std::string role;
    std::uint32_t valid_days = 0;
};

std::string token_place(const token_settings& s) { return "/v1/tokens/" + path_segment(s.name); }

CLI::App* add_token_verb(CLI::App& group, const char* verb, const char* about,
                         const std::shared_ptr<token_settings>& s) {
    CLI::App* const c = s->session.add_verb(group, verb, about, false);
    c->add_option("name", s->name, "whose it is: letters, digits, - _ . @")
        ->required()
        ->type_name("NAME");
    return c;
}

/// The token alone on standard output, so that a shell can put it where it belongs.
void show_new_token(const token_settings& s, const json& made) {
    s.session.show(made, [&] {
        fmt::print(stderr, "the token of {} ({}); it is shown this once:\n", s.name,
                   text_of(made, "role"));
        return text_of(made, "token") + "\n";
    });
}

void add_list_tokens(CLI::App& group) {
    auto s = std::make_shared<token_settings>();
    CLI::App* const c = s->session.add_verb(group, "list", "who has a token", false);
    c->callback([s] {
        const json answer = s->session.get("/v1/tokens");
        s->session.show(answer, [&] {
            table rows({"NAME", "ROLE", "CREATED", "EXPIRES"});
            for (const json& one : answer.value("tokens", json::array()))
                rows.add({text_of(one, "name"), text_of(one, "role"), text_of(one, "created"),
                          one.value("expired", false) ? "expired" : text_of(one, "expires")});
            return rows.text("no named tokens\n");
        });
    });
}

void add_create_token(CLI::App& group) {
    auto s = std::make_shared<token_settings>();
    CLI::App* const c = add_token_verb(group, "create", "make a token, and show it once", s);
    c->add_option("--role", s->role, "what its owner may do: metrics, viewer, operator, admin")
        ->required()
        ->check(CLI::IsMember({"metrics", "viewer", "operator", "admin"}));
    c->add_option("--days", s->valid_days, "how long it is valid (default: for ever)")
        ->check(between(1u, limits::max_token_days));
    c->footer("Example:\n  fulmar token create monitoring --role metrics > monitoring.token");
    c->callback([s] {
        json body{{"name", s->name}, {"role", s->role}};
        if (s->valid_days != 0) body["valid_days"] = s->valid_days;
        show_new_token(*s, s->session.change("POST", "/v1/tokens", &body));
    });
}

void add_rotate_token(CLI::App& group) {
    auto s = std::make_shared<token_settings>();
    CLI::App* const c =
        add_token_verb(group, "rotate", "another token under the same name; the former ends", s);
    c->callback(
        [s] { show_new_token(*s, s->session.change("POST", token_place(*s) + "/rotate")); });
}

void add_revoke_token(CLI::App& group) {
    auto s = std::make_shared<token_settings>();
    CLI::App* const c = add_token_verb(group, "revoke", "refuse whoever has it from now on", s);
    c->callback([s] {
        s->session.done(s->session.change("DELETE", token_place(*s)),
                        fmt::format("revoked the token {}", s->name));
    });
}

void add_whoami(CLI::App& group) {
    auto s = std::make_shared<token_settings>();
    CLI::App* const c = s->session.add_verb(group, "whoami", "who fulmard takes you for", false);
    c->callback([s] {
        const json answer = s->session.get("/v1/whoami");
        s->session.show(answer, [&] {
            return fmt::format("{} ({})\n", text_of(answer, "name"), text_of(answer, "role"));
        });
    });
}

}  // namespace

void add_token(CLI::App& app) {
    CLI::App* const group =
        app.add_subcommand("token", "who may administrate fulmard, by name (REST)");
    group->require_subcommand(1);
    add_list_tokens(*group);
    add_create_token(*group);
    add_rotate_token(*group);
    add_revoke_token(*group);
    add_whoami(*group);
}

}  // namespace fulmar::cli
