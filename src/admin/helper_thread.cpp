#include "helper_thread.hpp"

#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace fulmar::admin {

/// Shared by the owner and the thread; the message on the way home holds a share as well.
struct helper_thread::state final : engine::message {
    state() : message(&state::at_home) {}

    static void at_home(engine::message& m) noexcept {
        const std::shared_ptr<state> self = std::move(static_cast<state&>(m).on_the_way);
        if (self->owner == nullptr) return;
        self->owner->job_.reset();
        if (self->next) self->next();
    }

    std::mutex lock;
    engine::reactor* home = nullptr;    // guarded by lock; null: abandoned
    helper_thread* owner = nullptr;     // the reactor's
    std::function<void()> next;         // the reactor's
    std::shared_ptr<state> on_the_way;  // from post to arrival
};

helper_thread::helper_thread() = default;

helper_thread::~helper_thread() {
    if (job_ == nullptr) return;
    job_->owner = nullptr;
    const std::lock_guard guard(job_->lock);
    job_->home = nullptr;
}

result<void> helper_thread::run(engine::reactor& home, std::function<void()> job,
                                std::function<void()> next) {
    auto shared = std::make_shared<state>();
    shared->home = &home;
    shared->owner = this;
    shared->next = std::move(next);
    try {
        std::thread([shared, work = std::move(job)] {
            work();
            const std::lock_guard guard(shared->lock);
            if (shared->home == nullptr) return;
            shared->on_the_way = shared;
            shared->home->post(*shared);
        }).detach();
    } catch (const std::system_error& failure) {
        return fail(errc::no_memory, failure.what());
    }
    job_ = std::move(shared);
    return {};
}

}  // namespace fulmar::admin
