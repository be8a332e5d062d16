// The threads: one per data reactor, pinned. The only place that starts threads for the engine.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstdint>
#include <future>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace fulmar::engine {

/// Data reactors and their threads. Reactors exist from create() on; threads run between start()
/// and stop(). Called on: control reactor, all methods.
class reactor_pool {
  public:
    /// Run on each reactor's thread as its first and last act (DPDK registration). May be null.
    struct thread_hooks {
        bool (*on_start)(reactor&) noexcept = nullptr;
        void (*on_stop)(reactor&) noexcept = nullptr;
    };
    struct options {
        std::uint32_t count = 1;
        /// One per reactor; one that does not exist is an error. Empty: the first CPUs that the
        /// caller may use, one each, or unpinned when there are fewer CPUs than reactors.
        std::vector<int> cpus;
        duration busy_window = std::chrono::microseconds(100);
        const clock_source* clock = nullptr;
        thread_hooks hooks;
    };

    static result<std::unique_ptr<reactor_pool>> create(const options& opts);
    ~reactor_pool();
    reactor_pool(const reactor_pool&) = delete;
    reactor_pool& operator=(const reactor_pool&) = delete;

    [[nodiscard]] std::span<const std::unique_ptr<reactor>> reactors() const noexcept {
        return reactors_;
    }
    /// The CPU of each reactor; empty: the scheduler chooses.
    [[nodiscard]] std::span<const int> cpus() const noexcept { return options_.cpus; }

    /// Errors: not_supported when a thread cannot be pinned or its hook fails; then none runs.
    result<void> start();
    /// Stops every reactor and joins its thread. Whatever they own must be at rest by then. False
    /// when one has not ended within `limit`: it hangs in the kernel, and nothing that it may touch
    /// can be destroyed; it may be asked again.
    [[nodiscard]] bool stop(duration limit) noexcept;

  private:
    explicit reactor_pool(options opts) : options_(std::move(opts)) {}
    void join() noexcept;
    options options_;
    std::vector<std::unique_ptr<reactor>> reactors_;
    std::vector<std::jthread> threads_;
    std::vector<std::future<void>> ends_;  // of each thread
};

}  // namespace fulmar::engine
