#include "rest.hpp"

#include "audit_values.hpp"
#include "change_json.hpp"
#include "problem_document.hpp"

#include <fulmar/base/log.hpp>

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace fulmar::admin {

namespace {
constexpr std::size_t audited_changes = 8;   // in one line of the log
constexpr std::size_t audited_bytes = 1024;  // of an address, and of what has changed
}  // namespace

rest_call::rest_call(rest_context& shared, http_request what, request_target where,
                     const route& which, std::vector<std::string> values,
                     http_handler::respond answer)
    : context(shared),
      request(std::move(what)),
      target(std::move(where)),
      to(which),
      parameters(std::move(values)),
      respond_(std::move(answer)) {}

void rest_call::send(http_response response) {
    if (!respond_) return;
    ++context.answers[response.status];
    if (to.method != "GET" && context.audit) audit(response.status);
    pass.reset();
    std::exchange(respond_, nullptr)(std::move(response));
}

// What was sent is in it: no control character makes a line of its own, and none is without end.
void rest_call::note(std::string what) {
    constexpr std::size_t longest = 512;
    if (what.size() > longest)
        what.replace(whole_characters(what, longest), std::string::npos, "…");
    for (char& c : what)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    if (titles_.size() < audited_changes)
        titles_.push_back(std::move(what));
    else
        ++untitled_;
}

void rest_call::note_change(const core::change& what) {
    note(title(what));
    if (first_change_ || context.log == nullptr) return;
    before_ = audited_object(context.log->configured(), what);
    first_change_ = what;
}

/// Of the first change alone: others of the same request follow from it.
std::string rest_call::difference() const {
    if (!first_change_) return {};
    const std::string text = audited_difference(
        before_, audited_object(context.log->configured(), *first_change_), audited_bytes);
    return text.empty() ? text : " [" + text + "]";
}

/// One line of bounded length: who, as what, from where, what, with which result.
void rest_call::audit(std::uint16_t status) const {
    std::string what = fmt::format("{}", fmt::join(titles_, "; "));
    if (untitled_ != 0) what += fmt::format("; and {} more", untitled_);
    const std::string from =
        request.who.name == request.peer->name ? "" : " at " + request.peer->name;
    log::info("audit: {} ({}){} {} {} → {}{}{}{}", request.who.name, core::word_of(request.who.may),
              from, request.method,
              request.target.substr(0, whole_characters(request.target, audited_bytes)), status,
              what.empty() ? "" : ": ", what, difference());
}

namespace {

http_response with_revision(std::uint16_t status, std::string body, std::uint64_t revision) {
    http_response out;
    out.status = status;
    out.body = std::move(body);
    if (revision != 0) out.headers.emplace_back("ETag", "\"" + std::to_string(revision) + "\"");
    return out;
}

}  // namespace

void rest_call::ok(const json& body, std::uint64_t revision) {
    send(with_revision(200, dump(body), revision));
}

void rest_call::created(const std::string& location, const json& body, std::uint64_t revision) {
    http_response out = with_revision(201, dump(body), revision);
    out.headers.emplace_back("Location", location);
    send(std::move(out));
}

void rest_call::none(std::uint64_t revision) { send(with_revision(204, {}, revision)); }

void rest_call::fail(const error& why) { send(problem_response(why, target.path)); }

void rest_call::fail(const problem_list& problems) {
    send(problem_response(problems, target.path));
}

void rest_call::fault(const char* what) noexcept {
    try {
        log::error("rest: {} {}: {}", request.method, target.path, what);
        fail(error{
            errc::internal, "Fulmar made a mistake", {}, "the log has more; please report it"});
    } catch (const std::exception&) {  // out of memory twice: the connection ends without an answer
        pass.reset();
        respond_ = nullptr;
    }
}

void rest_call::ask(core::query what, answered next) {
    context.core.submit(std::move(what), false,
                        [self = shared_from_this(), then = std::move(next)](
                            control_client::outcome outcome, std::uint64_t revision) {
                            guarded(self, [&] {
                                if (!outcome) return self->fail(outcome.error());
                                then(std::move(*outcome), revision);
                            });
                        });
}

void rest_call::change(core::change what, answered next) {
    change(std::move(what), std::move(next), [this](const error& why) { fail(why); });
}

void rest_call::change(core::change what, answered next, explained refused) {
    const std::optional<bool> durable = durable_ ? durable_ : flag("durable", true);
    if (!durable) return;
    durable_ = durable;
    if (*durable && context.log != nullptr)
        if (const result<void> possible = context.log->durable(); !possible) {
            error why = possible.error();
            why.message = "nothing was changed, since it could not be made durable: " + why.message;
            if (why.remedy.empty()) why.remedy = "?durable=false changes it until the next restart";
            return send(problem_response(503, "not-durable", why, target.path));
        }
    if (context.audit) note_change(what);
    if (context.log != nullptr)
        if (const result<void> allowed = context.log->hold(what); !allowed)
            return fail(allowed.error());
    context.core.submit(
        what, *durable,
        [self = shared_from_this(), then = std::move(next), explain = std::move(refused)](
            control_client::outcome outcome, std::uint64_t revision) {
            guarded(self, [&] {
                if (!outcome) return explain(outcome.error());
                then(std::move(*outcome), revision);
            });
        },
        // Its names are its own for as long as it may happen, however long that is.
        [log = context.log, what] {
            if (log != nullptr) log->release(what);
        });
}

void rest_call::change_all(std::vector<core::change> what,
                           std::function<void(std::uint64_t)> next) {
    if (what.empty()) return next(0);
    core::change first = std::move(what.front());
    what.erase(what.begin());
    change(std::move(first),
           [self = shared_from_this(), rest = std::move(what), then = std::move(next)](
               const core::control_answer&, std::uint64_t revision) {
               if (rest.empty()) return then(revision);
               self->change_all(rest, then);
           });
}

std::optional<json_node> rest_call::body() {
    problem_list problems;
    std::optional<json_node> tree = parse_json(request.body, body_bounds, problems);
    if (tree && problems.empty()) return tree;
    fail(problems);
    return std::nullopt;
}

std::optional<bool> rest_call::flag(std::string_view name, bool usual) {
    for (const auto& [key, value] : target.query) {
        if (key != name) continue;
        if (value == "true" || value == "false") return value == "true";
        send(problem_response(400, "malformed",
                              {errc::invalid_argument, std::string(name) + " must be true or false",
                               "?" + std::string(name)},
                              target.path));
        return std::nullopt;
    }
    return usual;
}

bool rest_call::may(role least, std::string_view what) {
    if (request.who.may >= least) return true;
    send(role_refusal(request.who, least, what, target.path));
    return false;
}

std::optional<std::uint32_t> rest_call::nsid(std::size_t parameter) {
    const std::string& text = parameters[parameter];
    std::uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, value);
    if (failure == std::errc{} && rest == end && value != 0) return value;
    fail(error{errc::not_found, "\"" + text.substr(0, 40) + "\" is no NSID"});
    return std::nullopt;
}

}  // namespace fulmar::admin
