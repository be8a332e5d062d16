// Which drive an operator means, and what his wish takes. Pure; any thread.
#pragma once

#include <fulmar/admin/drive_port.hpp>

#include <string>
#include <vector>

namespace fulmar::drives {

/// The one at that address, or of that serial number.  Errors: not_found.
result<admin::drive_report> drive_named(const std::vector<admin::drive_report>& all,
                                        const std::string& which);

/// Errors: not_found; conflict (unbind: a device stands on it that may have it at any moment;
/// attach, detach, drain: none does).
result<admin::drive_plan> plan_of(const std::vector<admin::drive_report>& all,
                                  const std::string& which, admin::drive_wish wish);

}  // namespace fulmar::drives
