// fulmar subsystem, host: what hosts connect to, and who may.
#include "exit.hpp"
#include "field_options.hpp"
#include "rest_session.hpp"
#include "table.hpp"
#include "units.hpp"

#include <fmt/core.h>

#include <string>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

struct subsystem_settings {
    rest_session session;
    std::string nqn;
    std::string host;
    std::string dhchap_key;
    std::string dhchap_ctrl_key;
    std::string tls_psk;
    bool tls_optional = false;
    bool tls_compat = false;
    field_options fields;
    bool force = false;
};
using subsystem_settings_ptr = std::shared_ptr<subsystem_settings>;

std::string place(const subsystem_settings& s) { return "/v1/subsystems/" + path_segment(s.nqn); }

void wants_nqn(CLI::App* c, const subsystem_settings_ptr& s) {
    c->add_option("nqn", s->nqn, "the subsystem")->required()->type_name("NQN");
}

std::string subsystems_text(const json& all) {
    table rows({"NQN", "STATE", ">NAMESPACES", ">CONTROLLERS", "HOSTS", "SERIAL", "DESCRIPTION"});
    for (const json& one : all.value("subsystems", json::array())) {
        const json status = one.value("status", json::object());
        rows.add({text_of(one, "nqn"), text_of(status, "state"),
                  fmt::format("{}", one.value("namespaces", json::array()).size()),
                  text_of(status, "controllers"),
                  one.value("allow_any_host", false)
                      ? "any"
                      : fmt::format("{}", one.value("hosts", json::array()).size()),
                  text_of(one, "serial"), text_of(one, "description")});
    }
    return rows.text("no subsystems");
}

std::string show_text(const json& one) {
    const json status = one.value("status", json::object());
    std::string out = fmt::format("{}\n  state        {} for {} ms\n", text_of(one, "nqn"),
                                  text_of(status, "state"), text_of(status, "in_state_ms"));
    const auto line = [&out](const char* name, const std::string& value) {
        if (!value.empty()) out += fmt::format("  {:<12} {}\n", name, value);
    };
    line("waits for", text_of(status, "waiting_for"));
    line("last error", text_of(status, "last_error"));
    line("description", text_of(one, "description"));
    line("serial", text_of(one, "serial"));
    line("model", text_of(one, "model"));
    line("controllers", text_of(status, "controllers"));
    line("hosts", one.value("allow_any_host", false) ? "any" : "");
    for (const json& host : one.value("hosts", json::array()))
        line("host", host.get<std::string>());
    for (const json& listener : one.value("listeners", json::array()))
        line("listener", listener.get<std::string>());
    table rows({">NSID", "STATE", "DEVICE", ">SIZE", ">BLOCK", "ANA", ">OUTSTANDING", ">PARKED",
                "UUID", "DESCRIPTION"});
    for (const json& ns : one.value("namespaces", json::array())) {
        const json now = ns.value("status", json::object());
        const auto block = now.value("block_size", std::uint64_t{0});
        rows.add({text_of(ns, "nsid"), text_of(now, "state"), text_of(ns, "device"),
                  size_text(now.value("block_count", std::uint64_t{0}) * block),
                  fmt::format("{}", block), text_of(ns, "ana_state"), text_of(now, "outstanding"),
                  text_of(now, "parked"), text_of(ns, "uuid"), text_of(ns, "description")});
    }
    return out + "\n" + rows.text("no namespaces");
}

void add_create_subsystem(CLI::App& group) {
    auto s = std::make_shared<subsystem_settings>();
    CLI::App* const c = s->session.add_verb(group, "create", "create a subsystem", true);
    wants_nqn(c, s);
    s->fields.add_for_making<core::subsystem_spec>(*c);
    c->footer(
        "Example:\n"
        "  fulmar subsystem create nqn.2026-11.io.fulmar:disk1 --any-host");
    c->callback([s] {
        json body{{"nqn", s->nqn}};
        s->fields.fill(body);
        s->session.done(s->session.change("POST", "/v1/subsystems", &body),
                        fmt::format("created {}", s->nqn));
    });
}

void add_act(CLI::App& group, const char* name, const char* about, const char* did) {
    auto s = std::make_shared<subsystem_settings>();
    CLI::App* const c = s->session.add_verb(group, name, about, true);
    wants_nqn(c, s);
    c->callback([s, verb = std::string(name), did] {
        s->session.done(s->session.change("POST", place(*s) + "/" + verb),
                        fmt::format("{} {}", did, s->nqn));
    });
}

}  // namespace

