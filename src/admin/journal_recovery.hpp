// What a start makes of config file and journal, and what a fold writes. Blocking, over a disk; no
// state. Must never: drop a change that was acknowledged, unless the operator's own edit of the
// file says so.
#pragma once

#include "journal_ack.hpp"
#include "journal_format.hpp"

#include <fulmar/admin/disk.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/core/model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::admin {

/// All segments of a journal, oldest first: `path`.1, `path`.2, …, and `path`, the one being
/// written.
struct journal_scan {
    std::vector<std::string> closed;  ///< paths of all but the last
    std::vector<journal_record> records;
    std::uint64_t last_sequence = 0;
    std::uint64_t good_bytes = 0;  ///< of `path` itself
    std::uint64_t torn_bytes = 0;
    std::uint32_t next_number = 1;   ///< for the next closed segment
    std::optional<journal_ack> ack;  ///< none: of a version that did not keep one
};

/// A record that says everything: what was before it is of no account.
bool is_snapshot(const journal_record& record);
/// Paths of a journal's closed segments with their numbers, oldest first.
result<std::vector<std::pair<std::uint32_t, std::string>>> closed_segments(disk& files,
                                                                           const std::string& path);
/// Errors: io_error, when acknowledged changes are damaged or missing.
result<journal_scan> scan_journal(disk& files, const std::string& path);
/// What the file beside the journal says; nothing when there is none.
result<std::optional<journal_ack>> read_ack(disk& files, const std::string& path);
/// Without the segment that is being written.
result<journal_scan> scan_closed(disk& files, const std::string& path);

struct replayed {
    core::target_spec spec;
    bool base_known = false;           ///< the journal speaks of this file
    std::uint64_t through = 0;         ///< the records up to there are in the file
    std::size_t changes = 0;           ///< that were made on top of the file
    std::vector<std::string> skipped;  ///< that do not fit it
    /// The file is none that the journal knows, so it was edited by hand: it wins, and this many
    /// changes of the journal are not in effect.
    std::size_t superseded = 0;
};

/// The configuration of a file with `digest` that says `of_file`, after the changes in `records`.
replayed replay(const std::vector<journal_record>& records, const core::target_spec& of_file,
                const std::string& digest);

/// What a fold writes: the configuration after `records`, and the config file's new text.
struct folded {
    core::target_spec spec;
    std::string text;
};

/// Whether a fold failed because the file is where nothing can be put in its place: a read-only
/// file system or folder, a file that is mounted by itself. The journal stays the truth then.
bool cannot_be_replaced(const error& why) noexcept;

/// Reads `text`, which is about to replace the configuration file, as the next start would. Errors:
/// bad_state, when that start would refuse it, find more than `broken` broken objects in it, or
/// another configuration than `meant`.
result<void> read_back(const std::string& text, const core::target_spec& meant, std::size_t broken,
                       const std::string& config_path);

/// Errors: conflict, when the file is not the one with `digest`, or is not valid any more: it was
/// edited by hand. Those of read_back().
result<folded> fold(disk& files, const std::string& config_path,
                    const std::vector<journal_record>& records, const std::string& digest);

}  // namespace fulmar::admin
