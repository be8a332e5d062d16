// JSON as it stands in a document: with the line of every value and the order of every member, so
// that an error can point at the place. Parsing is a pure function; nlohmann's SAX parser reads.
// Must never: accept what two readers could understand in two ways (duplicate members, comments).
#pragma once

#include <fulmar/admin/problem.hpp>
#include <fulmar/base/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::admin {

/// Integers are kept apart by sign, since JSON has no word for it; `real` is any other number.
enum class json_kind : std::uint8_t { null, boolean, negative, natural, real, text, array, object };

/// "an integer", "an object", …: what the kind is called in an error.
std::string_view kind_name(json_kind kind) noexcept;

struct json_node {
    struct member;

    json_kind kind = json_kind::null;
    bool truth = false;         ///< boolean
    std::uint32_t line = 0;     ///< where the value ends (a scalar) or begins (array, object)
    std::int64_t negative = 0;  ///< negative
    std::uint64_t natural = 0;  ///< natural
    double real = 0;            ///< real
    std::string text = {};      ///< text
    std::vector<json_node> items = {};  ///< array
    std::vector<member> members;        ///< object, in the order of the document

    [[nodiscard]] const json_node* find(std::string_view key) const noexcept;
};

struct json_node::member {
    std::string key;
    std::uint32_t line = 0;
    json_node value;
};

/// Bounds on what a document may cost. A document past one of them is refused.
struct json_bounds {
    std::size_t bytes = 0;
    std::size_t depth = 16;
    std::size_t values = 0;
    std::size_t members = 64;  ///< of one object: no object of ours has half as many
};

inline constexpr json_bounds config_bounds{.bytes = limits::max_config_bytes,
                                           .values = limits::max_config_values};
inline constexpr json_bounds body_bounds{.bytes = 1024 * 1024, .values = 50'000};

/// The document, or nothing and at least one problem. A document with duplicate members is returned
/// too, so that the rest of it can be judged; `problems` names them.
std::optional<json_node> parse_json(std::string_view text, const json_bounds& bounds,
                                    problem_list& problems);

/// `key` as a step of a JSON pointer (RFC 6901): "~" and "/" escaped.
std::string pointer_step(std::string_view key);
/// The steps of a JSON pointer, as the keys that they are.
std::vector<std::string> pointer_steps(std::string_view pointer);
/// The place in an array that a step says; nothing when it says none.
std::optional<std::size_t> index_of_step(std::string_view step);
/// What `pointer` leads to, or the last value on the way that is there.
const json_node& follow_pointer(const json_node& root, std::string_view pointer);

}  // namespace fulmar::admin
