#include "worlds.hpp"

#include <utility>

namespace fulmar::model {

namespace {

constexpr wish create{.kind = operation_kind::create};
constexpr wish remove{.kind = operation_kind::remove};
constexpr wish pause{.kind = operation_kind::pause};
constexpr wish resume{.kind = operation_kind::resume};
constexpr wish add_on_drive{.kind = operation_kind::add_namespace, .ns = 0, .on = disk::drive};
constexpr wish add_second_on_drive{
    .kind = operation_kind::add_namespace, .ns = 1, .on = disk::drive};
constexpr wish take_away{.kind = operation_kind::remove_namespace, .ns = 0};
constexpr wish reopen{.kind = operation_kind::refresh_namespace, .ns = 0, .reopens = true};
constexpr wish resize{.kind = operation_kind::refresh_namespace, .ns = 0};

constexpr wish reserve{.kind = operation_kind::reserve, .ns = 0, .takes = true};
constexpr wish reserve_in_vain{
    .kind = operation_kind::reserve, .ns = 0, .takes = true, .unrecorded = true};

/// Nothing happens but what the wishes ask for and the hosts send: each world says what else does.
settings undisturbed(std::string name, std::vector<wish> wishes) {
    settings w;
    w.name = std::move(name);
    w.wishes = std::move(wishes);
    w.cuts = w.losses = w.failures = w.repeats = w.connects = 0;
    return w;
}

// Pause and resume with I/O at the drive, commands that come in between, poll groups that fail.
settings pauses() {
    settings w = undisturbed("pauses", {pause, resume});
    w.operations = 2;
    w.request_fetches = {false, false, false};
    w.failures = 1;
    w.repeats = 1;
    return w;
}

// Who was told that operations are at a device still pauses again: the second answer is as true.
settings second_pauses() {
    settings w = undisturbed("second-pauses", {pause, pause});
    w.operations = 2;
    w.request_fetches = {false, false, false};
    return w;
}

// A connection breaks, and a host owes data, while the subsystem is paused or removed.
settings cuts() {
    settings w = undisturbed("cuts", {pause, remove});
    w.operations = 2;
    w.request_fetches = {false, true, false};
    w.request_connection = {0, 0, 1};
    w.used = 2;
    w.cuts = 1;
    return w;
}

// One subsystem goes, another one takes its slot: issue 3467, with the Connect that waits.
settings slots() {
    settings w = undisturbed("slots", {pause, remove, create});
    w.operations = 3;
    w.request_fetches = {false, false, false};
    w.request_connection = {0, 1, 1};
    w.request_namespace = {0, 0, 0};
    w.starts_connected = {true, false};
    w.connects = 1;
    return w;
}

// A namespace goes and comes back under its number, with I/O at its drive.
settings numbers() {
    settings w = undisturbed("numbers", {take_away, add_on_drive, add_second_on_drive});
    w.starts_with = {disk::drive, disk::none};
    w.operations = 2;
    w.request_namespace = {0, 0, 0};
    w.failures = 1;
    return w;
}

// The drive vanishes, signs come twice and late, an operator removes, adds, reopens meanwhile.
settings losses() {
    settings w = undisturbed("losses", {take_away, add_on_drive, reopen, resize});
    w.operations = 2;
    w.request_fetches = {false, false, false};
    w.request_connection = {0, 1, 1};
    w.used = 2;
    w.losses = 1;
    return w;
}

// The same while the subsystem is paused.
settings paused_losses() {
    settings w = undisturbed("paused-losses", {pause, resume, reopen});
    w.operations = 3;
    w.request_fetches = {false, false, false};
    w.request_connection = {0, 0, 0};
    w.request_namespace = {0, 1, 0};
    w.used = 2;
    w.losses = 1;
    return w;
}

// A drive vanishes and its I/O waits: it comes back in time or not, while the subsystem is paused
// and resumed.
settings holds() {
    settings w = undisturbed("holds", {pause, resume, reopen});
    w.holds = true;
    w.operations = 2;
    w.request_fetches = {false, true, false};
    w.request_connection = {0, 1, 1};
    w.used = 2;
    w.losses = 1;
    return w;
}

// A subsystem is made from nothing, or fails to be, and hosts come early.
settings creations() {
    settings w = undisturbed("creations", {create, remove});
    w.wishes[0].times = 2;
    w.operations = 3;
    w.starts_active = false;
    w.starts_connected = {false, false};
    w.request_fetches = {false, false, false};
    w.request_connection = {0, 0, 0};
    w.request_namespace = {0, 1, 0};
    w.used = 2;
    w.failures = 1;
    w.connects = 1;
    return w;
}

// A host reserves a namespace with I/O at its drive, which stalls or vanishes and comes back.
settings reservations() {
    settings w = undisturbed("reservations", {reserve, reserve_in_vain, reopen});
    w.operations = 2;
    w.request_fetches = {false, false, false};
    w.used = 1;
    w.losses = 1;
    return w;
}

// The same under a pause, with a host that owes data; no poll group's deadline is the last word.
settings paused_reservations() {
    settings w = undisturbed("paused-reservations", {reserve, pause});
    w.operations = 2;
    w.request_fetches = {false, true, false};
    w.request_connection = {0, 1, 1};
    w.used = 2;
    return w;
}

}  // namespace

std::vector<settings> all_worlds() {
    return {pauses(),
            second_pauses(),
            cuts(),
            slots(),
            numbers(),
            losses(),
            paused_losses(),
            holds(),
            creations(),
            reservations(),
            paused_reservations()};
}

settings world_named(std::string_view name) {
    for (const settings& w : all_worlds())
        if (w.name == name) return w;
    return {};
}

}  // namespace fulmar::model
