#include <fulmar/base/assert.hpp>
#include <fulmar/mem/buffer_chain.hpp>
#include <fulmar/mem/buffer_pool.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::mem {

std::size_t buffer_chain::capacity() const noexcept {
    return std::size_t{count_} * limits::chunk_bytes;
}

std::byte* buffer_chain::data() const noexcept {
    FULMAR_DASSERT(count_ != 0);
    return pool_->chunk(head_);
}

// Visits the pieces of [offset, offset + length), one per chunk, in order.
template <typename Visit>
void buffer_chain::for_each_piece(std::size_t offset, std::size_t length,
                                  Visit&& visit) const noexcept {
    FULMAR_ASSERT(offset <= capacity() && length <= capacity() - offset);
    if (length == 0) return;
    std::uint32_t index = head_;
    for (; offset >= limits::chunk_bytes; offset -= limits::chunk_bytes)
        index = pool_->next_[index];
    for (;;) {
        const std::size_t piece = std::min(length, limits::chunk_bytes - offset);
        visit(pool_->chunk(index) + offset, piece);
        length -= piece;
        if (length == 0) return;
        offset = 0;
        index = pool_->next_[index];
    }
}

std::uint32_t buffer_chain::fill_iovecs(std::span<iovec> out, std::size_t offset,
                                        std::size_t length) const noexcept {
    std::uint32_t filled = 0;
    for_each_piece(offset, length, [&](std::byte* at, std::size_t bytes) noexcept {
        if (filled != 0) {
            iovec& last = out[filled - 1];
            if (static_cast<std::byte*>(last.iov_base) + last.iov_len == at) {
                last.iov_len += bytes;
                return;
            }
        }
        FULMAR_ASSERT(filled < out.size());
        out[filled++] = {.iov_base = at, .iov_len = bytes};
    });
    return filled;
}

void buffer_chain::copy_in(std::size_t offset, std::span<const std::byte> from) const noexcept {
    const std::byte* source = from.data();
    for_each_piece(offset, from.size(), [&](std::byte* at, std::size_t bytes) noexcept {
        std::memcpy(at, source, bytes);
        source += bytes;
    });
}

void buffer_chain::copy_out(std::size_t offset, std::span<std::byte> to) const noexcept {
    std::byte* target = to.data();
    for_each_piece(offset, to.size(), [&](const std::byte* at, std::size_t bytes) noexcept {
        std::memcpy(target, at, bytes);
        target += bytes;
    });
}

void buffer_chain::zero(std::size_t offset, std::size_t length) const noexcept {
    for_each_piece(offset, length,
                   [](std::byte* at, std::size_t bytes) noexcept { std::memset(at, 0, bytes); });
}

buffer_chain buffer_chain::split_front(std::uint32_t count) noexcept {
    FULMAR_ASSERT(count != 0 && count < count_ && !from_reserve_);
    buffer_chain front;
    front.pool_ = pool_;
    front.credit_ = credit_;
    front.head_ = head_;
    front.tail_ = head_;
    front.count_ = count;
    for (std::uint32_t i = 1; i < count; ++i) front.tail_ = pool_->next_[front.tail_];
    head_ = pool_->next_[front.tail_];
    count_ -= count;
    return front;
}

void buffer_chain::recharge(buffer_credit& to) noexcept {
    if (count_ == 0 || credit_ == &to) return;
    FULMAR_ASSERT(to.pool_ == pool_);
    pool_->discharge(*credit_, count_, from_reserve_);
    from_reserve_ = false;
    credit_ = &to;
    pool_->charge(to, count_, false);
    pool_->changed_ = true;
}

void buffer_chain::release() noexcept {
    if (count_ == 0) return;
    pool_->put_back(*this);
    pool_ = nullptr;
    credit_ = nullptr;
    count_ = 0;
    from_reserve_ = false;
}

}  // namespace fulmar::mem
