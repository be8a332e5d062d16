// fulmar events, and `events` of fulmar drive: what has happened of late.
#include "rest_session.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

struct event_settings {
    rest_session session;
    bool follow = false;
};

/// Of the drive, or of the namespace.
std::string subject_of(const json& one) {
    if (one.contains("address")) return text_of(one, "address");
    const std::string nsid = text_of(one, "nsid");
    return text_of(one, "subsystem") + (nsid.empty() ? "" : "/" + nsid);
}

void keep_drive_events(json& page) {
    json kept = json::array();
    for (const json& one : page.value("events", json::array()))
        if (one.contains("address")) kept.push_back(one);
    page["events"] = std::move(kept);
}

void print_events(event_settings& s, bool of_drives) {
    const std::string first = "/v1/events";
    std::string target = first;
    do {
        json page = s.session.get(target);
        if (of_drives) keep_drive_events(page);
        s.session.show(page, [&] {
            std::string text;
            if (target != first && page.value("gap", false)) text = "some events were missed\n";
            for (const json& one : page.value("events", json::array())) text += event_text(one);
            return text;
        });
        std::fflush(stdout);
        target = fmt::format("{}?after={}", first, page.value("next", std::uint64_t{0}));
    } while (s.follow);
}

CLI::App* add_verb(CLI::App& to, const char* about, bool of_drives) {
    auto s = std::make_shared<event_settings>();
    CLI::App* const c = to.add_subcommand("events", about);
    s->session.add_to(*c);
    c->add_flag("--follow", s->follow, "go on with what comes, until interrupted");
    c->callback([s, of_drives] { print_events(*s, of_drives); });
    return c;
}

}  // namespace

std::string event_text(const json& one) {
    std::string line =
        fmt::format("{}  {}  {}", text_of(one, "time"), subject_of(one), text_of(one, "event"));
    for (const char* key : {"host", "cause", "device", "detail"})
        if (const std::string text = text_of(one, key); !text.empty()) line += "  " + text;
    return line + "\n";
}

void add_drive_events(CLI::App& group) {
    add_verb(group, "what happened to the drives of late, oldest first (REST)", true);
}

void add_events(CLI::App& app) {
    add_verb(app, "what happened of late: drives, reservations, protection, paths (REST)", false)
        ->footer(
            "Examples:\n"
            "  fulmar events             oldest first\n"
            "  fulmar events --follow    who is preempted, which drive goes, as it happens");
}

}  // namespace fulmar::cli
