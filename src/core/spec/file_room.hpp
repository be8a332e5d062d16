// What an object takes of the configuration file, reckoned from the table of its fields: an upper
// bound that only a change of its texts can move. Pure; any thread.
// tests/unit/admin/config_room_test.cpp compares it with what is written.
#pragma once

#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/spec_rules.hpp>

#include <algorithm>
#include <limits>
#include <string_view>
#include <type_traits>

namespace fulmar::core {

// Beside a member's name and value: indentation, quotes, colon, comma, the end of the line.
inline constexpr std::size_t member_bytes = 16;
inline constexpr std::size_t object_bytes = 24;                   // braces on their lines
inline constexpr std::size_t list_bytes = 14;                     // brackets
inline constexpr file_room entry_room{.bytes = 16, .values = 1};  // of a list of texts
inline constexpr std::size_t longest_size = sizeof("\"1152921504606846464\"");  // the longest

inline void add(file_room& to, const file_room& more) noexcept {
    to.bytes += more.bytes;
    to.values += more.values;
}

inline std::size_t written_bytes(std::string_view text) noexcept {
    std::size_t out = 0;
    for (const char c : text)
        out += c == '"' || c == '\\' ? 2 : static_cast<unsigned char>(c) < 0x20 ? 6 : 1;
    return out;
}

inline file_room room_of_entry(std::string_view text) noexcept {
    return {entry_room.bytes + written_bytes(text), entry_room.values};
}

/// With its quotes.
template <typename Enum>
constexpr std::size_t longest_word() noexcept {
    std::size_t most = 0;
    for (const std::string_view word : words_of<Enum>::names) most = std::max(most, word.size());
    return most + 2;
}

/// The ANA state by one listener.
inline file_room room_of_path(std::string_view listener) noexcept {
    return {member_bytes + written_bytes(listener) + longest_word<ana_state>(), 1};
}

template <typename Spec>
file_room room_of(const Spec& spec);

/// Of the field's value, as long as it can be; a text as long as it is. A subsystem's hosts and
/// namespaces have claims of their own.
template <typename Spec>
file_room room_of_value(const field<Spec>& one, const Spec& spec) {
    return std::visit(
        [&](auto member) -> file_room {
            const auto& value = spec.*member;
            using type = std::remove_cvref_t<decltype(value)>;
            if constexpr (std::is_same_v<type, std::string>) {
                return {written_bytes(value) + 2, 1};
            } else if constexpr (std::is_same_v<type, std::vector<std::string>>) {
                file_room out{list_bytes, 1};
                if (one.facts.form == field_form::texts)
                    for (const std::string& entry : value) add(out, room_of_entry(entry));
                return out;
            } else if constexpr (std::is_same_v<type, host_choice>) {
                file_room out{list_bytes, 1};
                for (const std::string& entry : value.named) add(out, room_of_entry(entry));
                return out;
            } else if constexpr (std::is_same_v<type, ana_paths>) {
                file_room out{object_bytes, 1};
                for (const auto& [listener, state] : value) add(out, room_of_path(listener));
                return out;
            } else if constexpr (std::is_same_v<type, std::vector<ana_group_spec>> ||
                                 std::is_same_v<type, std::vector<host_keys_spec>>) {
                file_room out{list_bytes, 1};
                for (const auto& object : value) add(out, room_of(object));
                return out;
            } else if constexpr (std::is_same_v<type, std::vector<namespace_spec>>) {
                return {list_bytes, 1};
            } else if constexpr (std::is_enum_v<type>) {
                return {longest_word<type>(), 1};
            } else if constexpr (std::is_same_v<type, bool>) {
                return {sizeof("false") - 1, 1};
            } else if constexpr (std::is_same_v<type, std::uint64_t>) {
                return {longest_size, 1};
            } else {
                return {std::numeric_limits<type>::digits10 + 1, 1};
            }
        },
        one.member);
}

template <typename Spec>
file_room room_of(const Spec& spec) {
    file_room out{object_bytes, 1};
    const std::uint32_t type = type_of(spec);
    for (const field<Spec>& one : fields_of<Spec>::all) {
        if (!has_field(type, one.facts)) continue;
        out.bytes += member_bytes + one.facts.name.size();
        add(out, room_of_value(one, spec));
    }
    return out;
}

/// Of the new values, which an object may take beside what it has.
template <typename Spec>
file_room room_of(const field_edits<Spec>& edits) {
    file_room out;
    for (std::size_t i = 0; i < fields_of<Spec>::all.size(); ++i)
        if (is_marked(edits, i)) add(out, room_of_value(fields_of<Spec>::all[i], edits.values));
    return out;
}

}  // namespace fulmar::core
