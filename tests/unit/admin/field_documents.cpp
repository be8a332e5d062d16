#include "field_documents.hpp"

#include "admin/section_fields.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace fulmar::admin::testing_support {

namespace {

using core::field_change;
using core::field_elsewhere;
using core::field_facts;
using core::shipped_words;

constexpr std::size_t line_length = 140;
constexpr const char* socket_mode_pattern = "^0?6[0246][0246]$";
constexpr const char* loopback_v4_pattern = "^127\\.[0-9]+\\.[0-9]+\\.[0-9]+$";
constexpr const char* no_control_characters = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";
constexpr const char* pci_address_pattern = "^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$";
constexpr const char* key_name_pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$";
constexpr const char* maybe_key_name_pattern = "^([A-Za-z0-9_-][A-Za-z0-9._-]*)?$";
constexpr const char* uuid_pattern = "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?$";
constexpr const char* nguid_pattern =
    "^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?$";

ordered_json reference_to(const std::string& folder, std::string_view name) {
    return {{"$ref", folder + std::string(name)}};
}

ordered_json list_of(const field_facts& facts, ordered_json items) {
    return {{"type", "array"}, {"maxItems", facts.most}, {"items", std::move(items)}};
}

ordered_json text_schema(const field_facts& facts, const char* pattern) {
    ordered_json out{{"type", "string"}};
    if (facts.least != 0) out["minLength"] = facts.least;
    if (facts.most != 0) out["maxLength"] = facts.most;
    if (pattern != nullptr) out["pattern"] = pattern;
    return out;
}

ordered_json number_schema(const field_facts& facts, schema_use use) {
    if (!facts.numbers.empty())
        return {{"enum", std::vector<std::uint32_t>(facts.numbers.begin(), facts.numbers.end())}};
    const bool open = use == schema_use::body && facts.need == field_need::in_file;
    return {{"type", "integer"}, {"minimum", open ? 0 : facts.least}, {"maximum", facts.most}};
}

ordered_json value_schema(const field_facts& facts, schema_use use, const std::string& folder) {
    switch (facts.form) {
        case field_form::flag: return {{"type", "boolean"}};
        case field_form::number: return number_schema(facts, use);
        case field_form::size:
            if (use == schema_use::shown) return {{"type", "integer"}, {"minimum", 0}};
            return reference_to(folder, "size");
        case field_form::word: return {{"enum", shipped_words(facts)}};
        case field_form::text: return text_schema(facts, nullptr);
        case field_form::label: return text_schema(facts, no_control_characters);
        case field_form::ascii: return text_schema(facts, "^[ -~]*$");
        case field_form::pattern: return text_schema(facts, nullptr);
        case field_form::file_mode: return text_schema(facts, socket_mode_pattern);
        case field_form::nqn:
            if (facts.least != 0) return reference_to(folder, "nqn");
            return {{"anyOf", {{{"const", ""}}, reference_to(folder, "nqn")}}};
        case field_form::loopback:
            return {{"anyOf",
                     {{{"type", "string"}, {"pattern", loopback_v4_pattern}}, {{"const", "::1"}}}}};
        case field_form::address: return reference_to(folder, "address");
        case field_form::pci_address: return text_schema(facts, pci_address_pattern);
        case field_form::uuid: {
            ordered_json out = text_schema(facts, uuid_pattern);
            out["not"] = {{"const", "00000000-0000-0000-0000-000000000000"}};
            return out;
        }
        case field_form::nguid: {
            ordered_json out = text_schema(facts, nguid_pattern);
            out["not"] = {{"pattern", "^[0-]+$"}};
            return out;
        }
        case field_form::host: return reference_to(folder, "host");
        case field_form::key_name:
            return text_schema(facts, facts.least != 0 ? key_name_pattern : maybe_key_name_pattern);
        case field_form::hosts: {
            ordered_json out = list_of(facts, reference_to(folder, "host"));
            out["uniqueItems"] = true;
            return out;
        }
        case field_form::host_choice: {
            ordered_json list = list_of(facts, reference_to(folder, "host"));
            list["uniqueItems"] = true;
            return {{"anyOf", {{{"const", "all"}}, list}}};
        }
        case field_form::path_states:
            return {{"type", "object"},
                    {"maxProperties", facts.most},
                    {"propertyNames",
                     {{"minLength", 1}, {"maxLength", limits::max_listener_name_bytes}}},
                    {"additionalProperties", {{"enum", core::words_of<core::ana_state>::names}}}};
        case field_form::texts:
            if (!facts.words.empty()) return list_of(facts, {{"enum", facts.words}});
            return list_of(facts, {{"type", "string"}});
        case field_form::cpus: {
            ordered_json out =
                list_of(facts, {{"type", "integer"}, {"minimum", 0}, {"maximum", max_cpu}});
            out["uniqueItems"] = true;
            return out;
        }
        case field_form::object: return reference_to(folder, facts.schema);
        case field_form::objects: return list_of(facts, reference_to(folder, facts.schema));
        case field_form::namespaces:
            return list_of(facts, reference_to(folder, use == schema_use::shown ? "namespace_shown"
                                                                                : "namespace"));
    }
    return {};
}

/// Of which a default is nothing to tell.
bool is_list_or_object(field_form form) {
    switch (form) {
        case field_form::hosts:
        case field_form::texts:
        case field_form::cpus:
        case field_form::path_states:
        case field_form::namespaces:
        case field_form::object:
        case field_form::objects: return true;
        default: return false;
    }
}

bool has_default(const described_field& field) {
    const bool cannot_be_said = field.usual == "" && field.facts.least != 0;
    return field.facts.need == field_need::none && field.facts.needed_by == 0 &&
           !is_list_or_object(field.facts.form) && !cannot_be_said;
}

bool is_needed(const field_facts& facts, schema_use use) {
    return facts.need == field_need::always ||
           (facts.need == field_need::in_file && use == schema_use::file);
}

const field_facts* type_of(const std::vector<described_field>& fields) {
    for (const described_field& one : fields)
        if (one.facts.name == "type") return &one.facts;
    return nullptr;
}

std::vector<std::string_view> types_in(std::uint32_t bits, const field_facts& type) {
    std::vector<std::string_view> out;
    const auto words = shipped_words(type);
    for (std::size_t i = 0; i < words.size(); ++i)
        if (((bits >> i) & 1) != 0) out.push_back(words[i]);
    return out;
}

ordered_json if_type_in(const std::vector<std::string_view>& words) {
    return {{"properties", {{"type", {{"enum", words}}}}}};
}

ordered_json needs_of(const std::vector<described_field>& fields, std::uint32_t types) {
    ordered_json needed{{"required", ordered_json::array()}};
    for (const described_field& one : fields) {
        if (one.facts.needed_by != types) continue;
        needed["required"].push_back(one.facts.name);
        if (one.facts.form == field_form::size)
            needed["properties"][std::string(one.facts.name)] = {
                {"not", {{"enum", {0, "0", "0KiB", "0MiB", "0GiB", "0TiB"}}}}};
    }
    return needed;
}

ordered_json refusals_of(const std::vector<described_field>& fields, std::uint32_t types,
                         schema_use use) {
    ordered_json refused = ordered_json::object();
    for (const described_field& one : fields) {
        if (one.facts.types != types) continue;
        const std::string name(one.facts.name);
        if (one.facts.elsewhere == field_elsewhere::usual)
            refused[name] = {{"const", one.usual}};
        else if (one.facts.elsewhere == field_elsewhere::refused || use == schema_use::file)
            refused[name] = false;
    }
    return refused;
}

std::string shown_default(const described_field& field, const field_facts* type) {
    if (is_needed(field.facts, schema_use::file)) return "required";
    if (field.facts.needed_by != 0)
        return fmt::format("required ({})",
                           fmt::join(types_in(field.facts.needed_by, *type), ", "));
    if (!has_default(field)) return "";
    return field.usual == "" ? "empty" : "`" + field.usual.dump() + "`";
}

std::string shown_length(const field_facts& facts, const char* what) {
    return facts.least == 0 ? fmt::format("at most {} {}", facts.most, what)
                            : fmt::format("{} to {} {}", facts.least, facts.most, what);
}

std::string shown_values(const field_facts& facts) {
    switch (facts.form) {
        case field_form::flag: return "`true`, `false`";
        case field_form::number:
            return facts.numbers.empty() ? fmt::format("{} to {}", facts.least, facts.most)
                                         : fmt::format("{}", fmt::join(facts.numbers, ", "));
        case field_form::size: return "bytes, or text such as `\"256MiB\"`";
        case field_form::word: return fmt::format("`{}`", fmt::join(shipped_words(facts), "`, `"));
        case field_form::text:
        case field_form::label: return "text, " + shown_length(facts, "bytes");
        case field_form::ascii: return "text, " + shown_length(facts, "printable ASCII characters");
        case field_form::pattern: return "text, " + shown_length(facts, "characters");
        case field_form::file_mode: return "text, three or four octal digits";
        case field_form::nqn: return facts.least != 0 ? "an NQN" : "an NQN, or empty";
        case field_form::loopback: return "an IP address of loopback";
        case field_form::address: return "an IP address";
        case field_form::pci_address: return "a PCI address";
        case field_form::uuid: return "a UUID";
        case field_form::nguid: return "an NGUID";
        case field_form::host: return "an NQN";
        case field_form::key_name: return "the name of a key";
        case field_form::hosts: return fmt::format("up to {} NQNs", facts.most);
        case field_form::host_choice: return fmt::format("`\"all\"`, or up to {} NQNs", facts.most);
        case field_form::path_states: return fmt::format("up to {} names with a state", facts.most);
        case field_form::texts:
            if (!facts.words.empty())
                return fmt::format("a list of `{}`", fmt::join(facts.words, "`, `"));
            return fmt::format("up to {} texts", facts.most);
        case field_form::cpus: return fmt::format("up to {} numbers of CPUs", facts.most);
        case field_form::object: return fmt::format("`{}`, below", facts.schema);
        case field_form::objects:
            return fmt::format("up to {} `{}`s, below", facts.most, facts.schema);
        case field_form::namespaces: return fmt::format("up to {} namespaces", facts.most);
    }
    return {};
}

std::string shown_change(field_change change) {
    switch (change) {
        case field_change::never: return "no";
        case field_change::chosen: return "no; chosen where nothing is said";
        case field_change::by_request: return "yes";
        case field_change::in_place: return "yes; no host notices";
        case field_change::noticed: return "yes";
        case field_change::one_time: return "met once";
    }
    return {};
}

template <typename Spec, std::size_t N>
std::vector<described_field> fields_in(const std::array<core::field<Spec>, N>& table) {
    std::vector<described_field> out;
    for (const core::field<Spec>& one : table)
        out.push_back({one.facts, field_json(one, Spec{}, document::file)});
    return out;
}

void write_pretty(const ordered_json& value, std::size_t indent, std::size_t before,
                  std::string& out);

/// On one line, with a space behind colon and comma.
std::string one_line(const ordered_json& value) {
    if (!value.is_structured() || value.empty()) return value.dump();
    std::string out;
    for (const auto& [key, item] : value.items()) {
        if (!out.empty()) out += ", ";
        if (value.is_object()) out += ordered_json(key).dump() + ": ";
        out += one_line(item);
    }
    return value.is_object() ? "{" + out + "}" : "[" + out + "]";
}

void write_pretty(const ordered_json& value, std::size_t indent, std::size_t before,
                  std::string& out) {
    const std::string line = one_line(value);
    if (!value.is_structured() || value.empty() || indent + before + line.size() < line_length) {
        out += line;
        return;
    }
    out += value.is_object() ? "{" : "[";
    bool first = true;
    for (const auto& [key, item] : value.items()) {
        out += fmt::format("{}\n{:{}}", first ? "" : ",", "", indent + 2);
        first = false;
        const std::string name = value.is_object() ? ordered_json(key).dump() + ": " : "";
        out += name;
        write_pretty(item, indent + 2, name.size(), out);
    }
    out += fmt::format("\n{:{}}{}", "", indent, value.is_object() ? "}" : "]");
}

}  // namespace

