// Two specifications of one object, compared and completed field by field. Pure.
// Called on: any thread.
#pragma once

#include <fulmar/core/fields/device_fields.hpp>
#include <fulmar/core/fields/endpoint_fields.hpp>
#include <fulmar/core/fields/namespace_fields.hpp>
#include <fulmar/core/fields/subsystem_fields.hpp>

#include <string>
#include <variant>

namespace fulmar::core {

template <typename Spec>
bool same(const field<Spec>& one, const Spec& a, const Spec& b) {
    return std::visit([&](auto member) { return a.*member == b.*member; }, one.member);
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

}  // namespace fulmar::core
