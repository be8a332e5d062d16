// A call with a stack of its own, which stops where it likes and goes on later: how a blocking call
// blocks where there is one thread. The sanitizers are told.
#pragma once

#include <functional>

namespace fulmar::sim {

struct fiber_stack;

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
    friend struct fiber_stack;
    std::function<void()> body_;
    fiber_stack* stack_;
    bool begun_ = false;
    bool ended_ = false;
};

}  // namespace fulmar::sim
