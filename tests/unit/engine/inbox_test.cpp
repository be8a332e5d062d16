// Unit tests of engine/inbox.hpp.
#include <fulmar/engine/inbox.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

namespace fulmar::engine {
namespace {

class inbox_test : public ::testing::Test {
  protected:
    manual_clock clock_;
    std::unique_ptr<reactor> home_ =
        reactor::create({.id = {}, .busy_window = {}, .clock = &clock_, .descriptors = false})
            .value();
};

TEST_F(inbox_test, runs_what_is_posted_in_order_and_once) {
    inbox box(*home_);
    std::vector<int> order;
    for (int i = 0; i < 5; ++i) box.post([&order, i]() noexcept { order.push_back(i); });
    EXPECT_TRUE(order.empty());
    home_->run_once();
    home_->run_once();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(inbox_test, takes_a_job_that_a_job_posts) {
    inbox box(*home_);
    int runs = 0;
    box.post([&]() noexcept {
        ++runs;
        box.post([&]() noexcept { ++runs; });
    });
    home_->run_once();
    home_->run_once();
    EXPECT_EQ(runs, 2);
}

TEST_F(inbox_test, destroys_each_job_that_has_run_or_never_will) {
    const auto alive = std::make_shared<int>(0);
    auto box = std::make_unique<inbox>(*home_);
    box->post([alive]() noexcept { ++*alive; });
    home_->run_once();
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_EQ(*alive, 1);
    box->post([alive]() noexcept { ++*alive; });
    box->post([alive]() noexcept { ++*alive; });
    EXPECT_EQ(alive.use_count(), 3);
    home_.reset();  // as at the end of a process: nobody reads its mail any more
    box.reset();
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_EQ(*alive, 1);
}

TEST_F(inbox_test, keeps_the_order_of_each_thread_of_many) {
    constexpr int count = 2'000;
    constexpr std::size_t threads = 3;
    inbox box(*home_);
    std::array<std::vector<int>, threads> seen;
    std::vector<std::jthread> posters;
    for (std::size_t t = 0; t < threads; ++t)
        posters.emplace_back([&, t] {
            for (int i = 0; i < count; ++i)
                box.post([&to = seen[t], i]() noexcept { to.push_back(i); });
        });
    const auto complete = [&] {
        for (const auto& one : seen)
            if (one.size() != count) return false;
        return true;
    };
    while (!complete()) home_->run_once();
    posters.clear();
    for (const auto& one : seen)
        for (int i = 0; i < count; ++i) ASSERT_EQ(one[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace fulmar::engine
