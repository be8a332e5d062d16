// What is remembered of the configuration file beside the journal: the file as the operator wrote
// it, as Fulmar has written it last, and which objects a file has made. Losing it loses nothing:
// what nobody remembers counts as made over REST, and stays. Plain values; no I/O.
#pragma once

#include "config_merge.hpp"

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace fulmar::admin {

struct config_history {
    struct version {
        std::string digest = {};
        core::target_spec spec = {};  ///< paths as they are written
        friend bool operator==(const version&, const version&) = default;
    };
    version read = {};                              ///< when it was last read after an edit
    std::optional<version> written = std::nullopt;  ///< when changes were folded into that
    file_made_set file_made = {};

    /// Of a file that is read for the first time. One that looks like our own writing may have
    /// REST's objects in it: nothing in it counts as the file's.
    static config_history first(std::string_view text, const version& file);

    /// REST has made or removed something. A creation by hand afterwards is REST's.
    void follow(const core::change& change);

    /// The file is one of the two versions.
    [[nodiscard]] bool knows(const std::string& digest) const;
    /// What a file with this digest and content has to be compared with.
    [[nodiscard]] const version& ancestor_of(const version& file) const;

    friend bool operator==(const config_history&, const config_history&) = default;
};

/// What a reload hands to the journal: the file that counts from now on, what is configured with
/// it, and what is to be remembered.
struct journal_base {
    std::string digest;            ///< of the file
    core::target_spec file;        ///< what it says; paths as they are written
    core::target_spec configured;  ///< more or less than that, by what REST has changed
    config_history history;
};

std::string encode(const config_history& history);
/// Errors: io_error when it is not what encode() made.
result<config_history> decode_history(std::string_view text, const std::string& name);

}  // namespace fulmar::admin
