// Routes that concern the target as a whole.
#include "admin_assets.hpp"
#include "change_json.hpp"
#include "disturbance.hpp"
#include "metrics.hpp"
#include "missing.hpp"
#include "problem_document.hpp"
#include "reload.hpp"
#include "routes.hpp"
#include "status_json.hpp"

#include <fulmar/admin/key_store.hpp>
#include <fulmar/base/memory_reserve.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

http_response text_response(std::string_view body, std::string_view type) {
    http_response out;
    out.content_type = type;
    out.body = body;
    return out;
}

std::string hostname() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return {};
    return name.data();
}

json durability(const journal* log) {
    if (log == nullptr) return {{"possible", false}, {"reason", "there is no journal"}};
    const result<void> possible = log->durable();
    json out{{"possible", possible.has_value()}};
    if (!possible) out["reason"] = possible.error().text();
    return out;
}

json broken_json(const journal* log) {
    json out = json::array();
    if (log == nullptr) return out;
    for (const broken_object& one : log->broken()) {
        json item{{"name", one.name}, {"message", one.why.message}};
        if (!one.why.pointer.empty()) item["where"] = one.why.pointer;
        if (one.why.line != 0) item["line"] = one.why.line;
        if (!one.why.remedy.empty()) item["remedy"] = one.why.remedy;
        out.push_back(std::move(item));
    }
    return out;
}

/// Tells `next` what is configured and not there. Costs a look at the whole configuration, so only
/// where something failed at start.
void with_missing(const call_ptr& call, std::function<void(std::vector<missing_part>)> next) {
    const rest_context& context = call->context;
    if (context.log == nullptr || context.start_errors.empty()) return next({});
    call->ask(core::get_spec{}, [call, then = std::move(next)](const core::control_answer& answer,
                                                               std::uint64_t) {
        then(missing_parts(call->context.log->configured(), std::get<core::target_spec>(answer)));
    });
}

json notes_json(const std::vector<merge_note>& notes) {
    constexpr std::array<std::string_view, 5> words{"made", "changed", "removed", "pruned",
                                                    "overruled"};
    json out = json::array();
    for (const merge_note& note : notes) {
        json one{{"what", words[static_cast<std::size_t>(note.what)]},
                 {"object", note.object.text()}};
        if (!note.field.empty()) one["field"] = note.field;
        one["detail"] = note.text();
        out.push_back(std::move(one));
    }
    return out;
}

json report_json(const reload_report& report) {
    json changes = json::array();
    for (const reload_report::step& step : report.steps) {
        json one = to_json(step.change);
        if (!step.disturbs.hosts.empty()) one["disturbs"] = step.disturbs.hosts;
        if (step.failed) {
            one["error"] = {{"code", to_string(step.failed->code)},
                            {"detail", step.failed->message}};
            if (!step.failed->remedy.empty()) one["error"]["remedy"] = step.failed->remedy;
        }
        changes.push_back(std::move(one));
    }
    json warnings = json::array();
    for (const problem& p : report.warnings)
        warnings.push_back({{"where", p.pointer}, {"message", p.message}, {"remedy", p.remedy}});
    json out{{"dry_run", report.dry_run},
             {"changes", std::move(changes)},
             {"failed", report.failures()},
             {"needs_restart", report.needs_restart},
             {"warnings", std::move(warnings)}};
    out["notes"] = notes_json(report.notes);
    if (report.dry_run) out["needs_force"] = report.needs_force;
    if (!report.superseded.empty()) out["superseded"] = report.superseded;
    if (!report.recorded) out["not_durable"] = report.recorded.error().text();
    return out;
}

json conflicts_json(const std::vector<merge_conflict>& conflicts) {
    json out = json::array();
    for (const merge_conflict& one : conflicts) {
        json entry{{"object", one.object.text()}};
        if (!one.field.empty()) entry["field"] = one.field;
        entry["base"] = one.base;
        entry["file"] = one.file;
        entry["configured"] = one.configured;
        entry["force"] = one.can_force;
        entry["remedy"] = one.remedy;
        out.push_back(std::move(entry));
    }
    return out;
}

void refuse_reload(const call_ptr& call, const reload_refusal& why) {
    if (!why.problems.empty()) return call->fail(why.problems);
    if (why.disturbs)
        return call->send(disturbance_response(
            "would-disturb",
            {errc::conflict, why.why, {}, "?force=true (fulmar config reload --force) does it"},
            *why.disturbs, call->target.path));
    const merge_conflict& first = why.conflicts.front();
    http_response answer = problem_response(
        409, "reload-conflicts",
        {errc::conflict,
         fmt::format("nothing was changed: {} conflicts between the file and what was changed over "
                     "REST; the first: {}",
                     why.conflicts.size(), first.text()),
         {},
         first.remedy},
        call->target.path);
    json document = json::parse(answer.body);
    document["conflicts"] = conflicts_json(why.conflicts);
    answer.body = dump(document);
    call->send(std::move(answer));
}

}  // namespace

