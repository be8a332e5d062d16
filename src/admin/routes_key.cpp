// /v1/keys: their names and states. The text of a key comes in once, and goes nowhere but into its
// file.
#include "routes.hpp"

#include <fulmar/admin/key_store.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/security/secret.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::admin::routes {

namespace {

using json = rest_call::json;

constexpr std::uint64_t longest_grace_s = 366ull * 24 * 3600;

json shown(const key_report& key) {
    json out{{"name", key.name},
             {"state", to_string(key.state)},
             {"kind", key.tls ? "tls" : "dhchap"},
             {"source", key.credential ? "credential" : "folder"},
             {"former", key.former}};
    if (!key.why.empty()) out["why"] = key.why;
    return out;
}

key_store* store_of(const call_ptr& call) {
    if (call->context.keys == nullptr)
        call->fail(error{errc::not_supported, "this target keeps no keys"});
    return call->context.keys;
}

std::optional<key_report> find_key(const key_store& store, const std::string& name) {
    const std::vector<key_report> all = store.list();
    const auto at = std::find_if(all.begin(), all.end(),
                                 [&](const key_report& one) { return one.name == name; });
    return at == all.end() ? std::nullopt : std::optional(*at);
}

struct new_key {
    std::string name;
    security::secret text;
    std::uint64_t grace_s = static_cast<std::uint64_t>(key_store::usual_grace.count());
};

void wipe_text(std::string& text) { security::wipe(std::as_writable_bytes(std::span(text))); }

/// Whatever comes of it, no copy of the text stays.
std::optional<new_key> read_new_key(const call_ptr& call) {
    std::optional<json_node> tree = call->body();
    wipe_text(call->request.body);
    if (!tree) return std::nullopt;
    problem_list problems;
    new_key out;
    std::string text;
    object_reader reader({&*tree, ""}, problems);
    reader.require("name", "such as \"host1\"");
    reader.require("key", "what `fulmar key generate` prints");
    (void)reader.read("name", out.name);
    (void)reader.read("key", text);
    (void)reader.read("grace_s", out.grace_s, std::uint64_t{0}, longest_grace_s);
    reader.finish();
    out.text = security::secret::of_text(text);
    wipe_text(text);
    if (tree->kind == json_kind::object)
        for (auto& one : tree->members) wipe_text(one.value.text);
    if (problems.empty()) return out;
    call->fail(problems);
    return std::nullopt;
}

}  // namespace

void list_keys(const call_ptr& call) {
    const key_store* const store = store_of(call);
    if (store == nullptr) return;
    json all = json::array();
    for (const key_report& one : store->list()) all.push_back(shown(one));
    call->ok({{"keys", std::move(all)}}, 0);
}

void show_key(const call_ptr& call) {
    const key_store* const store = store_of(call);
    if (store == nullptr) return;
    const auto key = find_key(*store, call->parameters[0]);
    if (!key)
        return call->fail(error{errc::not_found,
                                fmt::format("there is no key {}", call->parameters[0]),
                                {},
                                "GET /v1/keys lists them"});
    call->ok(shown(*key), 0);
}

void set_key(const call_ptr& call) {
    key_store* const store = store_of(call);
    if (store == nullptr) return;
    const auto wanted = read_new_key(call);
    if (!wanted) return;
    const auto done =
        store->set(wanted->name, wanted->text.reveal_text(), std::chrono::seconds(wanted->grace_s));
    if (!done) return call->fail(done.error());
    log::info("key {} is set", wanted->name);
    call->created("/v1/keys/" + escape_segment(wanted->name),
                  shown(*find_key(*store, wanted->name)), 0);
}

void remove_key(const call_ptr& call) {
    key_store* const store = store_of(call);
    if (store == nullptr) return;
    if (const auto done = store->remove(call->parameters[0]); !done)
        return call->fail(done.error());
    log::info("key {} is removed", call->parameters[0]);
    call->none(0);
}

}  // namespace fulmar::admin::routes
