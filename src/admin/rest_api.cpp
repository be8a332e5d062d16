#include "rest_api.hpp"

#include "problem_document.hpp"

#include <boost/beast/core/string.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace fulmar::admin {

namespace {

using boost::beast::iequals;

/// Compares a pattern with a path, segment by segment. A {…} fits whatever is not empty.
bool fits(std::string_view pattern, const std::vector<std::string>& segments) {
    if (pattern == "/") return segments.empty();
    for (const std::string& given : segments) {
        if (pattern.empty()) return false;
        pattern.remove_prefix(1);  // the slash
        const std::string_view part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        if (part.starts_with('{') ? given.empty() : part != given) return false;
    }
    return pattern.empty();
}

/// What stands for the {…} of a pattern that fits.
std::vector<std::string> values_of(std::string_view pattern,
                                   const std::vector<std::string>& segments) {
    std::vector<std::string> out;
    for (const std::string& given : segments) {
        pattern.remove_prefix(1);
        if (pattern.starts_with('{')) out.push_back(given);
        pattern.remove_prefix(std::min(pattern.find('/'), pattern.size()));
    }
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Whether an Accept header admits `type` ("application/json"). Preferences do not matter: there is
/// one representation. A q of 0 is a no.
bool accepts(std::string_view accept, std::string_view type) {
    if (trimmed(accept).empty()) return true;
    type = type.substr(0, type.find(';'));
    const std::string_view family = type.substr(0, type.find('/'));
    while (!accept.empty()) {
        const std::size_t comma = accept.find(',');
        const std::string_view range = accept.substr(0, comma);
        accept.remove_prefix(comma == accept.npos ? accept.size() : comma + 1);
        const std::string_view name = trimmed(range.substr(0, range.find(';')));
        const std::size_t q = range.find("q=0");
        const bool no =
            q != range.npos && range.substr(q + 3).find_first_of("123456789") == range.npos;
        if (no) continue;
        if (name == "*/*" || iequals(name, type)) return true;
        if (name.ends_with("/*") && iequals(name.substr(0, name.size() - 2), family)) return true;
    }
    return false;
}

bool is_json(std::string_view content_type) {
    const std::string_view name = trimmed(content_type.substr(0, content_type.find(';')));
    return iequals(name, "application/json") || iequals(name, "application/merge-patch+json");
}

bool has_word(std::string_view words, std::string_view word) {
    while (!words.empty()) {
        const std::string_view first = words.substr(0, words.find(' '));
        if (first == word) return true;
        words.remove_prefix(std::min(words.size(), first.size() + 1));
    }
    return false;
}

http_response simple(std::uint16_t status, std::string_view code, std::string message,
                     std::string remedy, std::string_view instance) {
    return problem_response(status, code,
                            {errc::invalid_argument, std::move(message), {}, std::move(remedy)},
                            instance);
}

}  // namespace

rest_api::match rest_api::find(const std::string& method, const request_target& target) {
    match out;
    const auto allow = [&](std::string_view word) {
        if (out.allowed.find(word) != std::string::npos) return;
        out.allowed += fmt::format("{}{}", out.allowed.empty() ? "" : ", ", word);
    };
    for (const route& one : all_routes()) {
        if (!fits(one.pattern, target.segments)) continue;
        allow(one.method);
        if (one.method == "GET") allow("HEAD");
        if (one.method != method && !(method == "HEAD" && one.method == "GET")) continue;
        out.found = &one;
        if (!target.segments.empty()) out.parameters = values_of(one.pattern, target.segments);
    }
    if (!out.allowed.empty()) allow("OPTIONS");
    return out;
}

std::optional<http_response> rest_api::check(const http_request& head, const request_target& target,
                                             const match& place) const {
    const std::string_view path = target.path;
    if (place.allowed.empty())
        return simple(404, "not-found", "there is nothing at this address",
                      "GET /v1/openapi.json tells what there is", path);
    if (head.method == "OPTIONS") {
        http_response out;
        out.status = 204;
        out.headers.emplace_back("Allow", place.allowed);
        return out;
    }
    if (place.found == nullptr) {
        http_response out =
            simple(405, "method-not-allowed", fmt::format("{} is not possible here", head.method),
                   "one of " + place.allowed, path);
        out.headers.emplace_back("Allow", place.allowed);
        return out;
    }
    const route& to = *place.found;
    for (const auto& [key, value] : target.query) {
        const bool known = (to.changes && key == "durable") || has_word(to.query, key);
        if (!known)
            return simple(400, "malformed", fmt::format("unknown parameter \"{}\"", key), "", path);
    }
    if (!accepts(head.accept, to.produces) && !accepts(head.accept, "application/problem+json"))
        return simple(406, "not-acceptable",
                      fmt::format("there is only {}", to.produces.substr(0, to.produces.find(';'))),
                      "", path);
    if (to.takes == route::body::json) {
        if (!head.has_length)
            return simple(411, "length-required", "a body is needed, with Content-Length", "",
                          path);
        if (!is_json(head.content_type))
            return simple(415, "unsupported-media-type", "the body must be application/json",
                          "send \"Content-Type: application/json\"", path);
    }
    return std::nullopt;
}

/// Why who is unknown may not go on; and 403 for those who are known and have too small a role.
/// What needs no role is whether we live, and the page, which asks for the token itself.
std::optional<http_response> rest_api::check_role(const access_rules::known& who,
                                                  const http_request& head,
                                                  const request_target& target,
                                                  const match& place) {
    if (head.peer->metrics_only && target.path != "/metrics")
        return simple(404, "not-found", "this listener has nothing but /metrics", "", target.path);
    const bool open = place.found != nullptr && place.found->needs.least == role::anyone;
    if (!who) {
        const access_rules::refusal& why = who.error();
        if (open && (why.status == 401 || why.status == 429)) return std::nullopt;
        http_response out = problem_response(why.status,
                                             why.status == 401   ? "not-authenticated"
                                             : why.status == 429 ? "too-many-requests"
                                                                 : "permission-denied",
                                             why.why, target.path);
        if (why.retry_after_s != 0)
            out.headers.emplace_back("Retry-After", fmt::format("{}", why.retry_after_s));
        return out;
    }
    if (place.found == nullptr) return std::nullopt;
    const route& to = *place.found;
    const std::string what = fmt::format("{} {}", to.method, to.pattern);
    if (who->may < to.needs.least) return role_refusal(*who, to.needs.least, what, target.path);
    for (const auto& [key, value] : target.query)
        if (who->may < role::admin && value != "false" && has_word(to.admin_query, key))
            return role_refusal(*who, role::admin, fmt::format("{}?{}=true", what, key),
                                target.path);
    return std::nullopt;
}

std::optional<http_response> rest_api::screen(http_request& head) {
    const access_rules::known who = access_.identify(head, monotonic_clock().now());
    head.authenticated = who.has_value();
    if (who) head.who = *who;
    const std::optional<request_target> target = parse_target(head.target);
    std::optional<http_response> answer;
    if (!target) {
        answer = simple(400, "malformed", "the address is malformed", "", "");
    } else if (head.http_1_1 && head.host.empty()) {
        answer = simple(400, "malformed", "the Host header is missing", "", target->path);
    } else {
        const match place = find(head.method, *target);
        answer = check_role(who, head, *target, place);
        if (!answer) answer = check(head, *target, place);
        if (!answer && !head.authenticated && head.has_length)
            answer = simple(413, "malformed", "no body belongs here", "", target->path);
    }
    if (answer) {
        ++context_.answers[answer->status];
        limited_warning(head, *answer);
    }
    return answer;
}

void rest_api::limited_warning(const http_request& request, const http_response& answer) {
    const bool about_access = answer.status == 401 || answer.status == 403 ||
                              answer.status == 421 || answer.status == 429;
    if (!about_access || !refusals_.allow(monotonic_clock().now())) return;
    log::warn("audit: refused {}{}{} ({}); {} earlier refusals were not logged", request.peer->name,
              request.authenticated ? " as " : "", request.who.name, answer.status,
              refusals_.held_back());
}

http_response rest_api::refuse(std::uint16_t status, std::string_view why) {
    ++context_.answers[status];
    if (status != 503) return simple(status, "malformed", std::string(why), "", "");
    http_response answer = simple(status, "unavailable", std::string(why), "", "");
    answer.headers.emplace_back("Retry-After", "1");
    return answer;
}

void rest_api::handle(http_request request, respond answer) {
    // screen() has seen this head; only the body is new.
    request_target target = parse_target(request.target).value_or(request_target{});
    match place = find(request.method, target);
    if (place.found == nullptr) return answer(refuse(400, "the address is malformed"));
    const route& to = *place.found;
    auto call = std::make_shared<rest_call>(context_, std::move(request), std::move(target), to,
                                            std::move(place.parameters), std::move(answer));
    if (to.takes == route::body::none && !call->request.body.empty() && call->request.body != "{}")
        return call->send(simple(400, "malformed", "no body belongs here", "", call->target.path));
    if (to.takes == route::body::maybe_json && !call->request.body.empty() &&
        !is_json(call->request.content_type))
        return call->send(simple(415, "unsupported-media-type", "the body must be application/json",
                                 "send \"Content-Type: application/json\"", call->target.path));
    if (!to.changes) return guarded(call, [&] { to.run(call); });
    const bool conditional = !call->request.if_match.empty();
    context_.gate.enter(conditional, [this, call](change_lock::guard pass) {
        call->pass = std::move(pass);
        guarded(call, [&] { run_change(call); });
    });
}

/// With If-Match nobody else changes anything between the look at the revision and the change.
void rest_api::run_change(const call_ptr& call) {
    if (call->request.if_match.empty() || call->request.if_match == "*") return call->to.run(call);
    call->ask(core::get_target{}, [call](const core::control_answer& answer, std::uint64_t) {
        const std::uint64_t revision = std::get<core::target_status>(answer).revision;
        const std::string tag = fmt::format("\"{}\"", revision);
        if (call->request.if_match.find(tag) != std::string::npos) return call->to.run(call);
        http_response out =
            problem_response(412, "precondition-failed",
                             {errc::conflict,
                              fmt::format("the configuration is at revision {} by now", revision),
                              {},
                              "look at it again, then decide"},
                             call->target.path);
        out.headers.emplace_back("ETag", tag);
        call->send(std::move(out));
    });
}

}  // namespace fulmar::admin