void health(const call_ptr& call) {
    call->ask(
        core::get_target{}, [call](const core::control_answer& answer, std::uint64_t revision) {
            const auto& status = std::get<core::target_status>(answer);
            json body{{"status", status.stopping ? "stopping" : "ok"},
                      {"version", FULMAR_VERSION},
                      {"hostname", hostname()}};
            body.update(to_json(status));
            body["durable"] = durability(call->context.log);
            body["memory_short"] = !memory_reserve::whole();
            body["broken"] = broken_json(call->context.log);
            if ((body["memory_short"] || !status.waiting_listeners.empty() ||
                 !body["broken"].empty()) &&
                !status.stopping)
                body["status"] = "degraded";
            body["devices_degraded"] = json::array();
            for (const core::target_status::trouble& one : status.degraded)
                body["devices_degraded"].push_back(
                    {{"device", one.device}, {"state", one.state}, {"reason", one.reason}});
            if (!status.degraded.empty() && !status.stopping) body["status"] = "degraded";
            body["missing"] = json::array();
            body["start_errors"] = json::array();
            with_missing(call, [call, revision, body](const std::vector<missing_part>& missing) {
                if (missing.empty()) return call->ok(body, revision);
                json degraded = body;
                if (degraded["status"] == "ok") degraded["status"] = "degraded";
                for (const missing_part& part : missing)
                    degraded["missing"].push_back(to_json(part));
                for (const std::string& why : call->context.start_errors)
                    degraded["start_errors"].push_back(why);
                call->ok(degraded, revision);
            });
        });
}

void version(const call_ptr& call) {
    call->ok({{"name", "fulmard"}, {"version", FULMAR_VERSION}, {"api", "v1"}}, 0);
}

void metrics(const call_ptr& call) {
    call->ask(core::get_counters{}, [call](const core::control_answer& answer, std::uint64_t) {
        auto report = std::get<core::counters_report>(answer);
        with_missing(call, [call, report](const std::vector<missing_part>& missing) {
            call->send(text_response(render_metrics(report, call->context, missing.size()),
                                     call->to.produces));
        });
    });
}

void connections(const call_ptr& call) {
    call->ask(core::list_connections{},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  json all = json::array();
                  for (const auto& one : std::get<std::vector<core::connection_status>>(answer))
                      all.push_back(to_json(one));
                  call->ok({{"connections", std::move(all)}}, revision);
              });
}

void recorder(const call_ptr& call) {
    call->ask(core::get_recorder{},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  call->ok(to_json(std::get<core::flight_report>(answer)), revision);
              });
}

void timeline(const call_ptr& call) {
    call->ask(core::get_recorder{}, [call](const core::control_answer& answer, std::uint64_t) {
        std::string text;
        for (const auto& entry : std::get<core::flight_report>(answer).entries) text += entry.line;
        call->send(text_response(text, call->to.produces));
    });
}

namespace {

error no_connection(const std::string& id) {
    return {errc::not_found,
            fmt::format("there is no connection {}", id),
            {},
            "GET /v1/connections lists them"};
}

}  // namespace

void show_connection(const call_ptr& call) {
    call->ask(core::list_connections{},
              [call](const core::control_answer& answer, std::uint64_t revision) {
                  for (const auto& one : std::get<std::vector<core::connection_status>>(answer))
                      if (fmt::format("{}", one.id) == call->parameters[0])
                          return call->ok(to_json(one), revision);
                  call->fail(no_connection(call->parameters[0]));
              });
}

// Ids are never used again: one that was listed a while ago ends that connection or none.
void end_connection(const call_ptr& call) {
    const std::string& text = call->parameters[0];
    std::uint64_t id = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (failure != std::errc{} || end != text.data() + text.size())
        return call->fail(no_connection(text));
    call->ask(core::end_connection{id}, [call](const core::control_answer&,
                                               std::uint64_t revision) { call->none(revision); });
}

void openapi(const call_ptr& call) {
    call->send(text_response(assets::openapi_json, call->to.produces));
}

namespace {
// The page may load its own two files and ask its own REST endpoint; nothing else, nowhere else.
void send_part_of_page(const call_ptr& call, std::string_view text) {
    http_response out = text_response(text, call->to.produces);
    out.headers.emplace_back(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    out.headers.emplace_back("X-Content-Type-Options", "nosniff");
    out.headers.emplace_back("Referrer-Policy", "no-referrer");
    out.headers.emplace_back("Cache-Control", "no-cache");  // another version may be started
    call->send(std::move(out));
}
}  // namespace

void page(const call_ptr& call) { send_part_of_page(call, assets::index_html); }
void page_style(const call_ptr& call) { send_part_of_page(call, assets::page_css); }
void page_script(const call_ptr& call) { send_part_of_page(call, assets::page_js); }

void config(const call_ptr& call) {
    call->ask(core::get_spec{}, [call](const core::control_answer& answer, std::uint64_t revision) {
        call->ok(to_json(call->context.options, std::get<core::target_spec>(answer)), revision);
    });
}

void reload(const call_ptr& call) {
    const std::optional<bool> dry_run = call->flag("dry_run", false);
    const std::optional<bool> prune = dry_run ? call->flag("prune", false) : std::nullopt;
    const std::optional<bool> force = prune ? call->flag("force", false) : std::nullopt;
    if (!force) return;
    if (call->context.config_path.empty())
        return call->fail(error{errc::not_supported, "this daemon has no configuration file"});
    if (!*dry_run && call->context.reload_access) call->context.reload_access();
    if (!*dry_run && call->context.keys != nullptr) call->context.keys->load();
    const reload_options how{*dry_run, *prune, *force};
    reload_config(call->context, how, [call](const reload_outcome& outcome) {
        guarded(call, [&] {
            if (!outcome) return refuse_reload(call, outcome.error());
            if (!outcome->dry_run)
                for (const reload_report::step& step : outcome->steps)
                    call->note(title(step.change));
            if (outcome->failures() == 0) return call->ok(report_json(*outcome), outcome->revision);
            http_response answer = problem_response(
                409, "reload-incomplete",
                {errc::conflict, fmt::format("{} of {} changes failed", outcome->failures(),
                                             outcome->steps.size())},
                call->target.path);
            json document = json::parse(answer.body);
            document.update(report_json(*outcome));
            answer.body = dump(document);
            call->send(std::move(answer));
        });
    });
}

}  // namespace fulmar::admin::routes
