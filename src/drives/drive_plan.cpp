#include "drive_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::drives {

namespace {

using admin::drive_report;
using admin::drive_wish;

/// Fulmar has it, or may take it at any moment.
result<void> check_free(const drive_report& drive) {
    if (drive.names.empty() || (drive.detached && drive.state == "absent")) return {};
    return fail(errc::conflict,
                fmt::format("device {} stands on {}", drive.names.front(), drive.address.text()),
                {}, "detach it first");
}

result<void> check_device(const drive_report& drive) {
    if (!drive.names.empty()) return {};
    const std::string where = drive.address.text();
    return fail(errc::conflict, fmt::format("no device of Fulmar stands on {}", where), {},
                fmt::format("POST /v1/devices with type \"pcie\" and address \"{}\"", where));
}

}  // namespace

result<drive_report> drive_named(const std::vector<drive_report>& all, const std::string& which) {
    const auto found = std::ranges::find_if(all, [&](const drive_report& one) {
        return one.address.text() == which || (!one.serial.empty() && one.serial == which);
    });
    if (found != all.end()) return *found;
    return fail(errc::not_found,
                fmt::format("no drive is at {}, and none has that serial number", which), {},
                "GET /v1/drives lists them");
}

result<admin::drive_plan> plan_of(const std::vector<drive_report>& all, const std::string& which,
                                  drive_wish wish) {
    admin::drive_plan made;
    FULMAR_TRY(made.drive, drive_named(all, which));
    const drive_report& drive = made.drive;
    if (wish == drive_wish::bind || wish == drive_wish::unbind) {
        made.done = drive.driver == (wish == drive_wish::bind ? "vfio-pci" : "nvme");
        if (wish == drive_wish::unbind && !made.done) FULMAR_CHECK(check_free(drive));
        return made;
    }
    FULMAR_CHECK(check_device(drive));
    for (const std::string& name : drive.names)
        if (wish == drive_wish::attach)
            made.changes.emplace_back(core::attach_device{name});
        else
            made.changes.emplace_back(core::detach_device{name, wish == drive_wish::drain});
    return made;
}

}  // namespace fulmar::drives
