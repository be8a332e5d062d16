// The tables of core/fields as JSON, both ways. Pure.
// Must never: know a field by its name.
#pragma once

#include "model_json.hpp"
#include "quantity.hpp"

#include <fulmar/core/fields/field_compare.hpp>

#include <fmt/format.h>

#include <optional>
#include <type_traits>
#include <utility>

namespace fulmar::admin {

/// Linux on the largest machines numbers no more.
inline constexpr std::uint32_t max_cpu = 4095;

/// An object that is a field of another one specializes this: `parts(object, visit)` calls `visit`
/// with each table and the part of the object that it describes; `check(reader, object)` is for the
/// rules between its fields.
template <typename Object>
struct nested_object;

template <typename Object>
concept has_tables = requires {
    &nested_object<Object>::check;
};

template <>
struct nested_object<core::ana_group_spec> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(core::fields_of<core::ana_group_spec>::all, object);
    }
    static void check(object_reader& reader, const core::ana_group_spec& group);
};

template <>
struct nested_object<core::host_keys_spec> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(core::fields_of<core::host_keys_spec>::all, object);
    }
    static void check(object_reader& reader, const core::host_keys_spec& keys);
};

/// Each reads a value by what its field says; false, and a problem, when it does not fit, false
/// when it is not there.
bool read_text(object_reader& reader, const core::field_facts& facts, std::string& into);
bool read_list(object_reader& reader, const core::field_facts& facts,
               std::vector<std::string>& into);
bool read_list(object_reader& reader, const core::field_facts& facts, std::vector<int>& into);
bool read_paths(object_reader& reader, const core::field_facts& facts, core::ana_paths& into);
bool read_choice(object_reader& reader, const core::field_facts& facts, core::host_choice& into);
bool read_number(object_reader& reader, const core::field_facts& facts, document kind,
                 std::uint64_t& into);
bool read_list(object_reader& reader, const core::field_facts& facts, core::subsystem_spec& into,
               document kind);
template <has_tables Object>
Object read_nested(json_place where, problem_list& problems, document kind);

template <typename Value>
inline constexpr bool is_optional = false;
template <typename Value>
inline constexpr bool is_optional<std::optional<Value>> = true;

template <typename Value>
bool read_value(object_reader& reader, const core::field_facts& facts, document kind, Value& into) {
    if constexpr (std::is_same_v<Value, bool>) {
        return reader.read(facts.name, into);
    } else if constexpr (std::is_same_v<Value, std::string>) {
        return read_text(reader, facts, into);
    } else if constexpr (std::is_enum_v<Value>) {
        std::size_t word = 0;
        if (!reader.read_word(facts.name, word, facts.words)) return false;
        into = core::words_of<Value>::values[word];
        return true;
    } else if constexpr (std::is_integral_v<Value>) {
        std::uint64_t wide = 0;
        if (!read_number(reader, facts, kind, wide)) return false;
        into = static_cast<Value>(wide);
        return true;
    } else if constexpr (std::is_same_v<Value, core::host_choice>) {
        return read_choice(reader, facts, into);
    } else if constexpr (std::is_same_v<Value, core::ana_paths>) {
        return read_paths(reader, facts, into);
    } else if constexpr (is_optional<Value>) {
        typename Value::value_type said;
        if (!read_value(reader, facts, kind, said)) return false;
        into = std::move(said);
        return true;
    } else if constexpr (has_tables<Value>) {
        json_place where = reader.member(facts.name);
        if (where.node == nullptr) return false;
        into = read_nested<Value>(std::move(where), reader.problems(), kind);
        return true;
    } else if constexpr (requires(Value all) { read_list(reader, facts, all); }) {
        return read_list(reader, facts, into);
    } else {  // a list of objects
        for (const json_place& item : reader.items(facts.name, facts.most))
            into.push_back(read_nested<typename Value::value_type>(item, reader.problems(), kind));
        return reader.has(facts.name);
    }
}

template <typename Spec>
bool read_field(object_reader& reader, const core::field<Spec>& field, Spec& spec, document kind) {
    const core::field_facts& facts = field.facts;
    if (facts.need == core::field_need::always ||
        (facts.need == core::field_need::in_file && kind == document::file))
        reader.require(facts.name, facts.sample);
    return std::visit(
        [&](auto member) {
            auto& into = spec.*member;
            using value = std::remove_reference_t<decltype(into)>;
            if constexpr (!std::is_same_v<value, std::vector<core::namespace_spec>>)
                return read_value(reader, facts, kind, into);
            else if constexpr (std::is_same_v<Spec, core::subsystem_spec>)
                return read_list(reader, facts, spec, kind);
            else
                return false;
        },
        field.member);
}

/// An object of one type has no more than the fields of its type, and those that it must have.
template <typename Spec>
void judge_type(object_reader& reader, const core::field<Spec>& field, bool given, Spec& spec,
                document kind) {
    const core::field_facts& facts = field.facts;
    const std::uint32_t type = core::type_of(spec);
    if (type == 0) return;  // which is told already
    if ((facts.needed_by & type) != 0) {
        if (facts.form != core::field_form::size)
            reader.require(facts.name, facts.sample);
        else if (core::is_usual(field, spec) && (given || !reader.has(facts.name)))
            reader.complain(facts.name,
                            fmt::format("lacks a {}, which a \"{}\" device needs", facts.name,
                                        core::type_word(spec)),
                            std::string(facts.sample));
    }
    if (core::has_field(type, facts)) return;
    const bool allowed =
        (facts.elsewhere == core::field_elsewhere::usual && core::is_usual(field, spec)) ||
        (facts.elsewhere == core::field_elsewhere::shown && kind == document::body);
    if (given && !allowed)
        reader.complain(facts.name, fmt::format(fmt::runtime(facts.foreign), core::type_word(spec)),
                        "remove it");
    core::reset(field, spec);
}

