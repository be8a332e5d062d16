// The seam under NVMe/TCP: something that moves bytes in order. Kernel sockets today; TLS can come
// in between.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace fulmar::transport::tcp {

/// Called on: owning reactor, all methods.
class byte_stream {
  public:
    virtual ~byte_stream() = default;

    enum class outcome { moved, would_block, ended, broken };
    struct result {
        outcome what = outcome::would_block;
        std::size_t bytes = 0;
    };

    /// One call, never blocking.
    [[nodiscard]] virtual result receive(std::span<iovec> into) noexcept = 0;
    [[nodiscard]] virtual result send(std::span<iovec> from) noexcept = 0;
    /// Tells the peer that nothing more comes; what it has been sent still arrives.
    virtual void end_output() noexcept = 0;
    /// What to wait on with epoll.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;
};

}  // namespace fulmar::transport::tcp
