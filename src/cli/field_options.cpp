#include "field_options.hpp"

#include "exit.hpp"
#include "option_checks.hpp"
#include "units.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::cli {

namespace {

using core::field_facts;
using core::field_form;

std::string name_of(const field_facts& facts) {
    if (!facts.option.empty()) return std::string(facts.option);
    std::string name = fmt::format("--{}", facts.name);
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

std::uint64_t bytes_of(const std::string& text) {
    const auto bytes = parse_size(text);
    if (!bytes) leave(error{errc::invalid_argument, text + " is not a size", {}, "such as 256MiB"});
    return *bytes;
}

bool is_list(field_form form) {
    return form == field_form::hosts || form == field_form::texts ||
           form == field_form::host_choice;
}

field_options::json choice_of(const std::vector<std::string>& said) {
    if (said.size() != 1) return said;
    if (said.front() == "all") return "all";
    return said.front() == "none" ? field_options::json::array() : field_options::json(said);
}

}  // namespace

void check_value(CLI::Option& option, const field_facts& facts) {
    if (facts.form == field_form::word) {
        const auto words = core::shipped_words(facts);
        option.check(CLI::IsMember(std::vector<std::string>(words.begin(), words.end())));
    }
    if (facts.form != field_form::number) return;
    if (facts.numbers.empty())
        option.check(between<std::uint64_t>(facts.least, facts.most));
    else
        option.check(
            CLI::IsMember(std::vector<std::uint32_t>(facts.numbers.begin(), facts.numbers.end())));
}

void field_options::add(CLI::App& command, option made) {
    option& kept = options_.emplace_back(std::move(made));
    const std::string name = name_of(kept.facts);
    const std::string help(kept.facts.help);
    if (kept.facts.form == field_form::flag) {
        kept.said = command.add_flag(name, help);
        return;
    }
    kept.said = command.add_option(name, kept.values, help);
    if (!is_list(kept.facts.form)) kept.said->expected(1);
    check_value(*kept.said, kept.facts);
}

void field_options::fill(json& body) const {
    for (const option& one : options_) {
        if (one.said->count() == 0) continue;
        json& member = body[std::string(one.facts.name)];
        switch (one.facts.form) {
            case field_form::flag: member = one.flag; break;
            case field_form::number: member = std::stoull(one.values.front()); break;
            case field_form::size: member = bytes_of(one.values.front()); break;
            case field_form::hosts:
            case field_form::texts: member = one.values; break;
            case field_form::host_choice: member = choice_of(one.values); break;
            default: member = one.values.front();
        }
    }
}

}  // namespace fulmar::cli
