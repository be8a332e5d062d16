// A place in a scatter list. Any thread; never outlives the list.
#pragma once

#include "streaming_copy.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace fulmar::backend {

/// Walks the bytes of a scatter list piece by piece. Running past the end is the caller's mistake:
/// nothing is visited then.
class iov_cursor {
  public:
    explicit iov_cursor(std::span<const iovec> list) noexcept : rest_(list) {}

    void copy_to(std::byte* to, std::size_t bytes) noexcept {
        visit(bytes, [&to](std::byte* at, std::size_t n) noexcept {
            std::memcpy(to, at, n);
            to += n;
            return true;
        });
    }
    void stream_to(std::byte* to, std::size_t bytes) noexcept {
        visit(bytes, [&to](std::byte* at, std::size_t n) noexcept {
            streaming_copy(to, at, n);
            to += n;
            return true;
        });
    }
    void copy_from(const std::byte* from, std::size_t bytes) noexcept {
        visit(bytes, [&from](std::byte* at, std::size_t n) noexcept {
            std::memcpy(at, from, n);
            from += n;
            return true;
        });
    }
    void zero(std::size_t bytes) noexcept {
        visit(bytes, [](std::byte* at, std::size_t n) noexcept {
            std::memset(at, 0, n);
            return true;
        });
    }
    void skip(std::size_t bytes) noexcept {
        visit(bytes, [](std::byte*, std::size_t) noexcept { return true; });
    }
    [[nodiscard]] bool equals(const std::byte* other, std::size_t bytes) noexcept {
        return visit(bytes, [&other](const std::byte* at, std::size_t n) noexcept {
            const bool same = std::memcmp(at, other, n) == 0;
            other += n;
            return same;
        });
    }
    [[nodiscard]] bool is_zero(std::size_t bytes) noexcept {
        return visit(bytes, [](const std::byte* at, std::size_t n) noexcept {
            return at[0] == std::byte{0} && std::memcmp(at, at + 1, n - 1) == 0;
        });
    }

  private:
    // Calls visit_piece(address, length) until `bytes` are through or it returns false; returns its
    // last answer.
    template <typename Visit>
    bool visit(std::size_t bytes, Visit&& visit_piece) noexcept {
        while (bytes != 0 && !rest_.empty()) {
            const std::size_t piece = std::min(bytes, rest_.front().iov_len - offset_);
            if (piece != 0 &&
                !visit_piece(static_cast<std::byte*>(rest_.front().iov_base) + offset_, piece))
                return false;
            bytes -= piece;
            offset_ += piece;
            if (offset_ == rest_.front().iov_len) {
                rest_ = rest_.subspan(1);
                offset_ = 0;
            }
        }
        return true;
    }

    std::span<const iovec> rest_;
    std::size_t offset_ = 0;
};

}  // namespace fulmar::backend
