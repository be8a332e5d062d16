#include "config_objects.hpp"

#include "model_json.hpp"

#include <fulmar/core/fields/field_compare.hpp>

#include <fmt/format.h>

#include <array>
#include <utility>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> kind_words{"listener",  "device", "subsystem",
                                                     "namespace", "host",   "referral"};

object_fields fields_of(const ordered_json& object) {
    object_fields out;
    for (const auto& [key, value] : object.items()) out.emplace(key, value);
    return out;
}

void add(config_objects& out, object_key key, object_fields fields) {
    const auto [at, fresh] = out.fields.emplace(std::move(key), std::move(fields));
    if (fresh) out.order.push_back(at->first);
}

void add_subsystem(config_objects& out, const core::subsystem_spec& spec) {
    core::subsystem_spec bare = spec;
    bare.hosts.clear();
    bare.namespaces.clear();
    object_fields fields = fields_of(to_json(bare, document::body));
    fields.erase("hosts");
    fields.erase("namespaces");
    add(out, {object_kind::subsystem, spec.nqn}, std::move(fields));
    for (const std::string& host : spec.hosts)
        add(out, {object_kind::host, spec.nqn, host}, object_fields{});
    for (const core::namespace_spec& ns : spec.namespaces)
        add(out, {object_kind::name_space, spec.nqn, fmt::format("{}", ns.nsid)},
            fields_of(to_json(ns, document::body)));
}

/// What the readers of REST bodies make of the fields.
template <typename Spec>
result<Spec> read_back(const object_fields& fields,
                       Spec (*read)(json_place, problem_list&, document)) {
    ordered_json object = ordered_json::object();
    for (const auto& [key, value] : fields) object[key] = value;
    problem_list problems;
    const auto tree = parse_json(object.dump(), body_bounds, problems);
    Spec out;
    if (tree && problems.empty()) out = read({&*tree, ""}, problems, document::body);
    if (!problems.empty()) return tl::unexpected(problems.first(""));
    return out;
}

}  // namespace

std::string object_key::text() const {
    switch (kind) {
        case object_kind::name_space: return fmt::format("namespace {}/{}", name, part);
        case object_kind::host: return fmt::format("host {} of {}", part, name);
        case object_kind::listener:
        case object_kind::device:
        case object_kind::subsystem:
        case object_kind::referral: break;
    }
    return fmt::format("{} {}", kind_word(kind), name);
}

std::string_view kind_word(object_kind kind) noexcept {
    return kind_words[static_cast<std::size_t>(kind)];
}

std::optional<object_kind> parse_kind_word(std::string_view word) noexcept {
    for (std::size_t i = 0; i < kind_words.size(); ++i)
        if (kind_words[i] == word) return static_cast<object_kind>(i);
    return std::nullopt;
}

namespace {

template <typename Spec>
const core::field_facts* facts_in_table(std::string_view name) noexcept {
    const core::field<Spec>* const found = core::find_field<Spec>(name);
    return found == nullptr ? nullptr : &found->facts;
}

}  // namespace

const core::field_facts* facts_of(object_kind kind, std::string_view field) noexcept {
    switch (kind) {
        case object_kind::listener: return facts_in_table<core::listener_spec>(field);
        case object_kind::device: return facts_in_table<core::device_spec>(field);
        case object_kind::subsystem: return facts_in_table<core::subsystem_spec>(field);
        case object_kind::name_space: return facts_in_table<core::namespace_spec>(field);
        case object_kind::referral: return facts_in_table<core::referral_spec>(field);
        case object_kind::host: return nullptr;
    }
    return nullptr;
}

const object_fields* config_objects::find(const object_key& key) const {
    const auto found = fields.find(key);
    return found == fields.end() ? nullptr : &found->second;
}

config_objects objects_of(const core::target_spec& spec) {
    config_objects out;
    std::map<std::string, unsigned> any_port;
    for (const core::listener_spec& listener : spec.listeners) {
        object_key key{object_kind::listener, listener.name()};
        if (listener.port == 0)  // there may be several
            key.part = fmt::format("{}", ++any_port[key.name]);
        add(out, std::move(key), fields_of(to_json(listener)));
    }
    for (const core::device_spec& device : spec.devices)
        add(out, {object_kind::device, device.name}, fields_of(to_json(device, document::body)));
    for (const core::subsystem_spec& subsystem : spec.subsystems) add_subsystem(out, subsystem);
    for (const core::referral_spec& referral : spec.referrals)
        add(out,
            {object_kind::referral,
             core::listener_spec{referral.transport, referral.address, referral.port}.name()},
            fields_of(to_json(referral)));
    return out;
}

result<core::listener_spec> listener_of(const object_fields& fields) {
    return read_back(fields, &read_listener);
}
result<core::device_spec> device_of(const object_fields& fields) {
    return read_back(fields, &read_device);
}
result<core::subsystem_spec> subsystem_of(const object_fields& fields) {
    return read_back(fields, &read_subsystem);
}
result<core::namespace_spec> namespace_of(const object_fields& fields) {
    return read_back(fields, &read_namespace);
}
result<core::referral_spec> referral_of(const object_fields& fields) {
    return read_back(fields, &read_referral);
}

std::optional<object_key> made_or_removed_by(const core::change& change) {
    using kind = object_kind;
    const auto nsid = [](std::uint32_t number) { return fmt::format("{}", number); };
    const auto referral = [](const core::referral_spec& spec) {
        return object_key{kind::referral,
                          core::listener_spec{spec.transport, spec.address, spec.port}.name()};
    };
    if (const auto* c = std::get_if<core::create_device>(&change))
        return object_key{kind::device, c->spec.name};
    if (const auto* c = std::get_if<core::delete_device>(&change))
        return object_key{kind::device, c->name};
    if (const auto* c = std::get_if<core::create_subsystem>(&change))
        return object_key{kind::subsystem, c->spec.nqn};
    if (const auto* c = std::get_if<core::delete_subsystem>(&change))
        return object_key{kind::subsystem, c->nqn};
    if (const auto* c = std::get_if<core::add_namespace>(&change))
        return object_key{kind::name_space, c->nqn, nsid(c->spec.nsid)};
    if (const auto* c = std::get_if<core::remove_namespace>(&change))
        return object_key{kind::name_space, c->nqn, nsid(c->nsid)};
    if (const auto* c = std::get_if<core::add_host>(&change))
        return object_key{kind::host, c->nqn, c->host};
    if (const auto* c = std::get_if<core::remove_host>(&change))
        return object_key{kind::host, c->nqn, c->host};
    if (const auto* c = std::get_if<core::add_listener>(&change))
        return object_key{kind::listener, c->spec.name()};
    if (const auto* c = std::get_if<core::remove_listener>(&change))
        return object_key{kind::listener, c->name};
    if (const auto* c = std::get_if<core::add_referral>(&change)) return referral(c->spec);
    if (const auto* c = std::get_if<core::remove_referral>(&change)) return referral(c->spec);
    return std::nullopt;
}

}  // namespace fulmar::admin
