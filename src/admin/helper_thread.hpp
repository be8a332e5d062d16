// Runs one blocking job at a time on a thread of its own and comes back to a reactor with the
// outcome. Called on: the reactor given to run(). Must never: be waited for. A job on a dead disk
// may never end; then its thread is left behind.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/engine/reactor.hpp>

#include <functional>

namespace fulmar::admin {

class helper_thread {
  public:
    helper_thread() = default;
    /// A job that is still running is abandoned: its continuation will not run.
    ~helper_thread();
    helper_thread(const helper_thread&) = delete;
    helper_thread& operator=(const helper_thread&) = delete;

    [[nodiscard]] bool busy() const noexcept { return job_ != nullptr; }

    /// Runs `work` on the thread, then `next` on `home`. `work` must own whatever it touches; what
    /// it throws ends it there, so that its outcome must begin as a failure. Only while not busy.
    /// Errors: no_memory when no thread can be had; then neither runs.
    result<void> run(engine::reactor& home, std::function<void()> work, std::function<void()> next);

    /// Runs `work` here; what it throws ends it, and is logged.
    static void attempt(const std::function<void()>& work) noexcept;

  private:
    class job;
    job* job_ = nullptr;  // its own owner: it may outlive us
};

}  // namespace fulmar::admin
