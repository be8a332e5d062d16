// /v1/subsystems/{nqn}/namespaces
#include "field_json.hpp"
#include "routes.hpp"
#include "status_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

void send_namespace(const call_ptr& call, std::uint32_t nsid) {
    call->ask(
        core::get_subsystem{call->parameters[0]},
        [call, nsid](const core::control_answer& answer, std::uint64_t revision) {
            const auto& all = std::get<core::subsystem_status>(answer).namespaces;
            const auto found = std::find_if(
                all.begin(), all.end(), [nsid](const auto& ns) { return ns.spec.nsid == nsid; });
            if (found == all.end())
                return call->fail(error{errc::not_found, fmt::format("{} has no namespace {}",
                                                                     call->parameters[0], nsid)});
            call->ok(to_json(*found), revision);
        });
}

}  // namespace

void list_namespaces(const call_ptr& call) {
    call->ask(core::get_subsystem{call->parameters[0]},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  json all = json::array();
                  for (const auto& ns : std::get<core::subsystem_status>(answer).namespaces)
                      all.push_back(to_json(ns));
                  call->ok({{"namespaces", std::move(all)}}, revision);
              });
}

void add_namespace(const call_ptr& call) {
    auto spec = call->body_as([](json_place where, problem_list& problems) {
        return read_namespace(std::move(where), problems, document::body);
    });
    if (!spec) return;
    call->change(core::add_namespace{call->parameters[0], std::move(*spec)},
                 [call](const core::control_answer& answer, std::uint64_t revision) {
                     const auto& made = std::get<core::namespace_status>(answer);
                     call->created(fmt::format("/v1/subsystems/{}/namespaces/{}",
                                               escape_segment(call->parameters[0]), made.spec.nsid),
                                   to_json(made), revision);
                 });
}

void show_namespace(const call_ptr& call) {
    if (const auto nsid = call->nsid(1)) send_namespace(call, *nsid);
}

void patch_namespace(const call_ptr& call) {
    const auto nsid = call->nsid(1);
    if (!nsid) return;
    const std::string& nqn = call->parameters[0];
    auto changes = call->body_as([&](json_place where, problem_list& problems) {
        std::vector<core::change> out;
        object_reader reader(std::move(where), problems);
        if (auto ana = core::ana_state::optimized; read_ana_state(reader, ana))
            out.push_back(core::set_ana_state{nqn, *nsid, ana});
        if (auto edits = read_edits<core::namespace_spec>(reader); edits.which != 0)
            out.push_back(core::modify_namespace{nqn, *nsid, std::move(edits)});
        reader.finish();
        if (out.empty() && problems.empty())
            problems.add({"", 0, "changes nothing",
                          fmt::format("{} can be changed; for the rest remove and add it",
                                      changeable<core::namespace_spec>("\"ana_state\""))});
        return out;
    });
    if (!changes) return;
    call->change_all(std::move(*changes),
                     [call, nsid](std::uint64_t) { send_namespace(call, *nsid); });
}

void remove_namespace(const call_ptr& call) {
    const auto nsid = call->nsid(1);
    if (!nsid) return;
    call->change(
        core::remove_namespace{call->parameters[0], *nsid},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

void lift_protection(const call_ptr& call) {
    const auto nsid = call->nsid(1);
    if (!nsid) return;
    call->ask(
        core::lift_protection{call->parameters[0], *nsid},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

}  // namespace fulmar::admin::routes
