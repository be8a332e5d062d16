// /v1/subsystems and the hosts of a subsystem.
#include "disturbance.hpp"
#include "field_json.hpp"
#include "problem_document.hpp"
#include "routes.hpp"
#include "spec_diff.hpp"
#include "status_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

std::string location(const std::string& nqn) { return "/v1/subsystems/" + escape_segment(nqn); }

/// What is there now as the answer, `status` 200 or 201.
void send_subsystem(const call_ptr& call, const std::string& nqn, bool made) {
    call->ask(core::get_subsystem{nqn},
              [call, nqn, made](const core::control_answer& answer, std::uint64_t revision) {
                  const json body = to_json(std::get<core::subsystem_status>(answer));
                  if (made)
                      call->created(location(nqn), body, revision);
                  else
                      call->ok(body, revision);
              });
}

/// Creates it; "paused" is a second step.
void create(const call_ptr& call, core::subsystem_spec spec) {
    const std::string nqn = spec.nqn;
    const bool paused = std::exchange(spec.paused, false);
    call->change(core::create_subsystem{std::move(spec)},
                 [call, nqn, paused](const core::control_answer& answer, std::uint64_t revision) {
                     if (!paused)
                         return call->created(location(nqn),
                                              to_json(std::get<core::subsystem_status>(answer)),
                                              revision);
                     call->change(core::pause_subsystem{nqn},
                                  [call, nqn](const core::control_answer&, std::uint64_t) {
                                      send_subsystem(call, nqn, true);
                                  });
                 });
}

core::subsystem_spec spec_of(const core::subsystem_status& status) {
    core::subsystem_spec out = status.spec;
    out.namespaces.clear();
    for (const core::namespace_status& ns : status.namespaces) out.namespaces.push_back(ns.spec);
    return out;
}

std::vector<std::string> namespaces_of(const core::subsystem_spec& spec) {
    std::vector<std::string> out;
    for (const core::namespace_spec& ns : spec.namespaces)
        out.push_back(fmt::format("{}/{}", spec.nqn, ns.nsid));
    return out;
}

/// Says why `what` is not done without force, and whom it concerns.
void refuse_disturbing(const call_ptr& call, std::string what, const disturbance& who) {
    call->send(disturbance_response(
        "would-disturb",
        {errc::conflict, std::move(what), {}, "?force=true (fulmar: --force) does it nevertheless"},
        who, call->target.path));
}

void delete_now(const call_ptr& call) {
    call->change(
        core::delete_subsystem{call->parameters[0]},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

/// The changes of a PUT, unless they take away what is in use.
void change_unless_disturbing(const call_ptr& call, const core::subsystem_spec& running,
                              std::vector<core::change> changes, bool force) {
    const auto apply = [call, nqn = running.nqn](std::vector<core::change> all) {
        call->change_all(std::move(all),
                         [call, nqn](std::uint64_t) { send_subsystem(call, nqn, false); });
    };
    disturbance who;
    for (const core::change& one : changes) {
        if (std::holds_alternative<core::delete_subsystem>(one))
            who.add({{}, namespaces_of(running)});
        if (const auto* c = std::get_if<core::remove_namespace>(&one))
            who.add({{}, {fmt::format("{}/{}", c->nqn, c->nsid)}});
    }
    if (force || who.none()) return apply(std::move(changes));
    with_hosts(call, [call, who, nqn = running.nqn](const connected_hosts& hosts) {
        disturbance all = who;
        all.hosts = hosts.of(nqn);
        refuse_disturbing(call, "this would take namespaces away", all);
    });
}

}  // namespace

void list_subsystems(const call_ptr& call) {
    call->ask(core::list_subsystems{},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  json all = json::array();
                  for (const auto& one : std::get<std::vector<core::subsystem_status>>(answer))
                      all.push_back(to_json(one));
                  call->ok({{"subsystems", std::move(all)}}, revision);
              });
}

void create_subsystem(const call_ptr& call) {
    auto spec = call->body_as([](json_place where, problem_list& problems) {
        return read_subsystem(std::move(where), problems, document::body);
    });
    if (spec) create(call, std::move(*spec));
}

void show_subsystem(const call_ptr& call) { send_subsystem(call, call->parameters[0], false); }

