// "Did you mean …?": for a word that is no command or option.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fulmar::cli {

/// The candidate that a typing mistake is most likely to have turned into `word`; empty when none
/// comes close. Ties go to the first. Pure.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& all);

/// Names the word of the command line that `app`, after it failed to parse it, does not know, and
/// the nearest one that it does. Empty when every word is known, and something else is wrong.
[[nodiscard]] std::string unknown_word(const CLI::App& app);

/// What main() does with a parse error: says it on stderr (or the help on stdout); the exit code.
int explain(const CLI::App& app, const CLI::ParseError& why);

}  // namespace fulmar::cli
