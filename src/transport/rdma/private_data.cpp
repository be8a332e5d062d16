#include "private_data.hpp"

#include <algorithm>

namespace fulmar::transport::rdma {

using nvme::rdma::reject_reason;

private_data_verdict check_private_data(std::span<const std::byte> bytes,
                                        const peer_resources& peer,
                                        const queue_limits& limits) noexcept {
    const auto asked = nvme::read_wire<nvme::rdma::cm_request>(bytes);
    if (!asked) return reject_reason::invalid_private_data_length;
    if (asked->recfmt.value() != nvme::rdma::record_format)
        return reject_reason::invalid_record_format;
    queue_shape shape;
    shape.qid = asked->qid.value();
    if (shape.qid > limits.max_io_queues) return reject_reason::invalid_qid;
    const std::uint32_t most = shape.qid == 0 ? limits.max_admin_entries : limits.max_io_entries;
    shape.entries = asked->hsqsize.value() + 1u;
    if (shape.entries < 2 || shape.entries > most) return reject_reason::invalid_hsqsize;
    shape.peer_room = asked->hrqsize.value();
    if (shape.peer_room == 0) return reject_reason::invalid_hrqsize;
    // Every write, and an admin queue's Connect, is fetched by RDMA READ.
    shape.read_depth = std::min(peer.reads_served, limits.max_read_depth);
    if (shape.read_depth == 0) return reject_reason::invalid_ird;
    shape.read_served = std::min(peer.reads_wanted, limits.max_read_accepted);
    return shape;
}

}  // namespace fulmar::transport::rdma
