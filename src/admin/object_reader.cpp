#include "object_reader.hpp"

#include "quantity.hpp"

#include <fulmar/base/edit_distance.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::admin {

namespace {

std::string quote_all(std::span<const std::string_view> words) {
    std::string out;
    for (const std::string_view word : words)
        out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", word);
    return out;
}

/// "did you mean "size"?", or all the words that would do.
std::string suggest(std::string_view word, std::span<const std::string_view> known) {
    constexpr std::size_t longest = 40;
    if (word.size() <= longest) {
        const auto nearest = std::min_element(known.begin(), known.end(), [&](auto a, auto b) {
            return edit_distance(word, a) < edit_distance(word, b);
        });
        if (nearest != known.end() && edit_distance(word, *nearest) <= 2)
            return fmt::format("did you mean \"{}\"?", *nearest);
    }
    return "known here: " + quote_all(known);
}

/// What would do in the place of a value of another kind.
std::string_view sample_of(json_kind kind) noexcept {
    switch (kind) {
        case json_kind::boolean: return "true or false";
        case json_kind::text: return "a text in \"double quotes\"";
        case json_kind::array: return "a list in [brackets]";
        case json_kind::object: return "members in {braces}";
        case json_kind::natural:
        case json_kind::negative: return "a number without quotes";
        case json_kind::null:
        case json_kind::real: break;
    }
    return "see the schema, fulmard.schema.json";
}

/// Foreign text, short enough for an error message.
std::string_view excerpt(std::string_view text) { return text.substr(0, 80); }

}  // namespace

json_place json_place::item(std::size_t index) const {
    return {&node->items[index], fmt::format("{}/{}", pointer, index)};
}

object_reader::object_reader(json_place where, problem_list& problems)
    : where_(std::move(where)), problems_(problems) {
    static const json_node nothing = [] {
        json_node empty;
        empty.kind = json_kind::object;
        return empty;
    }();
    if (where_.node == nullptr) {
        where_.node = &nothing;
    } else if (where_.node->kind != json_kind::object) {
        problems_.add({where_.pointer, where_.node->line,
                       fmt::format("must be an object, not {}", kind_name(where_.node->kind)),
                       std::string(sample_of(json_kind::object))});
        where_.node = &nothing;
    }
}

void object_reader::finish() {
    for (const json_node::member& m : where_.node->members)
        if (std::find(known_.begin(), known_.end(), m.key) == known_.end())
            problems_.add({pointer_of(m.key), m.line,
                           fmt::format("unknown key \"{}\"", excerpt(m.key)),
                           suggest(m.key, known_)});
}

std::string object_reader::pointer_of(std::string_view key) const {
    return where_.pointer + "/" + pointer_step(key);
}

bool object_reader::has(std::string_view key) const { return where_.node->find(key) != nullptr; }

bool object_reader::require(std::string_view key, std::string_view remedy) {
    if (has(key)) return true;
    problems_.add(
        {where_.pointer, where_.node->line, fmt::format("lacks \"{}\"", key), std::string(remedy)});
    return false;
}

void object_reader::complain(std::string_view key, std::string message, std::string remedy) {
    const json_node* node = key.empty() ? nullptr : where_.node->find(key);
    problems_.add({node == nullptr ? where_.pointer : pointer_of(key),
                   node == nullptr ? where_.node->line : node->line, std::move(message),
                   std::move(remedy)});
}

json_place object_reader::member(std::string_view key) {
    known_.push_back(key);
    const json_node* node = where_.node->find(key);
    return {node, node == nullptr ? std::string() : pointer_of(key)};
}

const json_node* object_reader::want(std::string_view key, json_kind kind) {
    known_.push_back(key);
    const json_node* node = where_.node->find(key);
    if (node == nullptr || node->kind == kind) return node;
    complain(key, fmt::format("must be {}, not {}", kind_name(kind), kind_name(node->kind)),
             std::string(sample_of(kind)));
    return nullptr;
}

