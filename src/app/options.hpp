// The command line of fulmard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fulmar::app {

struct command_line {
    enum class task : std::uint8_t { serve, check_config, check_journal, recover };
    std::string config_path;  ///< check_journal: or the journal itself
    task what = task::serve;
    bool create_missing = false;  ///< every file that has a size, as if its entry said "create"
};

/// What to do, or (after --help, --version or a mistake, which have been printed) the exit code.
/// Called on: main thread.
struct parsed_command_line {
    std::optional<command_line> command;
    int exit_code = 0;
};
parsed_command_line parse_command_line(int argc, char** argv);

}  // namespace fulmar::app
