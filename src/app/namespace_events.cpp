#include "namespace_events.hpp"

#include <fulmar/base/log.hpp>

#include <exception>
#include <string>

namespace fulmar::app {

void namespace_events::on_namespace_occurrence(const core::namespace_occurrence& one) noexcept try {
    if (!publish_) return;
    admin::event out{.what = std::string(one.what),
                     .subsystem = std::string(one.subsystem),
                     .nsid = one.nsid,
                     .host = std::string(one.host),
                     .detail = one.detail};
    numbers_.date(out);
    publish_(out);
} catch (const std::exception& failure) {  // a number is missing: a gap, for who reads them
    log::warn("an event of namespace {} of {} was dropped: {}", one.nsid, one.subsystem,
              failure.what());
}

}  // namespace fulmar::app
