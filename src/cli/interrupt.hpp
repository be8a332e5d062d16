// Ctrl-C as a flag: a command ends its I/O, disconnects and reports what it had.
#pragma once

#include <atomic>

namespace fulmar::cli {

/// Catches SIGINT and SIGTERM from now on; the second one kills. The flag they set.
const std::atomic<bool>& catch_interrupts();

}  // namespace fulmar::cli
