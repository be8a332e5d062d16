// What the reader found, as JSON.
#pragma once

#include "bench/drive_load/session.hpp"

#include <string>

namespace fulmar::bench {

/// To a file, or to stdout for "-". False when it cannot.
bool write_drive_report(const drive_load_report& report, const drive_load_options& options,
                        const std::string& file);

}  // namespace fulmar::bench
