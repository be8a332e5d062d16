// The tables of core/fields as JSON, both ways. Pure.
// Must never: know a field by its name.
#pragma once

#include "model_json.hpp"
#include "quantity.hpp"

#include <fulmar/core/fields/field_compare.hpp>

#include <fmt/format.h>

#include <initializer_list>
#include <type_traits>

namespace fulmar::admin {

/// Reads a text, a word or a number by what its field says; false, and a problem, when it does not
/// fit, false when it is not there.
bool read_text(object_reader& reader, const core::field_facts& facts, std::string& into);
bool read_list(object_reader& reader, const core::field_facts& facts,
               std::vector<std::string>& into);
bool read_number(object_reader& reader, const core::field_facts& facts, document kind,
                 std::uint64_t& into);
bool read_list(object_reader& reader, const core::field_facts& facts, core::subsystem_spec& into,
               document kind);

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
            if constexpr (std::is_same_v<value, bool>) {
                return reader.read(facts.name, into);
            } else if constexpr (std::is_same_v<value, std::string>) {
                return read_text(reader, facts, into);
            } else if constexpr (std::is_same_v<value, std::vector<std::string>>) {
                return read_list(reader, facts, into);
            } else if constexpr (std::is_same_v<value, std::vector<core::namespace_spec>>) {
                if constexpr (std::is_same_v<Spec, core::subsystem_spec>)
                    return read_list(reader, facts, spec, kind);
                else
                    return false;
            } else if constexpr (std::is_enum_v<value>) {
                std::size_t word = 0;
                if (!reader.read_word(facts.name, word, facts.words)) return false;
                into = core::words_of<value>::values[word];
                return true;
            } else {
                std::uint64_t wide = 0;
                if (!read_number(reader, facts, kind, wide)) return false;
                into = static_cast<value>(wide);
                return true;
            }
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

nlohmann::ordered_json namespaces_json(const std::vector<core::namespace_spec>& all, document kind);

template <typename Spec>
nlohmann::ordered_json field_json(const core::field<Spec>& field, const Spec& spec, document kind) {
    return std::visit(
        [&](auto member) -> nlohmann::ordered_json {
            const auto& value = spec.*member;
            using type = std::remove_cvref_t<decltype(value)>;
            if constexpr (std::is_enum_v<type>) {
                return core::word_of(value);
            } else if constexpr (std::is_same_v<type, std::vector<core::namespace_spec>>) {
                return namespaces_json(value, kind);
            } else if constexpr (std::is_same_v<type, std::uint64_t>) {
                if (kind == document::file && field.facts.form == core::field_form::size)
                    return print_size(value);
                return value;
            } else {
                return value;
            }
        },
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

/// New values for fields that may change in place, of the members that `reader` has.
template <typename Spec>
core::field_edits<Spec> read_edits(object_reader& reader) {
    core::field_edits<Spec> out;
    for (std::size_t i = 0; i < core::fields_of<Spec>::all.size(); ++i) {
        const core::field<Spec>& field = core::fields_of<Spec>::all[i];
        if (field.facts.change == core::field_change::in_place &&
            read_field(reader, field, out.values, document::body))
            core::mark(out, i);
    }
    return out;
}

/// For people: `others`, and the fields that may change in place.
template <typename Spec>
std::string changeable(std::string others) {
    for (const core::field<Spec>& field : core::fields_of<Spec>::all)
        if (field.facts.change == core::field_change::in_place)
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
