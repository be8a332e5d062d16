// fulmar status, connection, config: the target as a whole.
#include "exit.hpp"
#include "rest_session.hpp"
#include "table.hpp"
#include "units.hpp"

#include <fmt/core.h>

namespace fulmar::cli {

namespace {

using json = rest_client::json;

std::string duration_text(std::uint64_t ms) {
    const std::uint64_t s = ms / 1000;
    if (s < 60) return fmt::format("{}.{} s", s, ms % 1000 / 100);
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    if (s < 86400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
    return fmt::format("{} d {} h", s / 86400, s % 86400 / 3600);
}

std::string status_text(const json& health) {
    const json durable = health.value("durable", json::object());
    std::string out = fmt::format(
        "fulmard {}: {}, up {}\n"
        "subsystems: {}, namespaces: {}, connections: {}; configuration at revision {}\n"
        "memory: {}; changes {}\n",
        text_of(health, "version"), text_of(health, "status"),
        duration_text(health.value("uptime_ms", std::uint64_t{0})), text_of(health, "subsystems"),
        text_of(health, "namespaces"), text_of(health, "connections"), text_of(health, "revision"),
        health.value("hugepages", false) ? "hugepages" : "ordinary pages",
        durable.value("possible", false)
            ? "survive a restart"
            : "do not survive a restart: " + text_of(durable, "reason"));
    if (health.value("memory_short", false))
        out += "memory is short: changes that add something and new connections are refused\n";
    for (const json& listener : health.value("waiting_listeners", json::array()))
        out += fmt::format("listener {} waits: {}\n", text_of(listener, "name"),
                           text_of(listener, "waits_for"));
    for (const json& one : health.value("broken", json::array()))
        out += fmt::format("broken: {}{}: {} ({})\n", text_of(one, "name"),
                           one.contains("line") ? ", line " + text_of(one, "line") : "",
                           text_of(one, "message"), text_of(one, "remedy"));
    for (const json& one : health.value("devices_degraded", json::array()))
        out += fmt::format("device {} is {}: {}\n", text_of(one, "device"), text_of(one, "state"),
                           text_of(one, "reason"));
    for (const json& part : health.value("missing", json::array()))
        out += fmt::format("missing: {} {}{}\n", text_of(part, "what"), text_of(part, "name"),
                           part.contains("nsid") ? ", namespace " + text_of(part, "nsid") : "");
    for (const json& why : health.value("start_errors", json::array()))
        out += fmt::format("  {}\n", why.get<std::string>());
    if (!health.value("missing", json::array()).empty())
        out += "`fulmar config reload` tries again\n";
    out += "\n";
    table rows({"REACTOR", ">CONNECTIONS", ">TURNS", ">BUSY", ">SLEEPS", ">LONGEST TURN",
                ">BUFFERS FREE"});
    for (const json& r : health.value("reactors", json::array())) {
        const double turns = r.value("turns", 0.0);
        rows.add(
            {text_of(r, "id"), text_of(r, "connections"), count_text(turns),
             fmt::format("{:.0f} %", turns == 0 ? 0 : 100 * r.value("busy_turns", 0.0) / turns),
             count_text(r.value("sleeps", 0.0)), time_text(r.value("longest_turn_ns", 0.0)),
             fmt::format("{} of {}", text_of(r, "pool_chunks_free"),
                         text_of(r, "pool_chunks_total"))});
    }
    return out + rows.text("no data reactors");
}

// "none", or what encrypts it: "tls TLS_AES_128_GCM_SHA256".
std::string security_text(const json& connection) {
    const std::string cipher = text_of(connection, "cipher");
    const std::string what = text_of(connection, "security");
    return cipher.empty() ? what : what + " " + cipher;
}

}  // namespace

void add_status(CLI::App& app) {
    auto s = std::make_shared<rest_session>();
    CLI::App* const c = app.add_subcommand("status", "how a running fulmard is (REST)");
    c->footer(
        "Examples:\n"
        "  fulmar status                                    the local service, or that of ./dev "
        "run\n"
        "  fulmar status --admin /tmp/x/admin.sock --json\n"
        "  fulmar status --admin http://127.0.0.1:8420 --token-file token\n"
        "Exit code 1 when something is degraded.");
    s->add_to(*c);
    c->callback([s] {
        const json health = s->get("/v1/health");
        s->show(health, [&] { return status_text(health); });
        if (health.value("status", "") == "degraded") leave(exit_code::failed);
    });
}

void add_connection(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("connection", "connections of hosts (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<rest_session>();
        auto id = std::make_shared<std::uint64_t>(0);
        CLI::App* const c = group->add_subcommand(
            "end", "end a connection; with an admin queue, its controller and all of its queues");
        c->add_option("id", *id, "as `fulmar connection list` shows it")->required();
        c->footer("Its host may connect again: `fulmar host remove` keeps it out.");
        s->add_to(*c);
        c->callback([s, id] {
            s->done(s->change("DELETE", fmt::format("/v1/connections/{}", *id)),
                    fmt::format("connection {} ends", *id));
        });
    }
    auto s = std::make_shared<rest_session>();
    CLI::App* const c = group->add_subcommand("list", "every queue of every host");
    s->add_to(*c);
    c->callback([s] {
        const json all = s->get("/v1/connections");
        s->show(all, [&] {
            table rows({">ID", "PEER", "SECURITY", "STATE", ">REACTOR", ">CNTLID", ">QID", ">DEPTH",
                        ">COMMANDS", ">READ", ">WRITTEN", "HOST", "SUBSYSTEM"});
            for (const json& one : all.value("connections", json::array()))
                rows.add({text_of(one, "id"), text_of(one, "peer"), security_text(one),
                          text_of(one, "state"), text_of(one, "reactor"), text_of(one, "cntlid"),
                          text_of(one, "qid"), text_of(one, "queue_depth"),
                          count_text(one.value("commands_total", 0.0)),
                          size_text(one.value("bytes_read", std::uint64_t{0})),
                          size_text(one.value("bytes_written", std::uint64_t{0})),
                          text_of(one, "host"), text_of(one, "subsystem")});
            return rows.text("no connections");
        });
    });
}

namespace {

std::string reload_text(const json& report) {
    std::string out;
    for (const json& change : report.value("changes", json::array())) {
        json rest = change;
        rest.erase("op");
        const json failed = change.value("error", json());
        rest.erase("error");
        rest.erase("disturbs");
        out += fmt::format("{} {} {}{}\n", failed.is_null() ? "  " : "! ", text_of(change, "op"),
                           rest.dump(), failed.is_null() ? "" : ": " + text_of(failed, "detail"));
        const json disturbs = change.value("disturbs", json::array());
        for (const json& host : disturbs)
            out += fmt::format("     disturbs {}\n", host.get<std::string>());
    }
    if (out.empty()) out = "nothing differs\n";
    for (const json& note : report.value("notes", json::array()))
        out += text_of(note, "detail") + "\n";
    if (report.value("needs_force", false))
        out += "without --force this is refused, since hosts would be disturbed\n";
    if (const std::string kept = text_of(report, "superseded"); !kept.empty())
        out += fmt::format("what was overruled or removed is kept in {}\n", kept);
    for (const json& pointer : report.value("needs_restart", json::array()))
        out += fmt::format("{} differs too; that takes effect at the next start\n",
                           pointer.get<std::string>());
    return out;
}

}  // namespace

void add_config(CLI::App& app) {
    CLI::App* const group = app.add_subcommand("config", "the configuration as a whole (REST)");
    group->require_subcommand(1);
    {
        auto s = std::make_shared<rest_session>();
        CLI::App* const c = group->add_subcommand(
            "show", "what is running, in the shape of the configuration file");
        s->add_to(*c);
        c->callback([s] {
            const json config = s->get("/v1/config");
            s->show(config, [&] { return config.dump(2) + "\n"; });
        });
    }
    auto s = std::make_shared<rest_session>();
    struct reload_flags {
        bool dry_run = false;
        bool prune = false;
        bool force = false;
    };
    auto flags = std::make_shared<reload_flags>();
    CLI::App* const c = group->add_subcommand("reload", "apply what was edited in the file");
    c->footer(
        "What REST has made or changed stays, also when the file lacks it.\n"
        "Examples:\n"
        "  fulmar config reload --dry-run          what would change, and whom it disturbs\n"
        "  fulmar config reload --prune            what REST made and the file lacks goes\n"
        "  fulmar config reload --force            the file has its way in conflicts");
    c->add_flag("--dry-run", flags->dry_run, "only tell what would change");
    c->add_flag("--prune", flags->prune, "remove what REST made and the file lacks");
    c->add_flag("--force", flags->force,
                "the file has its way over REST, and hosts may be disturbed");
    s->add_to(*c);
    c->callback([s, flags] {
        std::string target = "/v1/config/reload";
        if (flags->dry_run) target = with_parameter(target, "dry_run=true");
        if (flags->prune) target = with_parameter(target, "prune=true");
        if (flags->force) target = with_parameter(target, "force=true");
        const json report = s->change("POST", target);
        s->show(report, [&] { return reload_text(report); });
    });
}

}  // namespace fulmar::cli