bool object_reader::read(std::string_view key, bool& into) {
    const json_node* node = want(key, json_kind::boolean);
    if (node == nullptr) return false;
    into = node->truth;
    return true;
}

bool object_reader::read(std::string_view key, std::string& into) {
    const json_node* node = want(key, json_kind::text);
    if (node == nullptr) return false;
    if (node->text.find('\0') != std::string::npos) {
        complain(key, "contains a NUL character", "remove \\u0000");
        return false;
    }
    into = node->text;
    return true;
}

bool object_reader::read_natural(std::string_view key, std::uint64_t& into, std::uint64_t least,
                                 std::uint64_t most) {
    known_.push_back(key);
    const json_node* node = where_.node->find(key);
    if (node == nullptr) return false;
    if (node->kind != json_kind::natural && node->kind != json_kind::negative) {
        complain(key, fmt::format("must be an integer, not {}", kind_name(node->kind)),
                 fmt::format("a number from {} to {}, without quotes", least, most));
        return false;
    }
    if (node->kind == json_kind::negative || node->natural < least || node->natural > most) {
        complain(key, fmt::format("must be from {} to {}", least, most),
                 "choose a number in that range, or leave it out");
        return false;
    }
    into = node->natural;
    return true;
}

bool object_reader::read_size(std::string_view key, std::uint64_t& into, std::uint64_t least,
                              std::uint64_t most) {
    known_.push_back(key);
    const json_node* node = where_.node->find(key);
    if (node == nullptr) return false;
    std::optional<std::uint64_t> bytes;
    if (node->kind == json_kind::natural) bytes = node->natural;
    if (node->kind == json_kind::text) bytes = parse_size(node->text);
    if (!bytes) {
        complain(key, "is not a size",
                 "write bytes as an integer, or text such as \"256MiB\" or \"1G\"");
        return false;
    }
    if (*bytes < least || *bytes > most) {
        complain(key, fmt::format("must be from {} to {} bytes", least, most),
                 "choose a size in that range");
        return false;
    }
    into = *bytes;
    return true;
}

bool object_reader::read_word(std::string_view key, std::size_t& into,
                              std::span<const std::string_view> words) {
    const json_node* node = want(key, json_kind::text);
    if (node == nullptr) return false;
    const auto found = std::find(words.begin(), words.end(), node->text);
    if (found == words.end()) {
        complain(key, fmt::format("\"{}\" is unknown here", excerpt(node->text)),
                 "one of " + quote_all(words));
        return false;
    }
    into = static_cast<std::size_t>(found - words.begin());
    return true;
}

bool object_reader::read_words(std::string_view key, std::vector<std::string>& into,
                               std::size_t most) {
    if (!has(key)) {
        known_.push_back(key);
        return false;
    }
    std::vector<std::string> words;
    bool good = true;
    for (const json_place& place : items(key, most)) {
        if (place.node->kind != json_kind::text) {
            problems_.add({place.pointer, place.node->line,
                           fmt::format("must be a string, not {}", kind_name(place.node->kind)),
                           std::string(sample_of(json_kind::text))});
            good = false;
        } else {
            words.push_back(place.node->text);
        }
    }
    if (good) into = std::move(words);
    return good;
}

std::vector<json_place> object_reader::items(std::string_view key, std::size_t most) {
    const json_node* node = want(key, json_kind::array);
    std::vector<json_place> out;
    if (node == nullptr) return out;
    if (node->items.size() > most)
        complain(key,
                 fmt::format("has {} entries; at most {} are possible", node->items.size(), most),
                 fmt::format("remove {}", node->items.size() - most));
    const json_place array{node, pointer_of(key)};
    for (std::size_t i = 0; i < std::min(node->items.size(), most); ++i)
        out.push_back(array.item(i));
    return out;
}

}  // namespace fulmar::admin