/// All fields of the table, in its order; a "type" comes before what depends on it.
template <typename Table, typename Spec>
void read_fields(object_reader& reader, const Table& table, Spec& spec, document kind) {
    for (const core::field<Spec>& field : table) {
        const bool given = read_field(reader, field, spec, kind);
        judge_type(reader, field, given, spec, kind);
    }
}
template <typename Spec>
void read_fields(object_reader& reader, Spec& spec, document kind) {
    read_fields(reader, core::fields_of<Spec>::all, spec, kind);
}

template <has_tables Object>
Object read_nested(json_place where, problem_list& problems, document kind) {
    Object out;
    object_reader reader(std::move(where), problems);
    nested_object<Object>::parts(
        out, [&](const auto& table, auto& part) { read_fields(reader, table, part, kind); });
    nested_object<Object>::check(reader, out);
    reader.finish();
    return out;
}

nlohmann::ordered_json namespaces_json(const std::vector<core::namespace_spec>& all, document kind);
nlohmann::ordered_json paths_json(const core::ana_paths& paths);
nlohmann::ordered_json choice_json(const core::host_choice& hosts);
nlohmann::ordered_json number_json(std::uint64_t value, const core::field_facts& facts,
                                   document kind);
template <has_tables Object>
nlohmann::ordered_json nested_json(const Object& object, document kind);

template <typename Value>
nlohmann::ordered_json value_json(const Value& value, const core::field_facts& facts,
                                  document kind) {
    if constexpr (std::is_enum_v<Value>) {
        return core::word_of(value);
    } else if constexpr (std::is_same_v<Value, std::vector<core::namespace_spec>>) {
        return namespaces_json(value, kind);
    } else if constexpr (std::is_unsigned_v<Value> && !std::is_same_v<Value, bool>) {
        return number_json(value, facts, kind);
    } else if constexpr (std::is_same_v<Value, core::host_choice>) {
        return choice_json(value);
    } else if constexpr (std::is_same_v<Value, core::ana_paths>) {
        return paths_json(value);
    } else if constexpr (is_optional<Value>) {
        if (!value) return nullptr;
        return value_json(*value, facts, kind);
    } else if constexpr (has_tables<Value>) {
        return nested_json(value, kind);
    } else if constexpr (requires { requires has_tables<typename Value::value_type>; }) {
        nlohmann::ordered_json out = nlohmann::ordered_json::array();
        for (const auto& one : value) out.push_back(nested_json(one, kind));
        return out;
    } else {
        return value;
    }
}

template <typename Spec>
nlohmann::ordered_json field_json(const core::field<Spec>& field, const Spec& spec, document kind) {
    return std::visit([&](auto member) { return value_json(spec.*member, field.facts, kind); },
                      field.member);
}

template <typename Spec>
bool is_written(const core::field<Spec>& field, const Spec& spec, document kind) {
    if (!core::has_field(core::type_of(spec), field.facts) &&
        (field.facts.elsewhere != core::field_elsewhere::shown || kind == document::file))
        return false;
    return kind == document::body || field.facts.always_written || !core::is_usual(field, spec);
}

/// In a file, values that are their default are left out, unless the table says otherwise.
template <typename Table, typename Spec>
nlohmann::ordered_json fields_json(const Table& table, const Spec& spec, document kind) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    for (const core::field<Spec>& field : table)
        if (is_written(field, spec, kind))
            out[std::string(field.facts.name)] = field_json(field, spec, kind);
    return out;
}
template <typename Spec>
nlohmann::ordered_json fields_json(const Spec& spec, document kind) {
    return fields_json(core::fields_of<Spec>::all, spec, kind);
}

template <has_tables Object>
nlohmann::ordered_json nested_json(const Object& object, document kind) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    nested_object<Object>::parts(object, [&](const auto& table, const auto& part) {
        out.update(fields_json(table, part, kind));
    });
    return out;
}

/// New values for fields that an edit changes, of the members that `reader` has.
template <typename Spec>
core::field_edits<Spec> read_edits(object_reader& reader) {
    core::field_edits<Spec> out;
    for (std::size_t i = 0; i < core::fields_of<Spec>::all.size(); ++i) {
        const core::field<Spec>& field = core::fields_of<Spec>::all[i];
        if (core::is_edited(field.facts.change) &&
            read_field(reader, field, out.values, document::body))
            core::mark(out, i);
    }
    return out;
}

/// For people: `others`, and the fields that an edit changes.
template <typename Spec>
std::string changeable(std::string others) {
    for (const core::field<Spec>& field : core::fields_of<Spec>::all)
        if (core::is_edited(field.facts.change))
            others += fmt::format(", \"{}\"", field.facts.name);
    return others;
}

template <typename Spec>
nlohmann::ordered_json edits_json(const core::field_edits<Spec>& edits) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < core::fields_of<Spec>::all.size(); ++i) {
        const core::field<Spec>& field = core::fields_of<Spec>::all[i];
        if (core::is_marked(edits, i))
            out[std::string(field.facts.name)] = field_json(field, edits.values, document::body);
    }
    return out;
}

}  // namespace fulmar::admin
