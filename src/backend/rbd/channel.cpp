#include "channel.hpp"

#include "block_size.hpp"
#include "lane.hpp"
#include "write_ledger.hpp"

#include <fulmar/base/assert.hpp>

namespace fulmar::backend::rbd {

namespace sc = nvme::sc;

channel::~channel() { FULMAR_ASSERT(outstanding_ == 0); }

// What need not go to the cluster; success: it must.
nvme::status channel::refusal(const io_op& op) const noexcept {
    if (view_.lost.load(std::memory_order_acquire)) return device_gone;
    if (!in_bounds(op, view_.block_count.load(std::memory_order_acquire)))
        return sc::lba_out_of_range.no_retry();
    if (op.kind == io_kind::write_uncorrectable) return sc::invalid_opcode.no_retry();
    if (view_.read_only && fills_cache(op.kind)) return sc::namespace_write_protected.no_retry();
    return sc::success;
}

void channel::submit(io_op& op) noexcept {
    if (const nvme::status no = refusal(op); !nvme::is_success(no)) return op.done(op, no);
    ++outstanding_;
    lane_.submit(*this, op);
}

void channel::abort(io_op& op) noexcept {
    if (lane_.cancel(op)) answer(op, sc::aborted_by_request);
}

void channel::answer(io_op& op, nvme::status status) noexcept {
    --outstanding_;
    op.done(op, status);
}

}  // namespace fulmar::backend::rbd
