// A blocking job (a kernel call that may take its time) on a short-lived thread of its own. Nobody
// ever waits for it: it comes home as a message, or is left alone.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::engine {

class helper_job;
class reactor;

/// Who runs jobs where there are to be no threads. Called on: the thread that set it.
class helper_runner {
  public:
    /// `job` has been started: run() is to be called once, from outside of its home's turn.
    virtual void take(helper_job& job) = 0;

  protected:
    ~helper_runner() = default;
};

/// Derive, keep it at one place while it runs. work() runs on the thread; then on_done() runs on
/// the reactor, unless abandon() was called before: then on_abandoned() runs, on either, and must
/// delete the job.
class helper_job : public message {
  public:
    /// Errors: no_memory when no thread can be had; then nothing runs.  Called on: `home`, or its
    /// thread.
    result<void> start(reactor& home) noexcept;
    /// Has a thread wait for the next start(), which then needs nothing and cannot fail. The thread
    /// sleeps until then, with the priority of the caller, and goes when the job is destroyed.
    /// Errors: no_memory.  Called on: `home`, or its thread.
    result<void> prepare() noexcept;
    /// From now on jobs that this thread starts are run by `runner`; null: on threads of their own.
    /// It outlives them.
    static void run_with(helper_runner* runner) noexcept;
    /// Works, and goes home; then it may be gone.  Called on: its thread, or by a helper_runner.
    void run() noexcept;

    /// The owner goes, or the reactor ends: nothing comes home any more. Must be running().
    /// Called on: `home`.
    void abandon() noexcept;
    /// From start() to on_done().  Called on: `home`.
    [[nodiscard]] bool running() const noexcept { return running_; }

    /// Waits for jobs that are left alone, all of the process; false past `limit`.  Called on: main
    /// thread, when it ends.
    static bool wait_for_all(duration limit) noexcept;

  protected:
    helper_job() noexcept;
    ~helper_job();
    virtual void work() noexcept = 0;
    virtual void on_done() noexcept = 0;
    virtual void on_abandoned() noexcept = 0;
    /// False where a helper_runner lends the thread that work() is on.
    static bool has_own_thread() noexcept;

    /// From work(): posts `m` to the home reactor; false when the job has been abandoned.
    bool post_home(message& m) noexcept;

  private:
    enum class stage : std::uint8_t { wanted, posting, abandoned };
    reactor* home_ = nullptr;
    std::atomic<stage> stage_{stage::wanted};
    bool running_ = false;
    bool left_ = false;
    int ready_ = -1;  // an eventfd on which a thread waits, whose it is; -1: none does
};

}  // namespace fulmar::engine
