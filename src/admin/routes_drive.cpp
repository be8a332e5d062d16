// /v1/drives and /v1/events
#include "drive_client.hpp"
#include "drive_json.hpp"
#include "event_json.hpp"
#include "routes.hpp"

#include <fulmar/base/limits.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;
using drives_told = std::function<void(const drive_report&)>;
using std::chrono::steady_clock;

constexpr std::array<std::string_view, 3> indicator_words{"off", "on", "blink"};

/// Tells `next` of the drive that the address names, by its place or by its serial number.
void with_drive(const call_ptr& call, drives_told next) {
    call->context.drives.find(call->parameters[0],
                              [call, then = std::move(next)](const result<drive_report>& found) {
                                  guarded(call, [&] {
                                      if (!found) return call->fail(found.error());
                                      then(*found);
                                  });
                              });
}

/// Likewise, of what `wish` takes. From then on the drive is meant by its place: its serial number
/// is not known for ever.
void with_plan(const call_ptr& call, drive_wish wish, std::function<void(const drive_plan&)> next) {
    call->context.drives.plan(call->parameters[0], wish,
                              [call, then = std::move(next)](const result<drive_plan>& made) {
                                  guarded(call, [&] {
                                      if (!made) return call->fail(made.error());
                                      call->parameters[0] = made->drive.address.text();
                                      then(*made);
                                  });
                              });
}

void send_drive(const call_ptr& call, std::uint64_t revision = 0) {
    with_drive(call,
               [call, revision](const drive_report& now) { call->ok(to_json(now), revision); });
}

drive_port::finished then_show(const call_ptr& call) {
    return [call](const result<void>& outcome) {
        guarded(call, [&] {
            if (!outcome) return call->fail(outcome.error());
            send_drive(call);
        });
    };
}

/// Answers when the kernel has the drive back. Each event is an occasion to look again.
void show_released(const call_ptr& call, std::uint64_t revision, steady_clock::time_point until) {
    const std::uint64_t seen = call->context.drives.newest();
    with_drive(call, [call, revision, until, seen](const drive_report& now) {
        if (now.state == "absent" || now.state.empty()) return call->ok(to_json(now), revision);
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
        if (left.count() <= 0)
            return call->fail(
                error{errc::timed_out,
                      fmt::format("{} is detached, but the kernel has not taken it back yet",
                                  now.address.text()),
                      {},
                      "GET the drive: once its state is absent it can be pulled"});
        call->context.drives.wait(seen, left,
                                  [call, revision, until](const result<event_ring::page>& woken) {
                                      guarded(call, [&] {
                                          if (!woken) return call->fail(woken.error());
                                          show_released(call, revision, until);
                                      });
                                  });
    });
}

void take_away(const call_ptr& call, drive_wish how) {
    with_plan(call, how, [call](const drive_plan& plan) {
        call->change_all(plan.changes, [call](std::uint64_t revision) {
            call->pass.reset();  // a reload need not wait for the drive
            show_released(call, revision, steady_clock::now() + limits::drive_patience);
        });
    });
}

void move_drive(const call_ptr& call, drive_wish wish, const std::string& driver) {
    with_plan(call, wish, [call, driver](const drive_plan& plan) {
        if (plan.done) return call->ok(to_json(plan.drive), 0);
        call->context.drives.bind(call->parameters[0], driver, then_show(call));
    });
}

std::optional<std::uint64_t> after_parameter(const call_ptr& call, bool& given) {
    std::uint64_t number = 0;
    for (const auto& [key, value] : call->target.query) {
        if (key != "after") continue;
        given = true;
        const char* const end = value.data() + value.size();
        const auto [rest, failure] = std::from_chars(value.data(), end, number);
        if (failure == std::errc{} && rest == end) continue;
        call->fail(error{errc::invalid_argument, "after must be the number of an event", "?after",
                         "what \"next\" of the former answer says"});
        return std::nullopt;
    }
    return number;
}

}  // namespace

void list_drives(const call_ptr& call) {
    call->context.drives.list([call](const result<std::vector<drive_report>>& all) {
        guarded(call, [&] {
            if (!all) return call->fail(all.error());
            json out = json::array();
            for (const drive_report& one : *all) out.push_back(to_json(one));
            call->ok({{"drives", std::move(out)}}, 0);
        });
    });
}

void show_drive(const call_ptr& call) { send_drive(call); }

void bind_drive(const call_ptr& call) { move_drive(call, drive_wish::bind, "vfio-pci"); }

void unbind_drive(const call_ptr& call) { move_drive(call, drive_wish::unbind, "nvme"); }

void attach_drive(const call_ptr& call) {
    with_plan(call, drive_wish::attach, [call](const drive_plan& plan) {
        call->change_all(plan.changes,
                         [call](std::uint64_t revision) { send_drive(call, revision); });
    });
}

void detach_drive(const call_ptr& call) { take_away(call, drive_wish::detach); }

void drain_drive(const call_ptr& call) { take_away(call, drive_wish::drain); }

void locate_drive(const call_ptr& call) {
    const auto word = call->body_as([](json_place where, problem_list& problems) {
        std::size_t which = 0;
        object_reader reader(std::move(where), problems);
        reader.require("indicator", "one of \"off\", \"on\", \"blink\"");
        reader.read_word("indicator", which, indicator_words);
        reader.finish();
        return which;
    });
    if (!word) return;
    with_drive(call, [call, which = *word](const drive_report& drive) {
        call->context.drives.locate(drive.address.text(), std::string(indicator_words[which]),
                                    then_show(call));
    });
}

void events(const call_ptr& call) {
    bool waits = false;
    const std::optional<std::uint64_t> after = after_parameter(call, waits);
    if (!after) return;
    call->context.drives.wait(
        *after, std::chrono::seconds(waits ? limits::max_event_wait_s : 0),
        [call](const result<event_ring::page>& page) {
            guarded(call, [&] {
                if (!page) return call->fail(page.error());
                json all = json::array();
                for (const event& one : page->events) all.push_back(to_json(one));
                call->ok({{"events", std::move(all)}, {"next", page->next}, {"gap", page->gap}}, 0);
            });
        });
}

}  // namespace fulmar::admin::routes
