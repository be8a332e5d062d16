// Identify: one page of 4 KiB, whatever is asked. Served for every attached namespace, quiesced and
// lost ones too; it never waits.
#include "admin_pages.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>

namespace fulmar::core {

namespace sc = nvme::sc;

void controller::identify(request& r) noexcept {
    identify_page page{};
    const identify_context about{.seen = seen(),
                                 .options = home_.options(),
                                 .controller = who_.id,
                                 .keyed_data = r.owner->moves_data_by_key(),
                                 .ana_column = ana_column_,
                                 .instance = who_.instance};
    const nvme::status status = fill_identify(about, r.sqe, page);
    if (!nvme::is_success(status)) return finish(r, status);
    if (r.length != page.size()) return finish(r, sc::data_sgl_length_invalid.no_retry());
    answer_with(r, page);
}

}  // namespace fulmar::core
