// fulmar ana: groups of namespaces whose paths change together.
#include "field_options.hpp"
#include "rest_session.hpp"
#include "table.hpp"

#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

struct ana_settings {
    rest_session session;
    std::string nqn;
    std::uint32_t group = 0;
    std::uint32_t nsid = 0;
    std::string state;
    std::string then;
    std::string listener;
    std::string description;
};
using ana_settings_ptr = std::shared_ptr<ana_settings>;

std::string subsystem_place(const ana_settings& s) {
    return "/v1/subsystems/" + path_segment(s.nqn);
}
std::string group_place(const ana_settings& s) {
    return fmt::format("{}/ana_groups/{}", subsystem_place(s), s.group);
}
std::string path_place(const ana_settings& s) {
    return group_place(s) + "/listeners/" + path_segment(s.listener);
}

CLI::App* add_ana_verb(CLI::App& group, const char* name, const char* about,
                       const ana_settings_ptr& s, bool changes) {
    CLI::App* const c = s->session.add_verb(group, name, about, changes);
    c->add_option("nqn", s->nqn, "the subsystem")->required()->type_name("NQN");
    return c;
}

void wants_group(CLI::App* c, const ana_settings_ptr& s) {
    c->add_option("group", s->group, "the ANA group")->required()->type_name("ID");
}

CLI::IsMember ana_words() {
    const auto& names = core::words_of<core::ana_state>::names;
    return CLI::IsMember(std::vector<std::string>(names.begin(), names.end()));
}

std::string numbers_text(const json& all) {
    std::string out;
    for (const json& one : all) out += (out.empty() ? "" : ",") + one.dump();
    return out.empty() ? "-" : out;
}

// A line for what a group is everywhere, and one for each listener where it is something else.
std::string groups_text(const json& all) {
    table rows({">GROUP", "LISTENER", "STATE", "THEN", "NAMESPACES", "DESCRIPTION"});
    for (const json& one : all.value("ana_groups", json::array())) {
        const json now = one.value("status", json::object());
        rows.add({text_of(one, "id"), "(any other)", text_of(one, "state"), text_of(one, "then"),
                  numbers_text(now.value("namespaces", json::array())),
                  text_of(one, "description")});
        const json paths = one.value("listeners", json::object());
        for (const auto& [listener, state] : paths.items())
            rows.add({text_of(one, "id"), listener, state.get<std::string>(), "", "", ""});
    }
    return rows.text("no ANA groups: each namespace is alone in one of its own");
}

void add_list(CLI::App& group) {
    auto s = std::make_shared<ana_settings>();
    CLI::App* const c =
        add_ana_verb(group, "list", "ANA groups, and what their paths are", s, false);
    c->callback([s] {
        const json all = s->session.get(subsystem_place(*s) + "/ana_groups");
        s->session.show(all, [&] { return groups_text(all); });
    });
}

void add_create(CLI::App& group) {
    auto s = std::make_shared<ana_settings>();
    CLI::App* const c = add_ana_verb(group, "create", "make an ANA group", s, true);
    wants_group(c, s);
    c->add_option("--state", s->state, "what its paths are")->check(ana_words());
    c->add_option("--description", s->description, "what it is for, in your words");
    c->footer("Example:\n  fulmar ana create nqn.2026-11.io.fulmar:disk1 1");
    c->callback([s] {
        json body{{"id", s->group}};
        if (!s->state.empty()) body["state"] = s->state;
        if (!s->description.empty()) body["description"] = s->description;
        s->session.done(s->session.change("PUT", group_place(*s), &body),
                        fmt::format("ANA group {} of {} is there", s->group, s->nqn));
    });
}

// By one listener, or by all that have no state of their own.
void set_state(const ana_settings& s, rest_session& session) {
    const json state{{"state", s.state}};
    json group = s.listener.empty() ? state : json::object();
    if (!s.then.empty()) group["then"] = s.then;
    json got;
    if (!group.empty()) got = session.change("PATCH", group_place(s), &group);
    if (!s.listener.empty()) got = session.change("PUT", path_place(s), &state);
    session.done(got, fmt::format("ANA group {} of {} is {}{}", s.group, s.nqn, s.state,
                                  s.listener.empty() ? "" : " by " + s.listener));
}

void add_set(CLI::App& group) {
    auto s = std::make_shared<ana_settings>();
    CLI::App* const c =
        add_ana_verb(group, "set", "tell hosts how good the paths of a group are", s, true);
    wants_group(c, s);
    c->add_option("state", s->state, "the ANA state")->required()->check(ana_words());
    c->add_option("--listener", s->listener, "only by this one")->type_name("NAME");
    c->add_option("--then", s->then, "what its paths in state change become by themselves")
        ->check(ana_words());
    c->footer(
        "Example:\n  fulmar ana set nqn.2026-11.io.fulmar:disk1 1 inaccessible "
        "--listener tcp:192.0.2.1:4420");
    c->callback([s] { set_state(*s, s->session); });
}

void add_reset(CLI::App& group) {
    auto s = std::make_shared<ana_settings>();
    CLI::App* const c =
        add_ana_verb(group, "reset", "let a path be what the group is by other listeners", s, true);
    wants_group(c, s);
    c->add_option("listener", s->listener, "name of the listener")->required()->type_name("NAME");
    c->callback([s] {
        s->session.done(s->session.change("DELETE", path_place(*s)),
                        fmt::format("ANA group {} of {} is by {} what it is by others", s->group,
                                    s->nqn, s->listener));
    });
}

void add_move(CLI::App& group) {
    auto s = std::make_shared<ana_settings>();
    CLI::App* const c = add_ana_verb(group, "move", "put a namespace into a group", s, true);
    c->add_option("nsid", s->nsid, "the namespace")->required()->type_name("NSID");
    c->add_option("group", s->group, "the ANA group; 0: none")->required()->type_name("ID");
    c->callback([s] {
        const json body{{"ana_group", s->group}};
        const std::string place = fmt::format("{}/namespaces/{}", subsystem_place(*s), s->nsid);
        s->session.done(
            s->session.change("PATCH", place, &body),
            fmt::format("namespace {} of {} is in ANA group {}", s->nsid, s->nqn, s->group));
    });
}

void add_delete(CLI::App& group) {
    auto s = std::make_shared<ana_settings>();
    CLI::App* const c =
        add_ana_verb(group, "delete", "take away a group that no namespace is in", s, true);
    wants_group(c, s);
    c->callback([s] {
        s->session.done(s->session.change("DELETE", group_place(*s)),
                        fmt::format("deleted ANA group {} of {}", s->group, s->nqn));
    });
}

}  // namespace

void add_ana(CLI::App& app) {
    CLI::App* const group =
        app.add_subcommand("ana", "groups of namespaces whose paths change together (REST)");
    group->require_subcommand(1);
    add_list(*group);
    add_create(*group);
    add_set(*group);
    add_reset(*group);
    add_move(*group);
    add_delete(*group);
}

}  // namespace fulmar::cli
