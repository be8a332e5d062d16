// The text form of what a fault device can be told.
#include <fulmar/backend/fault_device.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace fulmar::backend {

namespace {

constexpr std::array actions{
    std::pair{"pass", fault_action::pass}, std::pair{"fail", fault_action::fail},
    std::pair{"stall", fault_action::stall}, std::pair{"delay", fault_action::delay},
    std::pair{"lose", fault_action::lose}};
constexpr std::array kinds{std::pair{"read", io_kind::read},
                           std::pair{"write", io_kind::write},
                           std::pair{"flush", io_kind::flush},
                           std::pair{"write_zeroes", io_kind::write_zeroes},
                           std::pair{"deallocate", io_kind::deallocate},
                           std::pair{"compare", io_kind::compare},
                           std::pair{"verify", io_kind::verify},
                           std::pair{"copy", io_kind::copy},
                           std::pair{"write_uncorrectable", io_kind::write_uncorrectable}};

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        if (text.empty()) return words;
        words.push_back(text.substr(0, text.find(' ')));
        text.remove_prefix(words.back().size());
    }
}

template <typename Number>
bool parse(std::string_view word, Number& into) {
    const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), into);
    return wrong == std::errc{} && end == word.data() + word.size();
}

template <typename Table, typename Value>
bool look_up(const Table& table, std::string_view word, Value& into) {
    for (const auto& [name, value] : table)
        if (word == name) {
            into = value;
            return true;
        }
    return false;
}

}  // namespace

result<void> fault_device::command(std::string_view text) {
    const auto not_understood = [text] {
        return fulmar::fail(errc::invalid_argument,
                            fmt::format("\"{}\" is not a fault command", text), {},
                            "see fulmar/backend/fault_device.hpp");
    };
    const std::vector<std::string_view> words = words_of(text);
    if (words.empty()) return not_understood();
    const std::string_view verb = words[0];
    if (words.size() == 1) {
        if (verb == "clear") return clear(), result<void>{};
        if (verb == "release") return release(), result<void>{};
        if (verb == "reset") return reset(), result<void>{};
        if (verb == "come_back") return come_back(), result<void>{};
    }
    if (verb == "vanish" && words.size() == 2) {
        if (words[1] == "answered") return vanish(held_fate::answered), result<void>{};
        if (words[1] == "kept") return vanish(held_fate::kept), result<void>{};
        return not_understood();
    }
    if (verb == "random" && words.size() == 5) {
        std::uint64_t seed = 0;
        fault_odds odds;
        if (!parse(words[1], seed) || !parse(words[2], odds.fail) || !parse(words[3], odds.delay) ||
            !parse(words[4], odds.lose))
            return not_understood();
        odds.shuffle = true;
        return randomise(seed, odds), result<void>{};
    }
    fault_rule rule;
    if (words.size() < 3 || !look_up(actions, verb, rule.action) || !parse(words[2], rule.count))
        return not_understood();
    if (words[1] != "any") {
        io_kind kind{};
        if (!look_up(kinds, words[1], kind)) return not_understood();
        rule.kind = kind;
    }
    const bool delays = rule.action == fault_action::delay;
    if (words.size() != (delays ? 4u : 3u)) return not_understood();
    if (std::uint32_t delay_ms = 0; delays) {
        if (!parse(words[3], delay_ms)) return not_understood();
        rule.delay = std::chrono::milliseconds(delay_ms);
    }
    return add(rule), result<void>{};
}

}  // namespace fulmar::backend
