// What a connection still has to send, as the kernel wants it: one array of pieces, one sendmsg per
// turn.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace fulmar::bench {

/// Pieces point at memory of others, which stays as it is until sent. One thread.
class gather {
  public:
    explicit gather(std::size_t pieces) : pieces_(pieces) {}

    [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }

    /// Adds a piece; one that continues the last joins it.
    void add(const void* from, std::size_t bytes) noexcept {
        if (tail_ > head_) {
            iovec& last = pieces_[tail_ - 1];
            if (static_cast<std::byte*>(last.iov_base) + last.iov_len == from) {
                last.iov_len += bytes;
                return;
            }
        }
        if (tail_ == pieces_.size()) compact();
        pieces_[tail_++] = iovec{const_cast<void*>(from), bytes};
    }

    /// Offers everything to the kernel once; false when the connection is gone.
    bool flush(int fd) noexcept {
        if (empty()) return true;
        msghdr message{};
        message.msg_iov = pieces_.data() + head_;
        message.msg_iovlen = std::min<std::size_t>(tail_ - head_, 1024);
        const ssize_t put = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0) return errno == EAGAIN;
        take(static_cast<std::size_t>(put));
        return true;
    }

  private:
    void take(std::size_t bytes) noexcept {
        while (head_ < tail_ && bytes >= pieces_[head_].iov_len) bytes -= pieces_[head_++].iov_len;
        if (head_ == tail_) {
            head_ = tail_ = 0;
        } else if (bytes != 0) {
            pieces_[head_].iov_base = static_cast<std::byte*>(pieces_[head_].iov_base) + bytes;
            pieces_[head_].iov_len -= bytes;
        }
    }
    void compact() noexcept {
        if (head_ == 0) pieces_.resize(pieces_.size() * 2);
        std::memmove(pieces_.data(), pieces_.data() + head_, (tail_ - head_) * sizeof(iovec));
        tail_ -= head_;
        head_ = 0;
    }

    std::vector<iovec> pieces_;
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
};

/// The same small message many times in a row, so that a batch of them is one piece.
class repeated {
  public:
    repeated(std::size_t bytes, std::uint8_t type) : one_(bytes), all_(bytes * copies) {
        for (std::size_t i = 0; i < copies; ++i) all_[i * bytes] = static_cast<std::byte>(type);
    }
    /// One more copy; follows the last in memory most of the time.
    const std::byte* next() noexcept {
        const std::byte* at = all_.data() + index_ * one_;
        index_ = (index_ + 1) % copies;
        return at;
    }

  private:
    static constexpr std::size_t copies = 512;
    std::size_t one_;
    std::vector<std::byte> all_;
    std::size_t index_ = 0;
};

}  // namespace fulmar::bench
