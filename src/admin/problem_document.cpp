#include "problem_document.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

std::string_view title_of(std::uint16_t status) noexcept {
    switch (status) {
        case 400: return "Bad request";
        case 401: return "Not authenticated";
        case 403: return "Not allowed";
        case 404: return "Not found";
        case 405: return "Method not allowed";
        case 406: return "Not acceptable";
        case 408: return "Timeout";
        case 409: return "Conflict";
        case 411: return "Length required";
        case 412: return "Precondition failed";
        case 413: return "Too large";
        case 415: return "Unsupported media type";
        case 421: return "Misdirected request";
        case 422: return "Not valid";
        case 429: return "Too many requests";
        case 431: return "Header too large";
        case 500: return "Internal error";
        case 501: return "Not supported";
        case 503: return "Unavailable";
        case 504: return "Timed out";
        case 507: return "No room";
        default: return "Error";
    }
}

http_response respond(std::uint16_t status, const ordered_json& document) {
    http_response out;
    out.status = status;
    out.content_type = "application/problem+json";
    out.body = dump(document);
    if (status == 401) out.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"fulmard\"");
    if (status == 503) out.headers.emplace_back("Retry-After", "1");
    return out;
}

/// What helps against a kind of error, where nobody knew better.
std::string_view usual_remedy(errc code) noexcept {
    switch (code) {
        case errc::not_found:
            return "GET the collection that it would be in: it lists what is there";
        case errc::already_exists: return "choose another name, or change what is there";
        case errc::conflict:
        case errc::bad_state: return "GET the object: its status says what it is doing";
        case errc::limit_reached:
        case errc::no_memory: return "remove something, or give the daemon more";
        case errc::unavailable: return "try again later";
        case errc::timed_out:
        case errc::quiesce_incomplete: return "GET the object: its status says what it waits for";
        case errc::invalid_argument:
        case errc::not_supported: return "GET /v1/openapi.json describes what is possible";
        case errc::permission_denied:
        case errc::io_error:
        case errc::internal: break;
    }
    return "the daemon's log has more";
}

ordered_json begin(std::uint16_t status, std::string_view code, std::string_view detail,
                   std::string_view instance) {
    ordered_json out{{"type", "urn:fulmar:problem:" + std::string(code)},
                     {"title", title_of(status)},
                     {"status", status},
                     {"detail", detail}};
    if (!instance.empty()) out["instance"] = instance;
    out["code"] = code;
    return out;
}

}  // namespace

std::uint16_t status_of(const error& why) noexcept {
    switch (why.code) {
        case errc::invalid_argument: return 422;
        // A pointer into the body: the body names what is not there, the address was right.
        case errc::not_found: return why.where.starts_with("/") ? 422 : 404;
        case errc::already_exists:
        case errc::conflict:
        case errc::bad_state: return 409;
        case errc::limit_reached:
        case errc::no_memory: return 507;
        case errc::not_supported: return 501;
        case errc::unavailable: return 503;
        case errc::timed_out:
        case errc::quiesce_incomplete: return 504;
        case errc::permission_denied: return 403;
        case errc::io_error:
        case errc::internal: return 500;
    }
    return 500;
}

std::string dump(const ordered_json& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

http_response problem_response(std::uint16_t status, std::string_view code, const error& why,
                               std::string_view instance) {
    ordered_json out = begin(status, code, why.message, instance);
    if (!why.where.empty()) out["where"] = why.where;
    out["remedy"] = why.remedy.empty() ? std::string(usual_remedy(why.code)) : why.remedy;
    return respond(status, out);
}

http_response problem_response(const error& why, std::string_view instance) {
    return problem_response(status_of(why), to_string(why.code), why, instance);
}

http_response role_refusal(const caller& who, role least, std::string_view what,
                           std::string_view instance) {
    return problem_response(403, "permission-denied",
                            {errc::permission_denied,
                             fmt::format("{} has the role {}, and {} needs {}", who.name,
                                         core::word_of(who.may), what, core::word_of(least)),
                             {},
                             fmt::format("ask somebody with the role {}, or for a token with it",
                                         core::word_of(least))},
                            instance);
}

http_response problem_response(const problem_list& problems, std::string_view instance) {
    const auto& all = problems.all();
    const bool syntax = std::any_of(
        all.begin(), all.end(), [](const problem& p) { return p.what == problem::kind::syntax; });
    const std::uint16_t status = syntax ? 400 : 422;
    const problem first = all.empty() ? problem{} : all.front();
    ordered_json out = begin(
        status, syntax ? "malformed" : "invalid-argument",
        first.pointer.empty() ? "the body " + first.message : first.pointer + " " + first.message,
        instance);
    out["where"] = first.pointer;
    if (!first.remedy.empty()) out["remedy"] = first.remedy;
    ordered_json errors = ordered_json::array();
    for (const problem& p : all) {
        ordered_json one{{"where", p.pointer}, {"message", p.message}};
        if (p.line != 0) one["line"] = p.line;
        if (!p.remedy.empty()) one["remedy"] = p.remedy;
        errors.push_back(std::move(one));
    }
    out["errors"] = std::move(errors);
    if (problems.dropped() != 0) out["more_errors"] = problems.dropped();
    return respond(status, out);
}

}  // namespace fulmar::admin
