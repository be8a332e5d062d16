// Runs one blocking job at a time on a thread of its own and comes back to a reactor with the
// outcome. Called on: the reactor given to run(). Must never: be waited for. A job on a dead disk
// may never end; then its thread is left behind.
#pragma once

#include <fulmar/engine/reactor.hpp>

#include <functional>
#include <memory>

namespace fulmar::admin {

class helper_thread {
  public:
    helper_thread();
    /// A job that is still running is abandoned: its continuation will not run.
    ~helper_thread();
    helper_thread(const helper_thread&) = delete;
    helper_thread& operator=(const helper_thread&) = delete;

    [[nodiscard]] bool busy() const noexcept { return job_ != nullptr; }

    /// Runs `job` on the thread, then `next` on `home`. `job` must own whatever it touches. Only
    /// while not busy. Errors: no_memory when no thread can be had; then neither runs.
    result<void> run(engine::reactor& home, std::function<void()> job, std::function<void()> next);

  private:
    struct state;
    std::shared_ptr<state> job_;
};

}  // namespace fulmar::admin
