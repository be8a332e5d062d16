// What a host asks for when it connects, checked: the sizes of one queue, or why it is rejected.
// NVMe/RDMA Transport 1.0, section 3.2. Pure: every byte is the peer's choice.
#pragma once

#include <fulmar/nvme/rdma_cm.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

namespace fulmar::transport::rdma {

/// What this target and its device can do.
struct queue_limits {
    std::uint16_t max_io_queues = 0;
    std::uint32_t max_admin_entries = 0;
    std::uint32_t max_io_entries = 0;
    std::uint8_t max_read_depth = 0;     ///< READs that our device can have outstanding
    std::uint8_t max_read_accepted = 0;  ///< READs of the peer that our device can serve
};

/// What the connection manager says beside the private data, as this side sees it.
struct peer_resources {
    std::uint8_t reads_served = 0;  ///< READs of ours that the peer can serve at a time
    std::uint8_t reads_wanted = 0;  ///< READs that the peer may have outstanding
};

/// A queue that can be had.
struct queue_shape {
    std::uint16_t qid = 0;
    std::uint32_t entries = 0;     ///< of the submission queue: commands outstanding, and one
    std::uint32_t peer_room = 0;   ///< answers that the host has receive buffers for
    std::uint8_t read_depth = 0;   ///< READs that we may have outstanding
    std::uint8_t read_served = 0;  ///< READs of the host that we serve
};

using private_data_verdict = std::variant<queue_shape, nvme::rdma::reject_reason>;

/// `bytes` may be longer than the request: connection managers pad it.
[[nodiscard]] private_data_verdict check_private_data(std::span<const std::byte> bytes,
                                                      const peer_resources& peer,
                                                      const queue_limits& limits) noexcept;

}  // namespace fulmar::transport::rdma
