// Takes over what somebody has edited in the config file: reads it, merges it with what REST has
// changed since, works out the difference to what is running, and applies that and nothing else; or
// only tells it (a dry run). Called on: admin thread.
#pragma once

#include "config_merge.hpp"
#include "disturbance.hpp"
#include "rest.hpp"

#include <fulmar/admin/problem.hpp>

#include <tl/expected.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fulmar::admin {

struct reload_options {
    bool dry_run = false;
    bool prune = false;  ///< what REST made and the file lacks is removed
    bool force = false;  ///< in a conflict the file has its way; hosts may be disturbed
};

struct reload_report {
    struct step {
        core::change change;
        disturbance disturbs;         ///< who notices it
        std::optional<error> failed;  ///< empty: done (or would be tried, in a dry run)
    };
    bool dry_run = false;
    std::vector<step> steps;
    std::vector<merge_note> notes;           ///< where REST's word stays against the file's
    std::vector<std::string> needs_restart;  ///< pointers of options that only a restart changes
    std::vector<problem> warnings;
    std::string superseded;    ///< the file that has what was overruled; empty: nothing was
    bool needs_force = false;  ///< of a dry run: without force this would be refused
    result<void> recorded;     ///< whether the journal has taken note
    std::uint64_t revision = 0;

    [[nodiscard]] std::size_t failures() const;
};

/// Why nothing was changed.
struct reload_refusal {
    problem_list problems;                  ///< of the file; or
    std::vector<merge_conflict> conflicts;  ///< with what REST has changed; or
    std::optional<disturbance> disturbs;    ///< whom it would disturb, which only force may
    std::string why;                        ///< of `disturbs`

    /// One line per finding, for a log.
    [[nodiscard]] std::vector<std::string> lines(const std::string& file) const;
};

using reload_outcome = tl::expected<reload_report, reload_refusal>;

/// Lets no other change in between. `done` runs once.
void reload_config(rest_context& context, reload_options how,
                   std::function<void(reload_outcome)> done);

}  // namespace fulmar::admin
