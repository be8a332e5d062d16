// /v1/devices and /v1/listeners
#include "disturbance.hpp"
#include "field_json.hpp"
#include "routes.hpp"
#include "status_json.hpp"

#include <fulmar/core/spec_rules.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

/// Answers a change that tells the device's new state.
rest_call::answered show_device_after(const call_ptr& call) {
    return [call](const core::control_answer& answer, std::uint64_t revision) {
        call->ok(to_json(std::get<core::device_status>(answer)), revision);
    };
}

/// Where a device was to become smaller: who would lose by it.
void explain_resize(const call_ptr& call, const error& why) {
    if (why.code != errc::conflict || why.where != "/size") return call->fail(why);
    call->ask(core::get_device{call->parameters[0]},
              [call, why](const core::control_answer& answer, std::uint64_t) {
                  const std::string user = std::get<core::device_status>(answer).used_by;
                  if (user.empty()) return call->fail(why);
                  with_hosts(call, [call, why, user](const connected_hosts& hosts) {
                      disturbance who;
                      who.namespaces = {user};
                      who.hosts = hosts.of(user.substr(0, user.rfind('/')));
                      call->send(disturbance_response("conflict", why, who, call->target.path));
                  });
              });
}

}  // namespace

void list_devices(const call_ptr& call) {
    call->ask(core::list_devices{},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  json all = json::array();
                  for (const auto& one : std::get<std::vector<core::device_status>>(answer))
                      all.push_back(to_json(one));
                  call->ok({{"devices", std::move(all)}}, revision);
              });
}

void create_device(const call_ptr& call) {
    auto spec = call->body_as([](json_place where, problem_list& problems) {
        const bool chosen = object_reader(where, problems).has("block_size");
        core::device_spec asked = read_device(std::move(where), problems, document::body);
        if (!chosen && core::finds_field(asked, "block_size")) asked.block_bytes = 0;
        return asked;
    });
    if (!spec) return;
    // As in the config file: relative to the folder that holds the file.
    if (!call->context.config_path.empty())
        for (const auto path : core::device_paths)
            (*spec).*path = resolve_path((*spec).*path, folder_of(call->context.config_path));
    // Who owns the machine may name what it likes, until a list says otherwise.
    const rest_context& context = call->context;
    if (context.trust_path != nullptr && call->request.who.owns_machine &&
        !context.options.files.allow)
        for (const auto path : core::device_paths)
            if (!((*spec).*path).empty()) context.trust_path((*spec).*path);
    call->change(core::create_device{std::move(*spec)}, [call](const core::control_answer& answer,
                                                               std::uint64_t revision) {
        const auto& made = std::get<core::device_status>(answer);
        call->created("/v1/devices/" + escape_segment(made.spec.name), to_json(made), revision);
    });
}

void show_device(const call_ptr& call) {
    call->ask(core::get_device{call->parameters[0]}, show_device_after(call));
}

void patch_device(const call_ptr& call) {
    struct wanted_device {
        std::uint64_t bytes = 0;
        bool allow_shrink = false;
        bool sized = false;
        core::field_edits<core::device_spec> edits;
    };
    const auto wanted = call->body_as([](json_place where, problem_list& problems) {
        wanted_device out;
        std::uint64_t& bytes = out.bytes;
        object_reader reader(std::move(where), problems);
        out.edits = read_edits<core::device_spec>(reader);
        out.sized = reader.has("size");
        if (out.edits.which == 0)
            reader.require("size", "the new size; 0 looks at what is underneath");
        const bool sized = reader.read_size("size", bytes, 0, limits::max_device_bytes);
        // The device's own block size is judged where the device is known.
        if (const auto fits = core::check_size(bytes, {}); sized && !fits)
            reader.complain("size", fits.error().message, fits.error().remedy);
        reader.read("allow_shrink", out.allow_shrink);
        reader.finish();
        return out;
    });
    if (!wanted) return;
    const std::string& name = call->parameters[0];
    auto modify = [call, change = core::modify_device{name, wanted->edits}] {
        call->change(change, show_device_after(call));
    };
    if (!wanted->sized) return modify();
    rest_call::answered after = show_device_after(call);
    if (wanted->edits.which != 0)
        after = [modify = std::move(modify)](const core::control_answer&, std::uint64_t) {
            modify();
        };
    call->change(core::resize_device{name, wanted->bytes, wanted->allow_shrink}, std::move(after),
                 [call](const error& why) { explain_resize(call, why); });
}

void delete_device(const call_ptr& call) {
    call->change(
        core::delete_device{call->parameters[0]},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

void reopen_device(const call_ptr& call) {
    bool accept = false;
    if (!call->request.body.empty()) {
        const auto wanted = call->body_as([](json_place where, problem_list& problems) {
            bool yes = false;
            object_reader reader(std::move(where), problems);
            reader.read("accept", yes);
            reader.finish();
            return yes;
        });
        if (!wanted) return;
        accept = *wanted;
        if (accept && !call->may(role::admin, "accepting other storage")) return;
    }
    call->change(core::reopen_device{call->parameters[0], accept}, show_device_after(call));
}

void list_listeners(const call_ptr& call) {
    call->ask(core::list_listeners{},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  json all = json::array();
                  for (const auto& one : std::get<std::vector<core::listener_status>>(answer))
                      all.push_back(to_json(one));
                  call->ok({{"listeners", std::move(all)}}, revision);
              });
}

void show_listener(const call_ptr& call) {
    call->ask(
        core::list_listeners{}, [call](const core::control_answer& answer, std::uint64_t revision) {
            const auto& all = std::get<std::vector<core::listener_status>>(answer);
            const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) {
                return one.spec.name() == call->parameters[0];
            });
            if (found == all.end())
                return call->fail(error{errc::not_found,
                                        fmt::format("there is no listener {}", call->parameters[0]),
                                        {},
                                        "GET /v1/listeners lists them"});
            call->ok(to_json(*found), revision);
        });
}

void add_listener(const call_ptr& call) {
    auto spec = call->body_as([](json_place where, problem_list& problems) {
        return read_listener(std::move(where), problems, document::body);
    });
    if (!spec) return;
    call->change(core::add_listener{std::move(*spec)}, [call](const core::control_answer& answer,
                                                              std::uint64_t revision) {
        const auto& made = std::get<core::listener_status>(answer);
        call->created("/v1/listeners/" + escape_segment(made.spec.name()), to_json(made), revision);
    });
}

void remove_listener(const call_ptr& call) {
    call->change(
        core::remove_listener{call->parameters[0]},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

}  // namespace fulmar::admin::routes
