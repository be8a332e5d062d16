// /v1/devices and /v1/listeners
#include "routes.hpp"
#include "status_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

/// Answers a change that tells the device's new state.
rest_call::answered show_device_after(const call_ptr& call) {
    return [call](const core::control_answer& answer, std::uint64_t revision) {
        call->ok(to_json(std::get<core::device_status>(answer)), revision);
    };
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
        return read_device(std::move(where), problems, document::body);
    });
    if (!spec) return;
    // As in the config file: relative to the folder that holds the file.
    if (!call->context.config_path.empty())
        spec->path = resolve_path(spec->path, folder_of(call->context.config_path));
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
    const auto size = call->body_as([](json_place where, problem_list& problems) {
        std::uint64_t bytes = 0;
        object_reader reader(std::move(where), problems);
        reader.require("size", "the new size; 0 looks at what is underneath");
        reader.read_size("size", bytes, 0, std::numeric_limits<std::int64_t>::max());
        if (bytes % 512 != 0)
            reader.complain("size", "must be a multiple of the block size",
                            fmt::format("{} is the next one below", bytes - bytes % 512));
        reader.finish();
        return bytes;
    });
    if (!size) return;
    call->change(core::resize_device{call->parameters[0], *size}, show_device_after(call));
}

void delete_device(const call_ptr& call) {
    call->change(
        core::delete_device{call->parameters[0]},
        [call](const core::control_answer&, std::uint64_t revision) { call->none(revision); });
}

void reopen_device(const call_ptr& call) {
    call->change(core::reopen_device{call->parameters[0]}, show_device_after(call));
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
