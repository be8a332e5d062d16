#include "audit_values.hpp"

#include "model_json.hpp"
#include "problem_document.hpp"

#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <variant>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t longest_value = 80;
constexpr std::size_t digits_of_digest = 12;

ordered_json find_device(const core::target_spec& spec, const std::string& name) {
    for (const core::device_spec& one : spec.devices)
        if (one.name == name) return to_json(one, document::body);
    return nullptr;
}

ordered_json find_listener(const core::target_spec& spec, const std::string& name) {
    for (const core::listener_spec& one : spec.listeners)
        if (one.name() == name) return to_json(one);
    return nullptr;
}

/// `nsid` 0: the subsystem itself.
ordered_json find_subsystem(const core::target_spec& spec, const std::string& nqn,
                            std::uint32_t nsid) {
    for (const core::subsystem_spec& one : spec.subsystems) {
        if (one.nqn != nqn) continue;
        if (nsid == 0) {
            ordered_json out = to_json(one, document::body);
            out.erase("namespaces");
            return out;
        }
        for (const core::namespace_spec& ns : one.namespaces)
            if (ns.nsid == nsid) return to_json(ns, document::body);
    }
    return nullptr;
}

template <typename Change>
ordered_json find_of(const core::target_spec& spec, const Change& c) {
    if constexpr (std::is_same_v<Change, core::create_device>)
        return find_device(spec, c.spec.name);
    else if constexpr (std::is_same_v<Change, core::create_subsystem>)
        return find_subsystem(spec, c.spec.nqn, 0);
    else if constexpr (std::is_same_v<Change, core::add_listener>)
        return find_listener(spec, c.spec.name());
    else if constexpr (std::is_same_v<Change, core::remove_listener>)
        return find_listener(spec, c.name);
    else if constexpr (requires {
                           c.nqn;
                           c.nsid;
                       })
        return find_subsystem(spec, c.nqn, c.nsid);
    else if constexpr (requires {
                           c.nqn;
                           c.spec.nsid;
                       })
        return find_subsystem(spec, c.nqn, c.spec.nsid);
    else if constexpr (requires { c.nqn; })
        return find_subsystem(spec, c.nqn, 0);
    else if constexpr (requires { c.name; })
        return find_device(spec, c.name);
    else
        return nullptr;
}

std::string shown_value(const ordered_json& of, const std::string& key) {
    const auto found = of.is_object() ? of.find(key) : of.end();
    if (!of.is_object() || found == of.end()) return "nothing";
    std::string text = dump(*found);
    if (text.size() <= longest_value) return text;
    return "sha256:" + digest_of(text).substr(0, digits_of_digest);
}

}  // namespace

ordered_json audited_object(const core::target_spec& spec, const core::change& change) {
    return std::visit([&](const auto& c) { return find_of(spec, c); }, change);
}

std::string audited_difference(const ordered_json& before, const ordered_json& after,
                               std::size_t most) {
    if (before == after) return {};
    std::set<std::string> keys;
    for (const ordered_json* side : {&before, &after})
        if (side->is_object())
            for (const auto& [key, value] : side->items()) keys.insert(key);
    std::string out;
    for (const std::string& key : keys) {
        const std::string from = shown_value(before, key);
        const std::string to = shown_value(after, key);
        if (from == to) continue;
        const std::string one =
            fmt::format("{}{}: {} → {}", out.empty() ? "" : ", ", key, from, to);
        if (out.size() + one.size() > most) return out + ", …";
        out += one;
    }
    return out;
}

std::size_t whole_characters(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text.size();
    constexpr std::size_t longest_character = 4;
    for (std::size_t end = most; end != 0 && end + longest_character > most; --end)
        if ((static_cast<unsigned char>(text[end]) & 0xc0) != 0x80) return end;
    return most;  // it is no UTF-8
}

}  // namespace fulmar::admin
