#include <fulmar/base/assert.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

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

// A thread begins on the CPUs of its creator, and a data reactor has one of its own: what blocks or
// computes for long goes where the main thread may run.
void leave_the_reactors_cpu() noexcept {
    cpu_set_t usual;
    CPU_ZERO(&usual);
    if (sched_getaffinity(getpid(), sizeof usual, &usual) == 0)
        (void)sched_setaffinity(0, sizeof usual, &usual);
}

template <typename Body>
result<void> begin_thread(Body body) noexcept {
    count_thread(true);
    try {
        std::thread([body]() noexcept {
            pthread_setname_np(pthread_self(), "helper");
            leave_the_reactors_cpu();
            body();
            count_thread(false);
        }).detach();
    } catch (const std::exception&) {  // of tasks, or of memory
        count_thread(false);
        return fail(errc::no_memory, "no thread can be had for a blocking call", {},
                    "raise the limit of tasks");
    }
    return {};
}

// What a thread that waits is told is the number in its eventfd: a job's address, or this.
constexpr std::uint64_t go_away = 1;

void tell(int eventfd, std::uint64_t what) noexcept {
    [[maybe_unused]] const ssize_t done = ::write(eventfd, &what, sizeof what);
    FULMAR_ASSERT(done == sizeof what);
}

std::uint64_t wait_to_be_told(unique_fd eventfd) noexcept {
    std::uint64_t what = go_away;
    while (::read(eventfd.get(), &what, sizeof what) < 0 && errno == EINTR) {}
    return what;
}

}  // namespace

helper_job::~helper_job() {
    if (ready_ >= 0) tell(ready_, go_away);
}

result<void> helper_job::prepare() noexcept {
    if (runner_here != nullptr || ready_ >= 0) return {};
    unique_fd order(::eventfd(0, EFD_CLOEXEC));
    if (!order) return fail_errno("no thread can wait for a blocking call", errno);
    FULMAR_CHECK(begin_thread([fd = order.get()] {
        const std::uint64_t what = wait_to_be_told(unique_fd(fd));
        if (what != go_away) reinterpret_cast<helper_job*>(what)->run();
    }));
    ready_ = order.release();
    return {};
}

void helper_job::run_with(helper_runner* runner) noexcept { runner_here = runner; }

bool helper_job::has_own_thread() noexcept { return runner_here == nullptr; }

void helper_job::run() noexcept {
    work();
    if (!post_home(*this)) on_abandoned();
}

helper_job::helper_job() noexcept
    : message([](message& m) noexcept {
          auto& self = static_cast<helper_job&>(m);
          self.running_ = false;
          if (self.left_)
              self.on_abandoned();
          else
              self.on_done();
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
    if (ready_ >= 0) {
        tell(std::exchange(ready_, -1), reinterpret_cast<std::uintptr_t>(this));
        return {};
    }
    auto begun = begin_thread([this] { run(); });
    running_ = begun.has_value();
    return begun;
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
