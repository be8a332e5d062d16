#include "job.hpp"

#include <fulmar/engine/reactor.hpp>

namespace fulmar::backend::rbd {

void job::request_ended(std::int64_t result) noexcept {
    if (result < 0) {
        int none = 0;
        error.compare_exchange_strong(none, static_cast<int>(-result));
    }
    if (requests.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::atomic<std::uint32_t>& lost = *orphans;
    if (whose.exchange(job_whose::lane, std::memory_order_acq_rel) == job_whose::orphan)
        lost.fetch_sub(1, std::memory_order_acq_rel);
    else
        home->post(*this);
}

}  // namespace fulmar::backend::rbd
