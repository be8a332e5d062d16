// Jobs on threads of their own: they come home, or are left alone; a thread that waits for one.
#include "support/eventually.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/base/sanitizer.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::engine {
namespace {

using namespace std::chrono_literals;

/// Waits on its thread until it may end.
struct job final : helper_job {
    explicit job(std::atomic<int>& left) : left_alone_count(left) {}
    void work() noexcept override {
        worked_on = std::this_thread::get_id();
        works = true;
        works.notify_all();
        may_end.wait(false);
    }
    void on_done() noexcept override { ++homecomings; }
    void on_abandoned() noexcept override {
        ++left_alone_count;
        delete this;
    }
    void let_end() {
        may_end = true;
        may_end.notify_all();
    }
    std::atomic<int>& left_alone_count;
    std::thread::id worked_on;
    std::atomic<bool> works{false}, may_end{false};
    int homecomings = 0;
};

struct helper_job_test : ::testing::Test {
    ~helper_job_test() override { EXPECT_TRUE(helper_job::wait_for_all(1min)); }

    bool home(const job& which) {
        return test::eventually([&] { return which.homecomings == 1; }, 1min,
                                [this] {
                                    if (!reactor_->run_once()) std::this_thread::sleep_for(1ms);
                                });
    }

    monotonic_clock clock_;
    std::unique_ptr<reactor> reactor_ =
        reactor::create({.id = reactor_id{0}, .busy_window = 0us, .clock = &clock_}).value();
    std::atomic<int> left_{0};
};

TEST_F(helper_job_test, works_on_a_thread_of_its_own_and_comes_home) {
    job one(left_);
    for (const bool prepared : {false, true, true}) {
        ASSERT_TRUE(!prepared || one.prepare());
        one.homecomings = 0;
        one.works = one.may_end = false;
        ASSERT_TRUE(one.start(*reactor_));
        one.works.wait(false);
        EXPECT_TRUE(one.running());
        one.let_end();
        EXPECT_TRUE(home(one));
        EXPECT_FALSE(one.running());
        EXPECT_NE(one.worked_on, std::this_thread::get_id());
    }
}

TEST_F(helper_job_test, is_left_alone_when_nobody_wants_it_any_more) {
    for (const bool prepared : {false, true}) {
        auto* const one = new job(left_);
        ASSERT_TRUE(!prepared || one->prepare());
        ASSERT_TRUE(one->start(*reactor_));
        one->works.wait(false);
        one->abandon();
        one->let_end();
        EXPECT_TRUE(helper_job::wait_for_all(1min));
    }
    EXPECT_EQ(left_, 2);
}

TEST_F(helper_job_test, takes_the_thread_that_waits_with_it) {
    {
        job never_started(left_);
        ASSERT_TRUE(never_started.prepare());
        ASSERT_TRUE(never_started.prepare());  // one is enough
        EXPECT_FALSE(helper_job::wait_for_all(0s));
    }
    EXPECT_TRUE(helper_job::wait_for_all(1min));
    EXPECT_EQ(left_, 0);
}

// The stack of a thread is memory, which may be short just when the job is wanted.
TEST_F(helper_job_test, starts_without_memory_when_it_is_prepared) {
#if FULMAR_ASAN || FULMAR_TSAN
    GTEST_SKIP() << "the sanitizers' allocator ends the process where malloc() says no";
#endif
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        std::vector<std::unique_ptr<job>> others;
        for (int i = 0; i < 100; ++i) others.push_back(std::make_unique<job>(left_));
        job prepared(left_);
        bool good = prepared.prepare().has_value();
        unsigned long data_kib = 0;
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmData:")) data_kib = std::stoul(line.substr(7));
        // Enough for an error's text, not for a stack.
        const rlimit limit{.rlim_cur = (data_kib + 1024) * 1024, .rlim_max = RLIM_INFINITY};
        good = good && ::setrlimit(RLIMIT_DATA, &limit) == 0;
        bool refused = false;  // once the stacks of threads that have ended are used up
        for (const auto& one : others) refused = refused || !one->start(*reactor_);
        good = good && refused && prepared.start(*reactor_).has_value();
        if (good) prepared.works.wait(false);
        std::printf("refused: %d, good: %d\n", refused, good);
        std::fflush(nullptr);
        ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace fulmar::engine
