// Two specifications of one object, compared and completed field by field. Pure.
// Called on: any thread.
#pragma once

#include <fulmar/core/fields/device_fields.hpp>
#include <fulmar/core/fields/edits.hpp>
#include <fulmar/core/fields/endpoint_fields.hpp>
#include <fulmar/core/fields/namespace_fields.hpp>
#include <fulmar/core/fields/subsystem_fields.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace fulmar::core {

template <typename Spec>
bool same(const field<Spec>& one, const Spec& a, const Spec& b) {
    return std::visit([&](auto member) { return a.*member == b.*member; }, one.member);
}

/// In all fields of `table`.
template <typename Table, typename Spec>
bool same(const Table& table, const Spec& a, const Spec& b) {
    for (const field<Spec>& one : table)
        if (!same(one, a, b)) return false;
    return true;
}

template <typename Spec>
void copy(const field<Spec>& one, const Spec& from, Spec& to) {
    std::visit([&](auto member) { to.*member = from.*member; }, one.member);
}

/// It has its default.
template <typename Spec>
bool is_usual(const field<Spec>& one, const Spec& spec) {
    static const Spec usual{};
    return same(one, spec, usual);
}

template <typename Spec>
void reset(const field<Spec>& one, Spec& spec) {
    static const Spec usual{};
    copy(one, usual, spec);
}

/// What `spec` says as its type; empty when objects of its kind have none.
template <typename Spec>
std::string_view type_word(const Spec& spec) noexcept {
    if constexpr (requires { spec.type; })
        return spec.type;
    else
        return {};
}

/// What can change only by making the object anew is the same on both sides. Values that are
/// chosen where nothing is said, and are not said, fit whatever is there.
template <typename Spec>
bool fixed_fields_fit(const Spec& running, const Spec& wanted) {
    for (const field<Spec>& one : fields_of<Spec>::all) {
        if (one.facts.change != field_change::never && one.facts.change != field_change::chosen)
            continue;
        const bool open = one.facts.change == field_change::chosen && is_usual(one, wanted);
        if (!open && !same(one, running, wanted)) return false;
    }
    return true;
}

/// What `wanted` leaves to be chosen keeps the value that it has: hosts know the object by it.
template <typename Spec>
void keep_chosen_fields(const Spec& running, Spec& wanted) {
    for (const field<Spec>& one : fields_of<Spec>::all)
        if (one.facts.change == field_change::chosen && is_usual(one, wanted))
            copy(one, running, wanted);
}

template <typename Spec>
void mark(field_edits<Spec>& edits, std::size_t place) noexcept {
    static_assert(fields_of<Spec>::all.size() <= 64);
    edits.which |= std::uint64_t{1} << place;
}

template <typename Spec>
bool is_marked(const field_edits<Spec>& edits, std::size_t place) noexcept {
    return ((edits.which >> place) & 1) != 0;
}

/// Hosts see that one of the fields that are marked has changed.
template <typename Spec>
bool is_noticed(const field_edits<Spec>& edits) noexcept {
    for (std::size_t i = 0; i < fields_of<Spec>::all.size(); ++i)
        if (is_marked(edits, i) && fields_of<Spec>::all[i].facts.change == field_change::noticed)
            return true;
    return false;
}

/// What may change in place, and differs.
template <typename Spec>
field_edits<Spec> edits_between(const Spec& running, const Spec& wanted) {
    field_edits<Spec> out;
    for (std::size_t i = 0; i < fields_of<Spec>::all.size(); ++i) {
        const field<Spec>& one = fields_of<Spec>::all[i];
        if (!is_edited(one.facts.change) || same(one, running, wanted)) continue;
        copy(one, wanted, out.values);
        mark(out, i);
    }
    return out;
}

/// What hosts notice, whether it differs or not: asked for again, it is carried out again.
template <typename Spec>
field_edits<Spec> noticed_edits(const Spec& wanted) {
    field_edits<Spec> out;
    for (std::size_t i = 0; i < fields_of<Spec>::all.size(); ++i) {
        const field<Spec>& one = fields_of<Spec>::all[i];
        if (one.facts.change != field_change::noticed) continue;
        copy(one, wanted, out.values);
        mark(out, i);
    }
    return out;
}

/// All of them, or none: when it throws, `to` is as it was.
template <typename Spec>
void apply_edits(const field_edits<Spec>& edits, Spec& to) {
    Spec edited = to;
    for (std::size_t i = 0; i < fields_of<Spec>::all.size(); ++i)
        if (is_marked(edits, i)) copy(fields_of<Spec>::all[i], edits.values, edited);
    to = std::move(edited);
}

}  // namespace fulmar::core
