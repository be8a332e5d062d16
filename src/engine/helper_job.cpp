#include <fulmar/base/assert.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace fulmar::engine {

namespace {

// How many threads there are; a condition to wait for their end.
struct census {
    std::mutex lock;
    std::condition_variable changed;
    std::uint32_t count = 0;
};
census& threads() {
    static auto* const all = std::make_unique<census>().release();  // threads may outlive statics
    return *all;
}
void count_thread(bool begins) {
    census& all = threads();
    const std::lock_guard guard(all.lock);
    all.count += begins ? 1u : ~0u;
    all.changed.notify_all();
}

constinit thread_local helper_runner* runner_here = nullptr;

}  // namespace

void helper_job::run_with(helper_runner* runner) noexcept { runner_here = runner; }

void helper_job::run() noexcept {
    work();
    if (!post_home(*this)) left_alone();
}

helper_job::helper_job() noexcept
    : message([](message& m) noexcept {
          auto& self = static_cast<helper_job&>(m);
          self.running_ = false;
          if (self.left_)
              self.left_alone();
          else
              self.come_home();
      }) {}

result<void> helper_job::start(reactor& home) noexcept {
    FULMAR_ASSERT(!running_);
    home_ = &home;
    stage_.store(stage::wanted);
    running_ = true;
    left_ = false;
    if (runner_here != nullptr) {
        runner_here->take(*this);
        return {};
    }
    count_thread(true);
    try {
        std::thread([this]() noexcept {
            pthread_setname_np(pthread_self(), "helper");
            run();
            count_thread(false);
        }).detach();
    } catch (const std::exception&) {  // of tasks, or of memory
        count_thread(false);
        running_ = false;
        return fail(errc::no_memory, "no thread can be had for a blocking call", {},
                    "raise the limit of tasks");
    }
    return {};
}

// Either the home reactor has abandoned it, or it does not before the message is in its mailbox.
bool helper_job::post_home(message& m) noexcept {
    stage expected = stage::wanted;
    if (!stage_.compare_exchange_strong(expected, stage::posting)) return false;
    reactor& home = *home_;
    const bool last = &m == this;  // then it may be gone as soon as it is posted
    home.post(m);
    if (!last) stage_.store(stage::wanted);
    return true;
}

void helper_job::abandon() noexcept {
    FULMAR_ASSERT(running_);
    left_ = true;
    stage expected = stage::wanted;
    while (!stage_.compare_exchange_weak(expected, stage::abandoned)) {
        // Its last post: it is in our mailbox, and ends there when it is read.
        if (expected == stage::posting && queued()) return;
        expected = stage::wanted;
        sched_yield();
    }
}

bool helper_job::wait_for_all(duration limit) noexcept {
    census& all = threads();
    std::unique_lock guard(all.lock);
    return all.changed.wait_for(guard, limit, [&all] { return all.count == 0; });
}

}  // namespace fulmar::engine