void put_subsystem(const call_ptr& call) {
    const std::string& nqn = call->parameters[0];
    const std::optional<bool> force = call->flag("force", false);
    if (!force) return;
    std::optional<json_node> tree = call->body();
    if (!tree) return;
    if (tree->kind == json_kind::object && tree->find("nqn") == nullptr) {
        json_node& name = tree->members.emplace_back().value;
        tree->members.back().key = "nqn";
        tree->members.back().line = name.line = tree->line;
        name.kind = json_kind::text;
        name.text = nqn;
    }
    problem_list problems;
    core::subsystem_spec wanted = read_subsystem({&*tree, ""}, problems, document::body);
    if (problems.empty() && wanted.nqn != nqn)
        problems.add({"/nqn", 0, "is not the NQN of the address", "leave it out"});
    for (std::size_t i = 0; i < wanted.namespaces.size(); ++i)
        if (wanted.namespaces[i].nsid == 0)
            problems.add({fmt::format("/namespaces/{}", i), 0, "lacks \"nsid\"",
                          "PUT says all of what shall be there"});
    if (!problems.empty()) return call->fail(problems);
    call->context.core.submit(
        core::query(core::get_subsystem{nqn}), false,
        [call, wanted, forced = *force](control_client::outcome outcome, std::uint64_t) {
            guarded(call, [&] {
                if (!outcome && outcome.error().code == errc::not_found)
                    return create(call, wanted);
                if (!outcome) return call->fail(outcome.error());
                if (call->request.if_none_match == "*")
                    return call->send(problem_response(
                        412, "precondition-failed",
                        {errc::already_exists, fmt::format("subsystem {} exists", wanted.nqn)},
                        call->target.path));
                const core::subsystem_spec running =
                    spec_of(std::get<core::subsystem_status>(*outcome));
                auto changes = diff_subsystem(running, wanted);
                if (!changes && !forced)
                    return call->fail(
                        error{errc::conflict,
                              "serial, model, listeners, controller ids and max_namespaces are "
                              "fixed at creation",
                              {},
                              "say what it has; or ?force=true deletes it and creates it anew"});
                if (!changes) changes = recreation_of(running, wanted);
                change_unless_disturbing(call, running, std::move(*changes), forced);
            });
        });
}

void patch_subsystem(const call_ptr& call) {
    const std::string nqn = call->parameters[0];
    auto changes = call->body_as([&](json_place where, problem_list& problems) {
        std::vector<core::change> out;
        object_reader reader(std::move(where), problems);
        if (bool allow = false; reader.read("allow_any_host", allow))
            out.push_back(core::set_allow_any_host{nqn, allow});
        if (bool paused = false; reader.read("paused", paused)) {
            if (paused)
                out.push_back(core::pause_subsystem{nqn});
            else
                out.push_back(core::resume_subsystem{nqn});
        }
        if (auto edits = read_edits<core::subsystem_spec>(reader); edits.which != 0)
            out.push_back(core::modify_subsystem{nqn, std::move(edits)});
        reader.finish();
        if (out.empty() && problems.empty())
            problems.add({"", 0, "changes nothing",
                          fmt::format("{} can be changed", changeable<core::subsystem_spec>(
                                                               "\"allow_any_host\", \"paused\""))});
        return out;
    });
    if (!changes) return;
    call->change_all(std::move(*changes),
                     [call, nqn](std::uint64_t) { send_subsystem(call, nqn, false); });
}

void delete_subsystem(const call_ptr& call) {
    const std::optional<bool> force = call->flag("force", false);
    if (!force) return;
    if (*force) return delete_now(call);
    const std::string nqn = call->parameters[0];
    call->context.core.submit(
        core::query(core::get_subsystem{nqn}), false,
        [call, nqn](control_client::outcome outcome, std::uint64_t) {
            guarded(call, [&] {
                // One that could not be brought up is configured only; the core knows.
                if (!outcome && outcome.error().code == errc::not_found) return delete_now(call);
                if (!outcome) return call->fail(outcome.error());
                disturbance who;
                who.namespaces = namespaces_of(spec_of(std::get<core::subsystem_status>(*outcome)));
                with_hosts(call, [call, who, nqn](const connected_hosts& hosts) {
                    disturbance all = who;
                    all.hosts = hosts.of(nqn);
                    if (all.none()) return delete_now(call);
                    refuse_disturbing(call, "the subsystem is in use", all);
                });
            });
        });
}

void pause_subsystem(const call_ptr& call) {
    call->change(core::pause_subsystem{call->parameters[0]},
                 [call](const core::control_answer&, std::uint64_t) {
                     send_subsystem(call, call->parameters[0], false);
                 });
}

void resume_subsystem(const call_ptr& call) {
    call->change(core::resume_subsystem{call->parameters[0]},
                 [call](const core::control_answer&, std::uint64_t) {
                     send_subsystem(call, call->parameters[0], false);
                 });
}

