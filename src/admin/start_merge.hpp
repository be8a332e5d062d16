// What a start makes of the config file, the journal and what is remembered of the file: the same
// merge as a reload's, when the file was edited while nobody was looking. Pure. Must never: drop a
// change that was acknowledged without saying so.
#pragma once

#include "config_history.hpp"
#include "journal_recovery.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fulmar::admin {

struct start_state {
    replayed after;          ///< the configuration, and what the journal is worth
    config_history history;  ///< with this file in it
    /// What the journal goes on to build upon; empty: the file. Another one where the file cannot
    /// be followed: the next start and a reload try again.
    std::string base_digest = {};
    bool merged = false;  ///< the file was edited, and `after` is more than it or the journal
    std::vector<std::string> notes = {};
};

/// `known`: nothing when nothing is remembered. Paths as they are written; `folder` is the file's.
start_state decide_start(const std::optional<config_history>& known,
                         const std::vector<journal_record>& records,
                         const config_history::version& file, std::string_view text,
                         const std::string& folder);

}  // namespace fulmar::admin
