// /v1/tokens and /v1/whoami
#include "access.hpp"
#include "object_reader.hpp"
#include "routes.hpp"
#include "token_book.hpp"

#include <fulmar/base/limits.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

constexpr std::int64_t seconds_of_day = 86'400;

std::int64_t now_s() noexcept { return static_cast<std::int64_t>(std::time(nullptr)); }

/// Nothing of it tells the token.
json token_json(const token_record& one) {
    json out{{"name", one.name}, {"role", core::word_of(one.grants)}};
    if (one.created_s != 0) out["created"] = utc_text(one.created_s);
    if (one.expires_s != 0) {
        out["expires"] = utc_text(one.expires_s);
        out["expired"] = now_s() >= one.expires_s;
    }
    return out;
}

const token_record* named_token(const call_ptr& call, const std::string& name) {
    const auto& all = call->context.access->tokens().all();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
    return found == all.end() ? nullptr : &*found;
}

/// The one answer that has the token.
void send_new_token(const call_ptr& call, const std::string& name, std::string token) {
    const token_record* const made = named_token(call, name);
    if (made == nullptr) return call->fail(error{errc::internal, "the token is gone"});
    json body = token_json(*made);
    body["token"] = std::move(token);
    call->created("/v1/tokens/" + escape_segment(name), body, 0);
}

struct wanted_token {
    std::string name;
    role grants = role::viewer;
    std::uint32_t valid_days = 0;
};

std::optional<wanted_token> read_wanted(const call_ptr& call) {
    return call->body_as([](json_place where, problem_list& problems) {
        wanted_token out;
        object_reader reader(std::move(where), problems);
        reader.require("name", "such as \"monitoring\"");
        reader.read("name", out.name);
        reader.require("role", "\"metrics\", \"viewer\", \"operator\" or \"admin\"");
        std::size_t word = 0;
        if (reader.read_word("role", word, core::words_of<role>::names))
            out.grants = core::words_of<role>::values[word];
        reader.read("valid_days", out.valid_days, 1, limits::max_token_days);
        reader.finish();
        return out;
    });
}

}  // namespace

void whoami(const call_ptr& call) {
    const caller& who = call->request.who;
    call->ok({{"name", who.name}, {"role", core::word_of(who.may)}}, 0);
}

void list_tokens(const call_ptr& call) {
    json all = json::array();
    for (const token_record& one : call->context.access->tokens().all())
        all.push_back(token_json(one));
    call->ok({{"tokens", std::move(all)}}, 0);
}

void show_token(const call_ptr& call) {
    const std::string& name = call->parameters[0];
    if (const token_record* const one = named_token(call, name))
        return call->ok(token_json(*one), 0);
    call->fail(error{errc::not_found,
                     fmt::format("there is no token {}", name),
                     {},
                     "GET /v1/tokens lists them"});
}

void create_token(const call_ptr& call) {
    const std::optional<wanted_token> wanted = read_wanted(call);
    if (!wanted) return;
    const std::int64_t now = now_s();
    const std::int64_t expires =
        wanted->valid_days == 0 ? 0 : now + wanted->valid_days * seconds_of_day;
    result<std::string> token = call->context.access->change_tokens(
        [&](token_book& book) { return book.create(wanted->name, wanted->grants, now, expires); });
    call->note(fmt::format("create token {} with the role {}", wanted->name,
                           core::word_of(wanted->grants)));
    if (!token) return call->fail(token.error());
    send_new_token(call, wanted->name, std::move(*token));
}

void rotate_token(const call_ptr& call) {
    const std::string& name = call->parameters[0];
    result<std::string> token = call->context.access->change_tokens(
        [&](token_book& book) { return book.rotate(name, now_s()); });
    call->note(fmt::format("rotate token {}", name));
    if (!token) return call->fail(token.error());
    send_new_token(call, name, std::move(*token));
}

void revoke_token(const call_ptr& call) {
    const std::string& name = call->parameters[0];
    const result<void> gone =
        call->context.access->change_tokens([&](token_book& book) { return book.revoke(name); });
    call->note(fmt::format("revoke token {}", name));
    if (!gone) return call->fail(gone.error());
    call->none(0);
}

}  // namespace fulmar::admin::routes