ordered_json field_schema(const described_field& field, schema_use use, const std::string& folder) {
    ordered_json out = value_schema(field.facts, use, folder);
    if (use == schema_use::shown) return out;
    if (has_default(field)) out["default"] = field.usual;
    if (!field.facts.help.empty()) out["description"] = field.facts.help;
    return out;
}

ordered_json type_rules(const std::vector<described_field>& fields, schema_use use) {
    const field_facts* const type = type_of(fields);
    ordered_json rules = ordered_json::array();
    if (type == nullptr) return rules;
    std::set<std::uint32_t> needs;
    std::set<std::uint32_t> belongs;
    for (const described_field& one : fields) {
        needs.insert(one.facts.needed_by);
        belongs.insert(one.facts.types);
    }
    for (const std::uint32_t types : needs)
        if (types != 0)
            rules.push_back(
                {{"if", if_type_in(types_in(types, *type))}, {"then", needs_of(fields, types)}});
    for (const std::uint32_t types : belongs)
        if (const ordered_json refused = refusals_of(fields, types, use);
            types != 0 && !refused.empty())
            rules.push_back(
                {{"if", if_type_in(types_in(types, *type))}, {"else", {{"properties", refused}}}});
    return rules;
}

ordered_json object_schema(const std::vector<described_field>& fields, schema_use use,
                           const std::string& folder) {
    ordered_json out{{"type", "object"}, {"additionalProperties", false}};
    out["required"] = ordered_json::array();
    for (const described_field& one : fields) {
        if (is_needed(one.facts, use)) out["required"].push_back(one.facts.name);
        out["properties"][std::string(one.facts.name)] = field_schema(one, use, folder);
    }
    if (ordered_json rules = type_rules(fields, use); !rules.empty())
        out["allOf"] = std::move(rules);
    return out;
}

