// fulmar namespace: what a subsystem offers its hosts.
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

struct namespace_settings {
    rest_session session;
    std::string nqn;
    std::uint32_t nsid = 0;
    std::string device;
    field_options fields;
    std::string state;
};
using namespace_settings_ptr = std::shared_ptr<namespace_settings>;

std::string place(const namespace_settings& s) {
    return "/v1/subsystems/" + path_segment(s.nqn) + "/namespaces";
}

CLI::App* add_verb(CLI::App& group, const char* name, const char* about,
                   const namespace_settings_ptr& s, bool changes) {
    CLI::App* const c = s->session.add_verb(group, name, about, changes);
    c->add_option("nqn", s->nqn, "the subsystem")->required()->type_name("NQN");
    return c;
}

void wants_nsid(CLI::App* c, const namespace_settings_ptr& s) {
    c->add_option("nsid", s->nsid, "the namespace")->required()->type_name("NSID");
}

std::string ana_text(const json& ns) {
    const bool grouped = ns.value("ana_group", 0u) != 0;
    return grouped ? "group " + text_of(ns, "ana_group") : text_of(ns, "ana_state");
}

std::string namespaces_text(const json& all) {
    table rows({">NSID", "STATE", "DEVICE", ">SIZE", ">BLOCK", "ANA", "ON LOSS", ">OUTSTANDING",
                ">PARKED", "UUID", "DESCRIPTION"});
    for (const json& ns : all.value("namespaces", json::array())) {
        const json now = ns.value("status", json::object());
        const auto block = now.value("block_size", std::uint64_t{0});
        rows.add({text_of(ns, "nsid"), text_of(now, "state"), text_of(ns, "device"),
                  size_text(now.value("block_count", std::uint64_t{0}) * block),
                  fmt::format("{}", block), ana_text(ns), text_of(ns, "on_loss"),
                  text_of(now, "outstanding"), text_of(now, "parked"), text_of(ns, "uuid"),
                  text_of(ns, "description")});
    }
    return rows.text("no namespaces");
}

std::string viewers_text(const json& ns) {
    const json who = ns.value("visible_to", json("all"));
    if (who.is_string()) return "all hosts of the subsystem";
    std::string out;
    for (const json& host : who) out += (out.empty() ? "" : ", ") + host.get<std::string>();
    return out.empty() ? "nobody" : out;
}

// One namespace, a line for each thing; each host that has registered with it, holders marked.
std::string namespace_text(const json& ns) {
    const json now = ns.value("status", json::object());
    const auto block = now.value("block_size", std::uint64_t{0});
    table rows({"NSID", text_of(ns, "nsid")});
    rows.add({"state", text_of(now, "state")});
    rows.add({"device", text_of(ns, "device")});
    rows.add({"size", size_text(now.value("block_count", std::uint64_t{0}) * block)});
    rows.add({"block", fmt::format("{}", block)});
    const bool grouped = ns.value("ana_group", 0u) != 0;
    rows.add({"ANA group", grouped ? text_of(ns, "ana_group") + " (fulmar ana list)" : "none"});
    if (!grouped) rows.add({"ANA state", text_of(ns, "ana_state")});
    rows.add({"on loss", text_of(ns, "on_loss")});
    rows.add({"visible to", viewers_text(ns)});
    rows.add({"UUID", text_of(ns, "uuid")});
    rows.add({"NGUID", text_of(ns, "nguid")});
    rows.add({"description", text_of(ns, "description")});
    rows.add({"write protection", text_of(now, "write_protection")});
    const json reservation = now.value("reservation", json::object());
    rows.add({"reservation", reservation.empty() ? "none, and nobody has registered"
                                                 : text_of(reservation, "type")});
    if (const auto lost = now.value("preempted", std::uint64_t{0}); lost != 0)
        rows.add({"preempted", fmt::format("{}; `fulmar events` says who", lost)});
    for (const json& host : reservation.value("registrants", json::array()))
        rows.add({host.value("holds", false) ? "held by" : "registered",
                  fmt::format("{} key {}", text_of(host, "host_id"), text_of(host, "key"))});
    return rows.text("");
}

