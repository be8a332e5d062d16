// Many writers, one reader: the inbox of a reactor.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::engine {

/// A lock-free intrusive queue. Messages of one sender arrive in the order of their posts.
class mailbox {
  public:
    mailbox() = default;
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;

    /// Puts `m` in the queue, unless it is in one already.
    /// Called on: any thread.
    post_result push(message& m) noexcept;

    /// Runs the handlers of at most `limit` messages, in order; returns how many.
    /// Called on: owning reactor.
    std::uint32_t drain(std::uint32_t limit) noexcept;

    /// Called on: any thread; exact only on the owning reactor.
    [[nodiscard]] bool empty() const noexcept {
        return ready_ == nullptr && incoming_.load(std::memory_order_seq_cst) == nullptr;
    }

  private:
    std::atomic<message*> incoming_{nullptr};               // newest first
    alignas(limits::cache_line) message* ready_ = nullptr;  // oldest first; the reader's
};

}  // namespace fulmar::engine
