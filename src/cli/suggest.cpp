#include "suggest.hpp"

#include "exit.hpp"

#include <fulmar/base/edit_distance.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace fulmar::cli {

namespace {

/// The command whose words could not be understood: the last one that could.
const CLI::App& deepest(const CLI::App& app) {
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    return chosen.empty() ? app : deepest(*chosen.back());
}

std::vector<std::string> names_of(const CLI::App& command, bool options) {
    std::vector<std::string> all;
    if (!options) {
        for (const CLI::App* one : command.get_subcommands({})) all.push_back(one->get_name());
        return all;
    }
    for (const CLI::Option* one : command.get_options())
        for (const std::string& name : one->get_lnames()) all.push_back("--" + name);
    return all;
}

/// "fulmar device create".
std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& all) {
    std::string best;
    std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& one : all) {
        // A word that was cut short is as good as one mistake.
        const bool begun = word.size() >= 2 && std::string_view(one).starts_with(word);
        const std::size_t far = begun ? 1 : edit_distance(word, one);
        if (far >= least) continue;
        least = far;
        best = one;
    }
    return best;
}

std::string unknown_word(const CLI::App& app) {
    const CLI::App& command = deepest(app);
    const std::vector<std::string> left = command.remaining();
    if (left.empty()) return {};
    // Behind an unknown option its value is left over too: the option is what is wrong.
    const auto option = std::find_if(left.begin(), left.end(), [](const std::string& w) {
        return w.size() > 1 && w.starts_with('-');
    });
    const bool is_option = option != left.end();
    const std::string word = (is_option ? *option : left.front()).substr(0, 64);
    const bool has_commands = !command.get_subcommands({}).empty();
    if (!is_option && !has_commands)
        return fmt::format("{} takes no further word: {}", full_name(command), word);
    std::string text =
        fmt::format("{} has no {} {}", full_name(command), is_option ? "option" : "command", word);
    const std::string known = nearest(word.substr(0, word.find('=')), names_of(command, is_option));
    if (!known.empty()) text += fmt::format("; did you mean {}?", known);
    return text;
}

int explain(const CLI::App& app, const CLI::ParseError& why) {
    if (why.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(why);
    const std::string unknown = unknown_word(app);
    if (unknown.empty())
        app.exit(why);
    else
        fmt::print(stderr, "fulmar: {}\n`{} --help` explains\n", unknown, full_name(deepest(app)));
    return static_cast<int>(exit_code::usage);
}

}  // namespace fulmar::cli
