// An NVMe/TCP controller with next to nothing in it: one namespace of memory, no digests, no
// errors. It answers as fast as the sockets allow, so that a load generator can be measured against
// it, and it lets the host library be tested without the target. Not a model of correct behaviour.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::test {

class null_peer {
  public:
    struct options {
        std::uint16_t port = 0;  ///< 0: any
        std::size_t memory_bytes = 64u << 20;
        std::uint32_t block_bytes = 4096;
        std::uint32_t in_capsule_bytes = 8192;
        std::uint32_t max_h2c_data_bytes = 128 * 1024;
        std::uint16_t queue_entries_max = 1024;
        bool store_data = true;  ///< false: writes are dropped
    };

    explicit null_peer(const options& o);
    ~null_peer();
    null_peer(const null_peer&) = delete;
    null_peer& operator=(const null_peer&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return options_.port; }

    /// One pass over the listener and all connections; true when anything came.
    bool turn();
    /// Turns until `stop`; blocks when nothing has come for a while.
    void run(const std::atomic<bool>& stop);

  private:
    class link;
    options options_;
    unique_fd listener_;
    std::byte* memory_;
    std::vector<std::byte> buffer_;
    std::vector<std::unique_ptr<link>> links_;
    unsigned until_accept_ = 0;
};

}  // namespace fulmar::test
