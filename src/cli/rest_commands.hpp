// The commands that administrate a running fulmard over REST.
#pragma once

#include <CLI/CLI.hpp>

namespace fulmar::cli {

/// status, subsystem, namespace, ana, host, listener, device, referral, connection, config, token.
void add_rest_commands(CLI::App& app);

}  // namespace fulmar::cli
