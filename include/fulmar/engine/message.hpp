// A message between reactors: a node embedded in its sender, so that posting needs no memory and
// cannot fail.
#pragma once

#include <atomic>
#include <cstdint>

namespace fulmar::engine {

class mailbox;

enum class post_result : std::uint8_t {
    posted,   ///< the handler will run once on the owning reactor
    already,  ///< the node was still queued: the handler has yet to run, for both posts together
};

/// Derive, and static_cast back in the handler. The handler runs on the reactor that the node was
/// posted to; from its first instruction on the node may be posted again or destroyed. Called on:
/// any thread.
class message {
  public:
    using handler = void (*)(message&) noexcept;

    explicit message(handler on_arrival) noexcept : on_arrival_(on_arrival) {}
    message(const message&) = delete;
    message& operator=(const message&) = delete;

    /// True between post() and the handler's start.
    [[nodiscard]] bool queued() const noexcept { return queued_.load(std::memory_order_acquire); }

  protected:
    ~message() = default;
    /// For an owner that uses one node for successive stages. Only while the node is not queued.
    void set_handler(handler on_arrival) noexcept { on_arrival_ = on_arrival; }

  private:
    friend class mailbox;
    handler on_arrival_;
    message* next_ = nullptr;
    std::atomic<bool> queued_{false};
};

}  // namespace fulmar::engine
