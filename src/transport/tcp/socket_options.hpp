// What a connected socket is told, so that a peer that has vanished does not stay for ever.
#pragma once

#include <chrono>

namespace fulmar::transport::tcp {

/// No delay; keep-alive probes for a connection that is silent; and an end for one whose peer
/// acknowledges nothing, not before `send_stall` (which would end it anyway). A host with KATO 0
/// that lost its power is noticed by these alone.
void prepare_socket(int fd, std::chrono::seconds send_stall) noexcept;

}  // namespace fulmar::transport::tcp
