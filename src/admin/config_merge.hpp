// The three-way merge of a reload and of a start: the configuration file as it was when it was last
// read or written, the file as it is now, and what is configured, which has REST's changes in it.
// What only one side has changed is taken from there; what both have changed differently is a
// conflict. Pure. Must never: drop what REST has made or changed without saying so, or make a
// device smaller.
#pragma once

#include "config_objects.hpp"

#include <fulmar/core/model.hpp>

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

namespace fulmar::admin {

/// The objects that a configuration file has made. All others were made over REST, or it is not
/// known who made them: both stay when a file lacks them.
using file_made_set = std::set<object_key>;

/// All paths resolved.
struct merge_sides {
    core::target_spec base;        ///< the file when it was last read or written
    core::target_spec file;        ///< the file now
    core::target_spec configured;  ///< what is configured now
    file_made_set file_made;       ///< of `base` and `configured`
};

struct merge_rules {
    bool prune = false;  ///< what REST made and the file lacks goes
    bool force = false;  ///< where both sides have changed the same thing, the file has its way
};

/// Both sides have changed the same thing differently.
struct merge_conflict {
    object_key object;
    std::string field;  ///< empty: whether it is there at all
    std::string base;   ///< the three values, as JSON; "absent" where there is none
    std::string file;
    std::string configured;
    std::string remedy;
    bool can_force = true;  ///< false: not even force settles it
    /// "device f, size: the file says 64, REST 32 (it was 16)".
    [[nodiscard]] std::string text() const;
};

/// Where the file was not followed, because REST has made, changed or removed something since.
struct merge_note {
    enum class kind : std::uint8_t { made, changed, removed, pruned, overruled };
    kind what = kind::made;
    object_key object;
    std::string field;  ///< of `changed` and `overruled`; may be empty
    [[nodiscard]] std::string text() const;
};

struct merge_result {
    core::target_spec spec;                 ///< meaningful without conflicts
    file_made_set file_made;                ///< of `spec`
    std::vector<merge_conflict> conflicts;  ///< unless it is empty, nothing may be applied
    std::vector<merge_note> notes;
    /// Something that REST had made or changed is not in `spec` any more.
    [[nodiscard]] bool drops() const noexcept;
};

merge_result merge(const merge_sides& sides, merge_rules rules);

/// Which of two versions of the file the present one descends from: `read`, which the operator
/// wrote, or `written`, which has REST's changes folded in. Operators edit the one and overwrite it
/// with the other; a file that shows any of what was folded is an edit of that.
const core::target_spec& ancestor_of(const core::target_spec& file, const core::target_spec& read,
                                     const core::target_spec& written);

/// Paths are compared as absolute ones, and recorded as somebody has written them.
core::target_spec resolved_paths(core::target_spec spec, const std::string& folder);
/// The other way: where one of `sides` has a path of its own for the same place, that.
core::target_spec paths_as_written(core::target_spec spec, const std::string& folder,
                                   std::initializer_list<const core::target_spec*> sides);

/// Every object of `spec`.
file_made_set all_objects(const core::target_spec& spec);

}  // namespace fulmar::admin
