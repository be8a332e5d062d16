// What an operator can learn of a journal that a start refuses, and what can be saved of it. For
// the command line of fulmard, while no daemon runs on it. Blocking. Must never: change anything
// before the damaged files have been kept under another name.
#pragma once

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/disk.hpp>
#include <fulmar/base/result.hpp>

#include <string>
#include <vector>

namespace fulmar::admin {

struct journal_report {
    bool good = false;               ///< a start accepts it
    std::vector<std::string> lines;  ///< sentences
};

/// Where the journal of a configuration is; an empty `state_dir` is the folder of the file.
/// Called on: any thread.
std::string journal_path(const std::string& config_path, const std::string& state_dir);

/// Says of every line whether it is whole, which changes are kept and which are lost.
/// Errors: io_error, when a file cannot be read; not_found, when there is no journal at `path`.
/// Called on: any thread.
result<journal_report> check_journal(disk& files, const std::string& path);

/// Keeps what can be decoded: the files are copied to names with ".damaged" in them, and a snapshot
/// takes their place. `config` is the file that the journal belongs to. A good journal is left
/// alone. Errors: conflict, when a daemon has it; io_error; then the originals are still there.
/// Called on: any thread.
result<journal_report> recover_journal(disk& files, const std::string& path,
                                       const loaded_config& config);

}  // namespace fulmar::admin
