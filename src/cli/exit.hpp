// How a command ends: with a message on stderr and an exit code that scripts can rely on.
#pragma once

#include <fulmar/base/result.hpp>

#include <CLI/CLI.hpp>

namespace fulmar::cli {

enum class exit_code : int {
    ok = 0,
    failed = 1,       ///< the target answered with an error, or data did not match
    usage = 2,        ///< the command line is wrong
    unavailable = 3,  ///< no connection, or it broke, or a deadline passed
    interrupted = 130,
};

/// Ends the command (by CLI11's own exception, which main() turns into the exit code).
[[noreturn]] void leave(exit_code code);
/// Says `why` on stderr first. The code follows from its kind.
[[noreturn]] void leave(const error& why);

/// The value, or leave().
template <typename T>
T value_or_leave(result<T> r) {
    if (!r) leave(r.error());
    if constexpr (!std::is_void_v<T>) return std::move(r).value();
}

}  // namespace fulmar::cli