namespace {

const core::host_keys_spec* keys_of(const core::subsystem_spec& spec, const std::string& host) {
    for (const core::host_keys_spec& one : spec.host_keys)
        if (one.nqn == host) return &one;
    return nullptr;
}

rest_call::json host_json(const core::subsystem_spec& spec, const std::string& host) {
    rest_call::json out{{"host", host}};
    if (const core::host_keys_spec* const keys = keys_of(spec, host)) {
        out["dhchap_key"] = keys->dhchap_key;
        out["dhchap_ctrl_key"] = keys->dhchap_ctrl_key;
        out["tls_psk"] = keys->tls_psk;
        out["tls_optional"] = keys->tls_optional;
        out["tls_compat"] = keys->tls_compat;
    }
    return out;
}

void send_host(const call_ptr& call, const std::string& host, bool made) {
    call->ask(core::get_subsystem{call->parameters[0]},
              [call, host, made](const core::control_answer& answer, std::uint64_t revision) {
                  const auto& spec = std::get<core::subsystem_status>(answer).spec;
                  if (!made) return call->ok(host_json(spec, host), revision);
                  call->created(location(call->parameters[0]) + "/hosts/" + escape_segment(host),
                                host_json(spec, host), revision);
              });
}

/// The names of the host's keys, and its own when the body has to say it.
struct wanted_host {
    core::host_keys_spec keys;
    bool says_keys = false;
};

std::optional<wanted_host> read_host(const call_ptr& call, bool named) {
    return call->body_as([named](json_place where, problem_list& problems) {
        wanted_host out;
        object_reader reader(std::move(where), problems);
        if (named) {
            reader.require("host", "the NQN of a host");
            if (reader.read("host", out.keys.nqn))
                if (auto wrong = check_host_nqn(out.keys.nqn))
                    reader.complain("host", std::move(*wrong),
                                    "what /etc/nvme/hostnqn of the host says");
        }
        out.says_keys = reader.read("dhchap_key", out.keys.dhchap_key);
        out.says_keys |= reader.read("dhchap_ctrl_key", out.keys.dhchap_ctrl_key);
        out.says_keys |= reader.read("tls_psk", out.keys.tls_psk);
        out.says_keys |= reader.read("tls_optional", out.keys.tls_optional);
        out.says_keys |= reader.read("tls_compat", out.keys.tls_compat);
        reader.finish();
        return out;
    });
}

}  // namespace

void list_hosts(const call_ptr& call) {
    call->ask(core::get_subsystem{call->parameters[0]}, [call](const core::control_answer& answer,
                                                               std::uint64_t revision) {
        const auto& spec = std::get<core::subsystem_status>(answer).spec;
        rest_call::json out{{"allow_any_host", spec.allow_any_host}, {"hosts", spec.hosts}};
        rest_call::json keys = rest_call::json::array();
        for (const core::host_keys_spec& one : spec.host_keys)
            keys.push_back(host_json(spec, one.nqn));
        out["host_keys"] = std::move(keys);
        call->ok(out, revision);
    });
}

void show_host(const call_ptr& call) {
    call->ask(core::get_subsystem{call->parameters[0]},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  const std::string& host = call->parameters[1];
                  const auto& spec = std::get<core::subsystem_status>(answer).spec;
                  if (std::find(spec.hosts.begin(), spec.hosts.end(), host) == spec.hosts.end() &&
                      keys_of(spec, host) == nullptr)
                      return call->fail(error{
                          errc::not_found,
                          fmt::format("{} has no host {} in its list", call->parameters[0], host),
                          {},
                          "GET …/hosts shows who may connect"});
                  call->ok(host_json(spec, host), revision);
              });
}

void add_host(const call_ptr& call) {
    const auto wanted = read_host(call, true);
    if (!wanted) return;
    const std::string& nqn = call->parameters[0];
    std::vector<core::change> changes;  // the keys first: never in the list without them
    if (wanted->says_keys) changes.push_back(core::set_host_keys{nqn, wanted->keys});
    changes.push_back(core::add_host{nqn, wanted->keys.nqn});
    call->change_all(std::move(changes), [call, host = wanted->keys.nqn](std::uint64_t) {
        send_host(call, host, true);
    });
}

// A request that says nothing of keys leaves those that there are: only who says so ends that a
// host must authenticate.
void put_host(const call_ptr& call) {
    auto wanted =
        call->request.body.empty() ? std::optional(wanted_host{}) : read_host(call, false);
    if (!wanted) return;
    wanted->keys.nqn = call->parameters[1];
    if (const auto wrong = check_host_nqn(wanted->keys.nqn))
        return call->fail(error{errc::invalid_argument, *wrong});
    call->ask(core::get_subsystem{call->parameters[0]},
              [call, keys = wanted->keys, says_keys = wanted->says_keys](
                  const core::control_answer& answer, std::uint64_t) {
                  const auto& spec = std::get<core::subsystem_status>(answer).spec;
                  const bool there =
                      std::find(spec.hosts.begin(), spec.hosts.end(), keys.nqn) != spec.hosts.end();
                  std::vector<core::change> changes;
                  if (says_keys) changes.push_back(core::set_host_keys{spec.nqn, keys});
                  if (!there) changes.push_back(core::add_host{spec.nqn, keys.nqn});
                  call->change_all(std::move(changes),
                                   [call, host = keys.nqn, there](std::uint64_t) {
                                       send_host(call, host, !there);
                                   });
              });
}

void remove_host(const call_ptr& call) {
    call->change(
        core::remove_host{call->parameters[0], call->parameters[1]},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

}  // namespace fulmar::admin::routes
