// The commands that speak NVMe/TCP to a target, and those about this machine. Each adds itself to
// the command line, and runs while the command line is being parsed, as CLI11 has it.
#pragma once

#include <CLI/CLI.hpp>

namespace fulmar::cli {

void add_discover(CLI::App& app);
void add_connect_check(CLI::App& app);
void add_identify(CLI::App& app);
void add_read(CLI::App& app);
void add_write(CLI::App& app);
void add_verify(CLI::App& app);
void add_perf(CLI::App& app);

/// Of this machine, not of a target.
void add_drive(CLI::App& app);

}  // namespace fulmar::cli
