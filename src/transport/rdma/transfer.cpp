#include "transfer.hpp"

#include <algorithm>

namespace fulmar::transport::rdma {

transfer_part next_part(std::span<const remote_segment> remote, std::uint32_t moved,
                        std::span<iovec> local, const transfer_limits& limits) noexcept {
    transfer_part part;
    std::uint32_t skip = moved;
    for (const remote_segment& segment : remote) {
        if (skip >= segment.length) {
            skip -= segment.length;
            continue;
        }
        part.remote_address = segment.address + skip;
        part.remote_key = segment.key;
        std::uint32_t left = std::min(segment.length - skip, limits.bytes);
        for (iovec& piece : local) {
            if (left == 0 || part.pieces == limits.pieces) break;
            piece.iov_len = std::min<std::size_t>(piece.iov_len, left);
            left -= static_cast<std::uint32_t>(piece.iov_len);
            part.bytes += static_cast<std::uint32_t>(piece.iov_len);
            ++part.pieces;
        }
        return part;
    }
    return part;
}

}  // namespace fulmar::transport::rdma