ordered_json shown_schema(const std::vector<described_field>& fields, const ordered_json& before) {
    const std::string folder = "#/components/schemas/";
    ordered_json out{{"type", "object"}, {"required", ordered_json::array()}};
    ordered_json& properties = out["properties"];
    const ordered_json& old = before["properties"];
    const auto is_field = [&](const std::string& name) {
        return std::any_of(fields.begin(), fields.end(),
                           [&](const described_field& one) { return one.facts.name == name; });
    };
    if (!is_field("name") && old.contains("name")) {
        out["required"].push_back("name");
        properties["name"] = old["name"];
    }
    for (const described_field& one : fields) {
        const bool always = one.facts.types == 0 || one.facts.elsewhere == field_elsewhere::shown;
        if (always) out["required"].push_back(one.facts.name);
        properties[std::string(one.facts.name)] = field_schema(one, schema_use::shown, folder);
    }
    if (old.contains("status")) {
        out["required"].push_back("status");
        properties["status"] = old["status"];
    }
    out["additionalProperties"] = false;
    return out;
}

ordered_json patch_schema(const std::vector<described_field>& fields, const ordered_json& before) {
    ordered_json out{{"type", "object"}};
    out["properties"] = before["properties"];
    for (const described_field& one : fields) {
        if (!core::is_edited(one.facts.change)) continue;
        ordered_json schema = field_schema(one, schema_use::body, "#/components/schemas/");
        schema.erase("default");
        out["properties"][std::string(one.facts.name)] = std::move(schema);
    }
    out["minProperties"] = 1;
    out["additionalProperties"] = false;
    return out;
}

