// What a connection has still to send: headers copied into a ring, data where it lies, all of it
// offered to the kernel in one gathered call.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fulmar::host {

class tls_link;

/// Bounded: a caller asks `room_for` first. One thread; no allocation after construction.
class send_queue {
  public:
    enum class outcome : std::uint8_t { all_sent, some_left, failed };

    /// `ring_bytes` (a power of two) hold the copied parts.
    send_queue(std::size_t ring_bytes, std::size_t pieces);

    /// True when `copied` more bytes and `pieces` more pieces fit, wherever the ring wraps.
    [[nodiscard]] bool room_for(std::size_t copied, std::size_t pieces) const noexcept {
        return ring_size_ - (ring_tail_ - ring_head_) >= 2 * copied && capacity_ - count_ > pieces;
    }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    /// Space for `bytes` in the ring, in one piece, to be filled by the caller at once.
    [[nodiscard]] std::byte* copy_in(std::size_t bytes) noexcept;
    /// `data` stays as it is until sent.
    void refer_to(std::span<const std::byte> data) noexcept;

    /// One sendmsg, or one call of `tls` where there is one.
    outcome flush(int fd, tls_link* tls = nullptr) noexcept;

    /// Bytes ever queued, and ever sent: what was queued when the first stood at n has left when
    /// the second reaches n.
    [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return queued_; }
    [[nodiscard]] std::uint64_t sent_bytes() const noexcept { return sent_; }

  private:
    void add(std::byte* at, std::size_t bytes) noexcept;
    void forget(std::size_t bytes) noexcept;

    std::unique_ptr<std::byte[]> ring_;
    std::size_t ring_size_;
    std::size_t ring_head_ = 0;  // counts bytes ever freed, what a wrap skipped included
    std::size_t ring_tail_ = 0;  // counts bytes ever taken
    std::unique_ptr<iovec[]> pieces_;
    std::size_t capacity_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    std::uint64_t queued_ = 0;
    std::uint64_t sent_ = 0;
};

}  // namespace fulmar::host