void add_add(CLI::App& group) {
    auto s = std::make_shared<namespace_settings>();
    CLI::App* const c = add_verb(group, "add", "offer a device as a namespace", s, true);
    c->add_option("device", s->device, "name of a device (fulmar device list)")->required();
    s->fields.add_for_making<core::namespace_spec>(*c);
    c->footer("Example:\n  fulmar namespace add nqn.2026-11.io.fulmar:disk1 ram1 --nsid 3");
    c->callback([s] {
        json body{{"device", s->device}};
        s->fields.fill(body);
        const json made = s->session.change("POST", place(*s), &body);
        s->session.done(made, fmt::format("namespace {} of {} is on {}", text_of(made, "nsid"),
                                          s->nqn, s->device));
    });
}

}  // namespace

void add_namespace(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("namespace", "what a subsystem offers (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<namespace_settings>();
        CLI::App* const c = add_verb(*group, "list", "namespaces of a subsystem", s, false);
        c->callback([s] {
            const json all = s->session.get(place(*s));
            s->session.show(all, [&] { return namespaces_text(all); });
        });
    }
    {
        auto s = std::make_shared<namespace_settings>();
        CLI::App* const c =
            add_verb(*group, "show", "one namespace, and who has reserved it", s, false);
        wants_nsid(c, s);
        c->callback([s] {
            const json one = s->session.get(fmt::format("{}/{}", place(*s), s->nsid));
            s->session.show(one, [&] { return namespace_text(one); });
        });
    }
    add_add(*group);
    {
        auto s = std::make_shared<namespace_settings>();
        CLI::App* const c = add_verb(*group, "remove", "take a namespace away from hosts", s, true);
        wants_nsid(c, s);
        c->callback([s] {
            s->session.done(s->session.change("DELETE", fmt::format("{}/{}", place(*s), s->nsid)),
                            fmt::format("removed namespace {} of {}", s->nsid, s->nqn));
        });
    }
    {
        auto s = std::make_shared<namespace_settings>();
        CLI::App* const c = add_verb(
            *group, "unprotect", "let hosts write again what one of them has protected", s, false);
        wants_nsid(c, s);
        c->callback([s] {
            s->session.done(
                s->session.change("DELETE", fmt::format("{}/{}/protection", place(*s), s->nsid)),
                fmt::format("namespace {} of {} can be written", s->nsid, s->nqn));
        });
    }
    {
        auto s = std::make_shared<namespace_settings>();
        CLI::App* const c =
            add_verb(*group, "set", "change who sees it, or its description", s, true);
        wants_nsid(c, s);
        s->fields.add_for_changing<core::namespace_spec>(*c);
        c->callback([s] {
            json body = json::object();
            s->fields.fill(body);
            s->session.done(
                s->session.change("PATCH", fmt::format("{}/{}", place(*s), s->nsid), &body),
                fmt::format("changed namespace {} of {}", s->nsid, s->nqn));
        });
    }
    auto s = std::make_shared<namespace_settings>();
    CLI::App* const c = add_verb(*group, "set-ana", "tell hosts how good this path is", s, true);
    wants_nsid(c, s);
    c->add_option("state", s->state, "the ANA state")
        ->required()
        ->check(
            CLI::IsMember(std::vector<std::string>(core::words_of<core::ana_state>::names.begin(),
                                                   core::words_of<core::ana_state>::names.end())));
    c->callback([s] {
        const json body{{"ana_state", s->state}};
        s->session.done(s->session.change("PATCH", fmt::format("{}/{}", place(*s), s->nsid), &body),
                        fmt::format("namespace {} of {} is {}", s->nsid, s->nqn, s->state));
    });
}

}  // namespace fulmar::cli
