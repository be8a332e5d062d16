// Checks of options that say what they want in plain numbers.
#pragma once

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <string>

namespace fulmar::cli {

/// A number from `low` to `high`: "0.01 to 3600", not "[0.010000 - 3600.000000]".
template <typename Number>
CLI::Validator between(Number low, Number high) {
    const std::string range = fmt::format("{} to {}", low, high);
    return CLI::Validator(
        [low, high, range](std::string& text) -> std::string {
            Number value{};
            if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
            return fmt::format("must be a number from {}, not {}", range, text);
        },
        range);
}

}  // namespace fulmar::cli
