// The seam under NVMe/TCP: something that moves bytes in order. A kernel socket, or TLS over one.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fulmar::core {
struct secure_channel;
}

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

    /// One call, never blocking. `moved` with no bytes: again in the next turn, though nothing will
    /// announce it.
    [[nodiscard]] virtual result receive(std::span<iovec> into) noexcept = 0;
    [[nodiscard]] virtual result send(std::span<iovec> from) noexcept = 0;
    /// Tells the peer that nothing more comes; what it has been sent still arrives.
    virtual void end_output() noexcept = 0;
    /// What to wait on with epoll.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;

    /// The rest is asked of a stream that says so, and only of one.
    [[nodiscard]] virtual bool may_encrypt() const noexcept { return false; }
    /// The descriptor takes bytes again: what was sent and has not left may.  False: it is broken.
    [[nodiscard]] virtual bool push() noexcept { return true; }
    /// Null: nothing is encrypted, or it is not known yet.
    [[nodiscard]] virtual const core::secure_channel* channel() const noexcept { return nullptr; }
    /// Whether its key is used up.
    enum class wear : std::uint8_t { none, soon, now };
    [[nodiscard]] virtual wear worn() const noexcept { return wear::none; }
    /// For people; empty: the bytes or the socket were.
    [[nodiscard]] virtual std::string_view why_broken() const noexcept { return {}; }
};

}  // namespace fulmar::transport::tcp
