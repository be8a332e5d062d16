#include "json_tree.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace fulmar::admin {

std::string_view kind_name(json_kind kind) noexcept {
    switch (kind) {
        case json_kind::null: return "null";
        case json_kind::boolean: return "true or false";
        case json_kind::negative:
        case json_kind::natural: return "an integer";
        case json_kind::real: return "a number";
        case json_kind::text: return "a string";
        case json_kind::array: return "an array";
        case json_kind::object: return "an object";
    }
    return "a value";
}

const json_node* json_node::find(std::string_view key) const noexcept {
    for (const member& m : members)
        if (m.key == key) return &m.value;
    return nullptr;
}

std::string pointer_step(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

namespace {

/// What pointer_step() has escaped.
std::string key_of_step(std::string_view step) {
    std::string out;
    for (std::size_t i = 0; i < step.size(); ++i) {
        const bool escaped = step[i] == '~' && i + 1 < step.size();
        out += !escaped ? step[i] : step[++i] == '1' ? '/' : '~';
    }
    return out;
}

}  // namespace

std::vector<std::string> pointer_steps(std::string_view pointer) {
    std::vector<std::string> out;
    while (!pointer.empty()) {
        pointer.remove_prefix(1);
        const std::size_t end = std::min(pointer.find('/'), pointer.size());
        out.push_back(key_of_step(pointer.substr(0, end)));
        pointer.remove_prefix(end);
    }
    return out;
}

std::optional<std::size_t> index_of_step(std::string_view step) {
    std::size_t out = 0;
    const auto [end, failure] = std::from_chars(step.data(), step.data() + step.size(), out);
    if (failure != std::errc{} || end != step.data() + step.size()) return std::nullopt;
    return out;
}

const json_node& follow_pointer(const json_node& root, std::string_view pointer) {
    const json_node* at = &root;
    for (const std::string& step : pointer_steps(pointer)) {
        const json_node* next = nullptr;
        if (at->kind == json_kind::object)
            next = at->find(step);
        else if (const auto index = index_of_step(step); index && *index < at->items.size())
            next = &at->items[*index];
        if (next == nullptr) break;
        at = next;
    }
    return *at;
}

namespace {

/// Where the parser is. The lexer reads through a counting iterator; nothing else knows the line.
struct cursor {
    const char* begin = nullptr;
    const char* counted = nullptr;  ///< lines before here are in `line`
    const char* at = nullptr;       ///< the next character that the lexer will read
    std::uint32_t line = 1;

    /// The line of the last character that belongs to the token just read. A number ends by what
    /// follows it, so the lexer has read `ahead` characters more than the token has.
    std::uint32_t line_of_token(std::ptrdiff_t ahead) noexcept {
        const char* last = std::max(at - 1 - ahead, counted);
        line += static_cast<std::uint32_t>(std::count(counted, last, '\n'));
        counted = last;
        return line;
    }
};

class counting_iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    counting_iterator() = default;
    counting_iterator(const char* at, cursor* shared) : at_(at), shared_(shared) {}

    reference operator*() const noexcept { return *at_; }
    counting_iterator& operator++() noexcept {
        ++at_;
        shared_->at = at_;
        return *this;
    }
    counting_iterator operator++(int) noexcept {
        const counting_iterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const counting_iterator& a, const counting_iterator& b) noexcept {
        return a.at_ == b.at_;
    }
    friend bool operator!=(const counting_iterator& a, const counting_iterator& b) noexcept {
        return !(a == b);
    }

  private:
    const char* at_ = nullptr;
    cursor* shared_ = nullptr;
};

/// Builds the tree out of the parser's events.
class tree_builder final : public nlohmann::json_sax<nlohmann::json> {
  public:
    tree_builder(cursor& where, const json_bounds& bounds, problem_list& problems)
        : where_(where), bounds_(bounds), problems_(problems) {}

    json_node take() { return std::move(root_); }

    bool null() override { return place(json_kind::null, where_.line_of_token(0)) != nullptr; }
    bool boolean(bool value) override {
        return set(place(json_kind::boolean, where_.line_of_token(0)), &json_node::truth, value);
    }
    bool number_integer(number_integer_t value) override {
        return set(place(json_kind::negative, where_.line_of_token(1)), &json_node::negative,
                   value);
    }
    bool number_unsigned(number_unsigned_t value) override {
        return set(place(json_kind::natural, where_.line_of_token(1)), &json_node::natural, value);
    }
    bool number_float(number_float_t value, const string_t&) override {
        return set(place(json_kind::real, where_.line_of_token(1)), &json_node::real, value);
    }
    bool string(string_t& value) override {
        return set(place(json_kind::text, where_.line_of_token(0)), &json_node::text,
                   std::move(value));
    }
    bool binary(binary_t&) override { return false; }

    bool start_object(std::size_t) override { return open(json_kind::object); }
    bool start_array(std::size_t) override { return open(json_kind::array); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        json_node& object = *open_.back();
        const std::uint32_t line = where_.line_of_token(0);
        if (const auto twin = std::find_if(object.members.begin(), object.members.end(),
                                           [&](const auto& m) { return m.key == name; });
            twin != object.members.end()) {
            problems_.add({path() + "/" + pointer_step(name), line,
                           fmt::format("\"{}\" is there twice, first in line {}", name, twin->line),
                           "keep one of them"});
        }
        if (object.members.size() >= bounds_.members)
            return refuse(line, fmt::format("has more than {} members", bounds_.members),
                          "no object of Fulmar's has that many");
        object.members.push_back({std::move(name), line, {}});
        return true;
    }

    bool parse_error(std::size_t, const std::string&,
                     const nlohmann::detail::exception& failure) override {
        problems_.add({path(), where_.line_of_token(0), describe(failure.what()),
                       "the document must be JSON (RFC 8259): no comments, no trailing commas",
                       problem::kind::syntax});
        return false;
    }

  private:
    /// nlohmann says "[json.exception.parse_error.101] parse error at line 1, column 2: syntax
    /// error while parsing value - unexpected '}'; expected …". Only the last part is news.
    static std::string describe(std::string_view what) {
        if (const auto dash = what.find(" - "); dash != what.npos)
            what.remove_prefix(dash + 3);
        else if (const auto colon = what.find(": "); colon != what.npos)
            what.remove_prefix(colon + 2);
        constexpr std::size_t readable = 200;
        return "is not JSON: " + std::string(what.substr(0, readable));
    }

    /// The pointer to the value that is being read.
    [[nodiscard]] std::string path() const {
        std::string out;
        for (const json_node* node : open_) {
            const bool innermost = node == open_.back();
            if (node->kind == json_kind::array)
                out += fmt::format("/{}", node->items.size() - (innermost ? 0 : 1));
            else if (!innermost)
                out += "/" + pointer_step(node->members.back().key);
        }
        return out;
    }

    bool refuse(std::uint32_t line, std::string message, std::string remedy) {
        problems_.add({path(), line, std::move(message), std::move(remedy)});
        return false;
    }

    json_node* place(json_kind kind, std::uint32_t line) {
        if (++values_ > bounds_.values) {
            refuse(line, fmt::format("has more than {} values", bounds_.values),
                   "send less at a time");
            return nullptr;
        }
        json_node& node = open_.empty() ? root_ : fresh_in(*open_.back());
        node.kind = kind;
        node.line = line;
        return &node;
    }

    static json_node& fresh_in(json_node& parent) {
        return parent.kind == json_kind::array ? parent.items.emplace_back()
                                               : parent.members.back().value;
    }

    template <typename Value>
    static bool set(json_node* node, Value json_node::*field, Value value) {
        if (node == nullptr) return false;
        node->*field = std::move(value);
        return true;
    }

    bool open(json_kind kind) {
        const std::uint32_t line = where_.line_of_token(0);
        if (open_.size() >= bounds_.depth)
            return refuse(line, fmt::format("is nested more than {} deep", bounds_.depth),
                          "nothing of ours is nested that deep: see /v1/openapi.json");
        json_node* node = place(kind, line);
        if (node == nullptr) return false;
        // Addresses stay valid: a parent grows only after its children have been closed.
        open_.push_back(node);
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    cursor& where_;
    const json_bounds& bounds_;
    problem_list& problems_;
    json_node root_;
    std::vector<json_node*> open_;
    std::size_t values_ = 0;
};

}  // namespace

std::optional<json_node> parse_json(std::string_view text, const json_bounds& bounds,
                                    problem_list& problems) {
    if (text.size() > bounds.bytes) {
        problems.add({"", 0, fmt::format("is larger than {} bytes", bounds.bytes),
                      "say less in one document"});
        return std::nullopt;
    }
    cursor where{text.data(), text.data(), text.data()};
    tree_builder builder(where, bounds, problems);
    const bool complete =
        nlohmann::json::sax_parse(counting_iterator(text.data(), &where),
                                  counting_iterator(text.data() + text.size(), &where), &builder);
    if (!complete) return std::nullopt;
    return builder.take();
}

}  // namespace fulmar::admin