std::string reference(const std::vector<described_field>& fields) {
    std::string out =
        "| field | value | default | may change | what it is |\n|---|---|---|---|---|\n";
    const field_facts* const type = type_of(fields);
    for (const described_field& one : fields) {
        std::string help(one.facts.help);
        if (one.facts.types != 0)
            help = fmt::format("({}) {}", fmt::join(types_in(one.facts.types, *type), ", "), help);
        out +=
            fmt::format("| `{}` | {} | {} | {} | {} |\n", one.facts.name, shown_values(one.facts),
                        shown_default(one, type), shown_change(one.facts.change), help);
    }
    return out;
}

std::map<std::string, std::vector<described_field>> all_fields() {
    return {{"listener", fields_in(core::fields_of<core::listener_spec>::all)},
            {"referral", fields_in(core::fields_of<core::referral_spec>::all)},
            {"device", fields_in(core::fields_of<core::device_spec>::all)},
            {"namespace", fields_in(core::fields_of<core::namespace_spec>::all)},
            {"ana_group", fields_in(core::fields_of<core::ana_group_spec>::all)},
            {"host_keys", fields_in(core::fields_of<core::host_keys_spec>::all)},
            {"subsystem", fields_in(core::fields_of<core::subsystem_spec>::all)}};
}

std::string pretty(const ordered_json& document) {
    std::string out;
    write_pretty(document, 0, 0, out);
    return out + "\n";
}

namespace {

/// The objects that fields of `table` are, each once.
template <typename Object>
described_section describe_nested(const core::field_facts& facts) {
    described_section out{std::string(facts.schema), std::string(facts.help), {}, true};
    const Object usual{};
    nested_object<Object>::parts(usual, [&](const auto& table, const auto&) {
        const auto more = fields_in(table);
        out.fields.insert(out.fields.end(), more.begin(), more.end());
    });
    return out;
}

template <typename Value>
void describe_value(std::vector<described_section>& out, const core::field_facts& facts,
                    const Value&) {
    if constexpr (is_optional<Value>)
        describe_value(out, facts, typename Value::value_type{});
    else if constexpr (has_tables<Value>)
        out.push_back(describe_nested<Value>(facts));
    else if constexpr (requires { requires has_tables<typename Value::value_type>; })
        out.push_back(describe_nested<typename Value::value_type>(facts));
}

}  // namespace

std::vector<described_section> all_sections() {
    std::vector<described_section> out;
    for_each_section([&](const auto& section) {
        out.push_back({std::string(section.name), std::string(section.help),
                       fields_in(section.table), false});
        const daemon_options usual{};
        for (const auto& one : section.table)
            std::visit(
                [&](auto member) { describe_value(out, one.facts, section.part(usual).*member); },
                one.member);
    });
    return out;
}

ordered_json section_schema(const described_section& section, const std::string& folder) {
    ordered_json out = object_schema(section.fields, schema_use::file, folder);
    if (out["required"].empty()) out.erase("required");
    out["description"] =
        section.nested ? section.help : section.help + " A change needs a restart.";
    return out;
}

}  // namespace fulmar::admin::testing_support
