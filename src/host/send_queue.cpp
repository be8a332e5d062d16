#include <fulmar/base/assert.hpp>
#include <fulmar/host/send_queue.hpp>
#include <fulmar/host/tls_link.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstring>

namespace fulmar::host {

send_queue::send_queue(std::size_t ring_bytes, std::size_t pieces)
    : ring_(std::make_unique<std::byte[]>(std::bit_ceil(ring_bytes))),
      ring_size_(std::bit_ceil(ring_bytes)),
      pieces_(std::make_unique<iovec[]>(pieces)),
      capacity_(pieces) {}

std::byte* send_queue::copy_in(std::size_t bytes) noexcept {
    if (count_ == 0) ring_head_ = ring_tail_ = 0;  // the front of the ring is the part in cache
    std::size_t at = ring_tail_ & (ring_size_ - 1);
    if (at + bytes > ring_size_) {
        ring_tail_ += ring_size_ - at;
        at = 0;
    }
    ring_tail_ += bytes;
    FULMAR_ASSERT(ring_tail_ - ring_head_ <= ring_size_);
    add(ring_.get() + at, bytes);
    return ring_.get() + at;
}

void send_queue::refer_to(std::span<const std::byte> data) noexcept {
    if (!data.empty()) add(const_cast<std::byte*>(data.data()), data.size());
}

void send_queue::add(std::byte* at, std::size_t bytes) noexcept {
    queued_ += bytes;
    if (count_ != 0) {
        iovec& last = pieces_[first_ + count_ - 1];
        if (static_cast<std::byte*>(last.iov_base) + last.iov_len == at) {
            last.iov_len += bytes;
            return;
        }
    }
    if (first_ + count_ == capacity_) {
        FULMAR_ASSERT(first_ != 0);
        std::memmove(pieces_.get(), pieces_.get() + first_, count_ * sizeof(iovec));
        first_ = 0;
    }
    pieces_[first_ + count_++] = iovec{at, bytes};
}

send_queue::outcome send_queue::flush(int fd, tls_link* tls) noexcept {
    if (count_ == 0) return outcome::all_sent;
    ssize_t put = 0;
    if (tls != nullptr) {
        put = tls->send({pieces_.get() + first_, count_});
    } else if (count_ == 1) {
        put = ::send(fd, pieces_[first_].iov_base, pieces_[first_].iov_len,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        msghdr message{};
        message.msg_iov = pieces_.get() + first_;
        message.msg_iovlen = std::min<std::size_t>(count_, IOV_MAX);
        put = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (put < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? outcome::some_left
                                                                     : outcome::failed;
    forget(static_cast<std::size_t>(put));
    return count_ == 0 ? outcome::all_sent : outcome::some_left;
}

void send_queue::forget(std::size_t bytes) noexcept {
    sent_ += bytes;
    while (count_ != 0) {
        iovec& piece = pieces_[first_];
        auto* const base = static_cast<std::byte*>(piece.iov_base);
        const std::size_t part = std::min(bytes, piece.iov_len);
        if (base >= ring_.get() && base < ring_.get() + ring_size_) {
            // Copies leave the ring in the order in which they came: up to here it is free.
            const auto end = static_cast<std::size_t>(base - ring_.get()) + part;
            ring_head_ += (end - ring_head_) & (ring_size_ - 1);
        }
        bytes -= part;
        if (part < piece.iov_len) {
            piece.iov_base = base + part;
            piece.iov_len -= part;
            return;
        }
        ++first_;
        --count_;
    }
    first_ = 0;
}

}  // namespace fulmar::host