void add_subsystem(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("subsystem", "what hosts connect to (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<subsystem_settings>();
        CLI::App* const c = s->session.add_verb(*group, "list", "all subsystems", false);
        c->callback([s] {
            const json all = s->session.get("/v1/subsystems");
            s->session.show(all, [&] { return subsystems_text(all); });
        });
    }
    {
        auto s = std::make_shared<subsystem_settings>();
        CLI::App* const c =
            s->session.add_verb(*group, "show", "one subsystem and its namespaces", false);
        wants_nqn(c, s);
        c->callback([s] {
            const json one = s->session.get(place(*s));
            s->session.show(one, [&] { return show_text(one); });
        });
    }
    add_create_subsystem(*group);
    {
        auto s = std::make_shared<subsystem_settings>();
        CLI::App* const c =
            s->session.add_verb(*group, "delete", "delete a subsystem; its hosts lose it", true);
        wants_nqn(c, s);
        c->add_flag("--force", s->force, "also when it has namespaces or hosts are connected");
        c->callback([s] {
            s->session.done(
                s->session.change("DELETE", place(*s) + (s->force ? "?force=true" : "")),
                fmt::format("deleted {}", s->nqn));
        });
    }
    {
        auto s = std::make_shared<subsystem_settings>();
        CLI::App* const c = s->session.add_verb(*group, "set", "change what no host notices", true);
        wants_nqn(c, s);
        s->fields.add_for_changing<core::subsystem_spec>(*c);
        c->callback([s] {
            json body = json::object();
            s->fields.fill(body);
            s->session.done(s->session.change("PATCH", place(*s), &body),
                            fmt::format("changed {}", s->nqn));
        });
    }
    add_act(*group, "pause", "hold the I/O of a subsystem", "paused");
    add_act(*group, "resume", "let the I/O of a subsystem go on", "resumed");
}

void add_host(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("host", "who may connect to a subsystem (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<subsystem_settings>();
        CLI::App* const c = s->session.add_verb(*group, "list", "hosts that may connect", false);
        wants_nqn(c, s);
        c->callback([s] {
            const json all = s->session.get(place(*s) + "/hosts");
            s->session.show(all, [&] {
                std::string out = all.value("allow_any_host", false) ? "any host\n" : "";
                for (const json& host : all.value("hosts", json::array()))
                    out += host.get<std::string>() + "\n";
                return out.empty() ? std::string("no host\n") : out;
            });
        });
    }
    {
        auto s = std::make_shared<subsystem_settings>();
        CLI::App* const c = s->session.add_verb(*group, "add", "let a host connect", true);
        wants_nqn(c, s);
        c->add_option("host", s->host, "the host")->required()->type_name("HOSTNQN");
        c->add_option("--dhchap-key", s->dhchap_key,
                      "name of the key that it must prove itself with");
        c->add_option("--dhchap-ctrl-key", s->dhchap_ctrl_key,
                      "name of the key that the subsystem answers it with");
        c->add_option("--tls-psk", s->tls_psk, "name of the key that its TLS has");
        c->add_flag("--tls-optional", s->tls_optional, "it may connect without TLS as well");
        c->add_flag("--tls-compat", s->tls_compat, "it may have libnvme 1.14 or older");
        c->callback([s] {
            json body{{"host", s->host}};
            if (!s->tls_psk.empty()) body["tls_psk"] = s->tls_psk;
            if (s->tls_optional) body["tls_optional"] = true;
            if (s->tls_compat) body["tls_compat"] = true;
            if (!s->dhchap_key.empty()) body["dhchap_key"] = s->dhchap_key;
            if (!s->dhchap_ctrl_key.empty()) body["dhchap_ctrl_key"] = s->dhchap_ctrl_key;
            s->session.done(s->session.change("POST", place(*s) + "/hosts", &body),
                            fmt::format("{} may connect to {}", s->host, s->nqn));
        });
    }
    auto s = std::make_shared<subsystem_settings>();
    CLI::App* const c = s->session.add_verb(
        *group, "remove", "fence a host off: afterwards no write of it can land", true);
    wants_nqn(c, s);
    c->add_option("host", s->host, "the host")->required()->type_name("HOSTNQN");
    c->callback([s] {
        s->session.done(s->session.change("DELETE", place(*s) + "/hosts/" + path_segment(s->host)),
                        fmt::format("{} may not connect to {} any more", s->host, s->nqn));
    });
}

}  // namespace fulmar::cli
