#include "config_history.hpp"

#include <fulmar/admin/config.hpp>

#include <nlohmann/json.hpp>

#include <utility>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

constexpr int format_version = 1;

ordered_json version_json(const config_history::version& version) {
    return {{"digest", version.digest},
            {"target", ordered_json::parse(render_config("{}", version.spec))}};
}

ordered_json key_json(const object_key& key) {
    ordered_json out = ordered_json::array({kind_word(key.kind), key.name});
    if (!key.part.empty()) out.push_back(key.part);
    return out;
}

tl::unexpected<error> damaged(const std::string& name) {
    return fail(errc::io_error, "is damaged", name,
                "it is made anew; until then everything counts as made over REST");
}

bool read_version(const ordered_json& in, config_history::version& out) {
    const config_outcome parsed = parse_config(in.at("target").dump());
    if (!parsed) return false;
    out.spec = parsed->spec;
    out.digest = in.at("digest").get<std::string>();
    return true;
}

std::optional<object_key> read_key(const ordered_json& in) {
    const auto kind = parse_kind_word(in.at(0).get<std::string>());
    if (!kind) return std::nullopt;
    return object_key{*kind, in.at(1).get<std::string>(),
                      in.size() > 2 ? in.at(2).get<std::string>() : std::string()};
}

}  // namespace

config_history config_history::first(std::string_view text, const version& file) {
    config_history out;
    out.read = file;
    if (render_config(text, file.spec) != text) out.file_made = all_objects(file.spec);
    return out;
}

void config_history::follow(const core::change& change) {
    const std::optional<object_key> key = made_or_removed_by(change);
    if (!key) return;
    file_made.erase(*key);
    if (key->kind != object_kind::subsystem) return;
    std::erase_if(file_made, [&](const object_key& one) {
        return one.name == key->name &&
               (one.kind == object_kind::name_space || one.kind == object_kind::host);
    });
}

bool config_history::knows(const std::string& digest) const {
    return read.digest == digest || (written && written->digest == digest);
}

const config_history::version& config_history::ancestor_of(const version& file) const {
    if (!written || read.digest == file.digest) return read;
    if (written->digest == file.digest) return *written;
    const core::target_spec& nearer = admin::ancestor_of(file.spec, read.spec, written->spec);
    return &nearer == &read.spec ? read : *written;
}

std::string encode(const config_history& history) {
    ordered_json out{{"version", format_version}, {"read", version_json(history.read)}};
    if (history.written) out["written"] = version_json(*history.written);
    ordered_json made = ordered_json::array();
    for (const object_key& key : history.file_made) made.push_back(key_json(key));
    out["file_made"] = std::move(made);
    std::string body = out.dump();
    return digest_of(body) + "\n" + body + "\n";
}

result<config_history> decode_history(std::string_view text, const std::string& name) {
    const std::size_t line = text.find('\n');
    if (line == std::string_view::npos || text.back() != '\n') return damaged(name);
    const std::string_view body = text.substr(line + 1, text.size() - line - 2);
    if (digest_of(body) != text.substr(0, line)) return damaged(name);
    try {
        const ordered_json in = ordered_json::parse(body);
        config_history out;
        if (in.at("version") != format_version || !read_version(in.at("read"), out.read))
            return damaged(name);
        if (in.contains("written")) {
            out.written = config_history::version{};
            if (!read_version(in.at("written"), *out.written)) return damaged(name);
        }
        for (const ordered_json& one : in.at("file_made"))
            if (const auto key = read_key(one)) out.file_made.insert(*key);
        return out;
    } catch (const ordered_json::exception&) {
        return damaged(name);
    }
}

}  // namespace fulmar::admin
