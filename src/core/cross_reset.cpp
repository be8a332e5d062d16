// Cross-Controller Reset as the controller sees it that is asked: it sends the wish to the control
// reactor, and tells in log page 1Eh what is under way. It is answered when everything is over, so
// that the log never has to tell of an end. Home reactor.
#include "admin_pages.hpp"
#include "reservation/reservation_errand.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/nvme/cross_reset.hpp>

#include <algorithm>

namespace fulmar::core {

namespace sc = nvme::sc;

void controller::cross_reset(request& r) noexcept {
    const nvme::cross_reset wanted = nvme::decode_cross_reset(r.sqe);
    if (wanted.icid == id().value()) return finish(r, sc::invalid_field.no_retry());
    const auto free =
        std::find_if(cross_resets_.begin(), cross_resets_.end(),
                     [](const cross_reset_under_way& each) { return each.asker == nullptr; });
    if (free == cross_resets_.end()) return finish(r, sc::cross_reset_limit_exceeded);
    const cross_reset_request about{.id = cntlid(wanted.icid),
                                    .instance = {.uniquifier = wanted.ciu, .number = wanted.cirn}};
    if (!reservation_errand::send(r, *subsystem_, {}, about, nvme::host_id{host_id()}))
        return finish(r, sc::internal_error);
    *free = {.asker = &r, .id = about.id, .uniquifier = wanted.ciu};
}

void controller::cross_reset_is_over(const request& r) noexcept {
    for (cross_reset_under_way& each : cross_resets_)
        if (each.asker == &r) each = {};
}

cross_reset_page make_cross_reset_page(std::span<const cross_reset_under_way> all,
                                       cntlid asked) noexcept {
    cross_reset_page page{};
    std::uint16_t count = 0;
    for (const cross_reset_under_way& each : all) {
        if (each.asker == nullptr) continue;
        nvme::cross_reset_entry& entry = page.entry[count++];
        entry.icid = each.id.value();
        entry.ciu = each.uniquifier;
        entry.acid = asked.value();
        entry.state = static_cast<std::uint8_t>(nvme::cross_reset_state::in_progress);
    }
    page.header.entries = count;
    return page;
}

}  // namespace fulmar::core
