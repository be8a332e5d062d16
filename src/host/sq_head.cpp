// One for TCP and RDMA: both queues count heads the same way.
#include <fulmar/host/sq_head.hpp>

#include <algorithm>

namespace fulmar::host {

std::uint32_t sq_head::room(std::uint32_t free_ids) const noexcept {
    return flow_control_ ? std::min(free_ids, entries_ - 1 - unconsumed_) : free_ids;
}

std::uint16_t sq_head::value() const noexcept {
    return flow_control_ ? head_ : nvme::sqhd_no_flow_control;
}

void sq_head::take(const nvme::cqe& with, protocol_checker& told) noexcept {
    const std::uint16_t head = with.sqhd.value();
    const std::uint16_t cid = with.cid.value();
    if (!connected_) {  // the Connect command's: from here on heads and tails are counted
        connected_ = true;
        unconsumed_ = 0;
        head_ = flow_control_ && head < entries_ ? head : std::uint16_t{0};
        consumed_ = told.commands_answered() + 1;
        return;
    }
    if (!flow_control_) {
        unconsumed_ = 0;
        if (head != nvme::sqhd_no_flow_control)
            told.record(violation::sqhd_out_of_range, cid, head, nvme::sqhd_no_flow_control);
        return;
    }
    const unsigned moved = (head + 0u + entries_ - head_) % entries_;
    if (head >= entries_ || moved > unconsumed_) {
        told.record(violation::sqhd_out_of_range, cid, head, (head_ + unconsumed_) % entries_);
        return;
    }
    head_ = head;
    unconsumed_ -= moved;
    consumed_ += moved;
    if (consumed_ < told.commands_answered() + 1)
        told.record(violation::sqhd_behind, cid, consumed_, told.commands_answered() + 1);
}

}  // namespace fulmar::host
