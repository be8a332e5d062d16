// A call with a stack of its own, which stops where it likes and goes on later: how a blocking call
// blocks where there is one thread. The sanitizers are told.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace fulmar::sim {

/// Called on: one thread.
class fiber {
  public:
    explicit fiber(std::function<void()> body);
    /// It has ended by then, or was never begun.
    ~fiber();
    fiber(const fiber&) = delete;
    fiber& operator=(const fiber&) = delete;

    /// Begins it, or goes on; returns when it stops or has ended. From outside of it.
    void resume();
    /// From inside: back to whoever resumed it.
    void stop();
    [[nodiscard]] bool ended() const { return ended_; }

  private:
    static void enter(unsigned high, unsigned low);
    void leave();

    std::function<void()> body_;
    std::byte* stack_;
    ucontext_t inside_{};
    ucontext_t outside_{};
    bool begun_ = false;
    bool ended_ = false;
    // For the sanitizers.
    const void* outer_stack_ = nullptr;
    std::size_t outer_bytes_ = 0;
    void* inner_thread_ = nullptr;
    void* outer_thread_ = nullptr;
};

}  // namespace fulmar::sim
