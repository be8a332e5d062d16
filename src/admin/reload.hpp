// Takes over what somebody has edited in the config file: reads it, works out the difference to
// what is running, and applies that and nothing else; or only tells it (a dry run). Called on:
// admin thread.
#pragma once

#include "rest.hpp"

#include <fulmar/admin/problem.hpp>

#include <tl/expected.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fulmar::admin {

struct reload_report {
    struct step {
        core::change change;
        std::optional<error> failed;  ///< empty: done (or would be tried, in a dry run)
    };
    bool dry_run = false;
    std::vector<step> steps;
    std::vector<std::string> needs_restart;  ///< pointers of options that only a restart changes
    std::vector<problem> warnings;
    result<void> recorded;  ///< whether the journal has taken note
    std::uint64_t revision = 0;

    [[nodiscard]] std::size_t failures() const;
};

/// Either a report, or what is wrong with the file; then nothing has changed.
using reload_outcome = tl::expected<reload_report, problem_list>;

/// Lets no other change in between. `done` runs once.
void reload_config(rest_context& context, bool dry_run, std::function<void(reload_outcome)> done);

}  // namespace fulmar::admin
