// What a listener and its connections count together.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace fulmar::transport::rdma {

/// Called on: any thread.
struct listener_account {
    std::string name;                           ///< of the listener, as in REST; never changes
    std::atomic<std::uint32_t> connections{0};  ///< present
    std::atomic<std::uint32_t> handshakes{0};   ///< of those, without a successful Connect
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> rejected{0};
};

}  // namespace fulmar::transport::rdma
