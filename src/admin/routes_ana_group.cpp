// /v1/subsystems/{nqn}/ana_groups
#include "field_json.hpp"
#include "routes.hpp"

#include <fulmar/core/fields/field_compare.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

std::optional<std::uint32_t> group_id(const call_ptr& call) {
    const std::string& text = call->parameters[1];
    std::uint32_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, value);
    if (failure == std::errc{} && rest == end && value != 0) return value;
    call->fail(error{errc::not_found, fmt::format("\"{}\" is no ANA group", text.substr(0, 40))});
    return std::nullopt;
}

/// With the namespaces that are in it.
json ana_group_json(const core::ana_group_spec& group, const core::subsystem_status& of) {
    json out = to_json(group, document::body);
    json members = json::array();
    for (const core::namespace_status& ns : of.namespaces)
        if (ns.spec.ana_group == group.id) members.push_back(ns.spec.nsid);
    out["status"] = {{"namespaces", std::move(members)}};
    return out;
}

const core::ana_group_spec* find_in(const core::subsystem_status& of, std::uint32_t id) {
    for (const core::ana_group_spec& one : of.spec.ana_groups)
        if (one.id == id) return &one;
    return nullptr;
}

void send_ana_group(const call_ptr& call, std::uint32_t id, bool made) {
    call->ask(core::get_subsystem{call->parameters[0]},
              [call, id, made](const core::control_answer& answer, std::uint64_t revision) {
                  const auto& of = std::get<core::subsystem_status>(answer);
                  const core::ana_group_spec* const group = find_in(of, id);
                  if (group == nullptr)
                      return call->fail(
                          error{errc::not_found,
                                fmt::format("{} has no ANA group {}", call->parameters[0], id)});
                  const json body = ana_group_json(*group, of);
                  if (!made) return call->ok(body, revision);
                  call->created(fmt::format("/v1/subsystems/{}/ana_groups/{}",
                                            escape_segment(call->parameters[0]), id),
                                body, revision);
              });
}

void change_and_send(const call_ptr& call, core::change what, std::uint32_t id, bool made) {
    call->change(std::move(what), [call, id, made](const core::control_answer&, std::uint64_t) {
        send_ana_group(call, id, made);
    });
}

/// The body of a PUT; its id may be left to the address.
std::optional<core::ana_group_spec> whole_group(const call_ptr& call, std::uint32_t id) {
    std::optional<json_node> tree = call->body();
    if (!tree) return std::nullopt;
    if (tree->kind == json_kind::object && tree->find("id") == nullptr) {
        json_node& said = tree->members.emplace_back().value;
        tree->members.back().key = "id";
        tree->members.back().line = said.line = tree->line;
        said.kind = json_kind::natural;
        said.natural = id;
    }
    problem_list problems;
    core::ana_group_spec wanted = read_ana_group({&*tree, ""}, problems, document::body);
    if (problems.empty() && wanted.id != id)
        problems.add({"/id", 0, "is not the id of the address", "leave it out"});
    if (problems.empty()) return wanted;
    call->fail(problems);
    return std::nullopt;
}

}  // namespace

void list_ana_groups(const call_ptr& call) {
    call->ask(core::get_subsystem{call->parameters[0]},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  const auto& of = std::get<core::subsystem_status>(answer);
                  json all = json::array();
                  for (const core::ana_group_spec& one : of.spec.ana_groups)
                      all.push_back(ana_group_json(one, of));
                  call->ok({{"ana_groups", std::move(all)}}, revision);
              });
}

void show_ana_group(const call_ptr& call) {
    if (const auto id = group_id(call)) send_ana_group(call, *id, false);
}

void put_ana_group(const call_ptr& call) {
    const auto id = group_id(call);
    if (!id) return;
    const auto wanted = whole_group(call, *id);
    if (!wanted) return;
    call->ask(
        core::get_subsystem{call->parameters[0]},
        [call, id, wanted](const core::control_answer& answer, std::uint64_t) {
            const std::string& nqn = call->parameters[0];
            const core::ana_group_spec* const running =
                find_in(std::get<core::subsystem_status>(answer), *id);
            if (running == nullptr)
                return change_and_send(call, core::create_ana_group{nqn, *wanted}, *id, true);
            auto edits = core::edits_between(*running, *wanted);
            // What a closing before has left at a device is told again, or that it is over.
            if (edits.which == 0) edits = core::noticed_edits(*wanted);
            change_and_send(call, core::modify_ana_group{nqn, *id, std::move(edits)}, *id, false);
        });
}

void patch_ana_group(const call_ptr& call) {
    const auto id = group_id(call);
    if (!id) return;
    const auto edits = call->body_as([](json_place where, problem_list& problems) {
        object_reader reader(std::move(where), problems);
        auto out = read_edits<core::ana_group_spec>(reader);
        reader.finish();
        if (out.which == 0 && problems.empty())
            problems.add(
                {"", 0, "changes nothing",
                 fmt::format("{} can be changed", changeable<core::ana_group_spec>("")).substr(2)});
        return out;
    });
    if (edits)
        change_and_send(call, core::modify_ana_group{call->parameters[0], *id, *edits}, *id, false);
}

void delete_ana_group(const call_ptr& call) {
    const auto id = group_id(call);
    if (!id) return;
    call->change(
        core::delete_ana_group{call->parameters[0], *id},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

void put_ana_path(const call_ptr& call) {
    const auto id = group_id(call);
    if (!id) return;
    const std::string& listener = call->parameters[2];
    const auto said = call->body_as([&](json_place where, problem_list& problems) {
        object_reader reader(std::move(where), problems);
        core::ana_group_spec group;
        reader.require("state", "such as \"state\": \"inaccessible\"");
        read_field(reader, *core::find_field<core::ana_group_spec>("state"), group, document::body);
        reader.finish();
        if (listener.size() > limits::max_listener_name_bytes)
            problems.add(
                {"", 0, "the address has no name of a listener", "such as \"tcp:192.0.2.1:4420\""});
        return group.state;
    });
    if (said)
        change_and_send(call, core::set_ana_path{call->parameters[0], *id, listener, *said}, *id,
                        false);
}

void delete_ana_path(const call_ptr& call) {
    const auto id = group_id(call);
    if (!id) return;
    change_and_send(call,
                    core::set_ana_path{call->parameters[0], *id, call->parameters[2], std::nullopt},
                    *id, false);
}

}  // namespace fulmar::admin::routes
