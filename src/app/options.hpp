// The command line of fulmard.
#pragma once

#include <optional>
#include <string>

namespace fulmar::app {

struct command_line {
    std::string config_path;
    bool check_only = false;
};

/// What to do, or (after --help, --version or a mistake, which have been printed) the exit code.
/// Called on: main thread.
struct parsed_command_line {
    std::optional<command_line> command;
    int exit_code = 0;
};
parsed_command_line parse_command_line(int argc, char** argv);

}  // namespace fulmar::app
