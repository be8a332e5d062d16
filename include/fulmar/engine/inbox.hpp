// Jobs that other threads hand to one reactor, where a message of their own would need an owner
// that outlives its way: the inbox owns them until they have run.
#pragma once

#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

namespace fulmar::engine {

/// Jobs run in the order in which they were posted, all that wait in one turn. Not for the data
/// path: each post allocates. Called on: any thread; destroyed when its reactor turns no more, or
/// nothing that was posted is on its way: the message that announces jobs is part of it.
class inbox {
  public:
    explicit inbox(reactor& home) noexcept : home_(home) {}
    /// What has not run never runs.
    ~inbox();
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;

    /// Runs `job` on the reactor. May throw std::bad_alloc; then nothing has been posted. Called
    /// on: any thread.
    template <typename Job>
    void post(Job&& job) {
        using kept = std::decay_t<Job>;
        static_assert(std::is_nothrow_invocable_v<kept&>, "whoever posts knows what may go wrong");
        push(std::make_unique<holder<kept>>(std::forward<Job>(job)));
    }

  private:
    struct entry {
        virtual ~entry() = default;
        virtual void run() noexcept = 0;
        entry* below = nullptr;
    };
    template <typename Job>
    struct holder final : entry {
        explicit holder(Job&& j) : job(std::move(j)) {}
        explicit holder(const Job& j) : job(j) {}
        void run() noexcept override { job(); }
        Job job;
    };

    void push(std::unique_ptr<entry> what) noexcept;
    [[nodiscard]] entry* take_all() noexcept;
    void run_all() noexcept;

    reactor& home_;
    std::atomic<entry*> newest_{nullptr};
    entry* waiting_ = nullptr;  // of the turn that runs, oldest first
    member_message<&inbox::run_all> knock_{*this};
};

}  // namespace fulmar::engine
