// A path whose file system does not answer: a server that is away under an NFS mount. The control
// reactor waits for a bounded time, once for all such devices.
#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/storage_watch.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/engine/uring_file_io.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>
#include <support/temp_dir.hpp>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::backend {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// What each look at a path waits for.
struct gate {
    std::mutex lock;
    std::condition_variable changed;
    bool open = false;
    void let_through() {
        const std::lock_guard guard(lock);
        open = true;
        changed.notify_all();
    }
    void shut() {
        const std::lock_guard guard(lock);
        open = false;
    }
};
gate& mount() {
    static gate one;
    return one;
}
result<void> asks_the_server(const std::string&) {
    std::unique_lock guard(mount().lock);
    mount().changed.wait(guard, [] { return mount().open; });
    return {};
}

class hung_storage_device : public ::testing::Test {
  protected:
    void SetUp() override { mount().shut(); }
    void TearDown() override {
        mount().let_through();
        devices.clear();
        watch.reset();
        reactor.bring_home();
    }
    std::string image(int i) { return dir.path().string() + "/image" + std::to_string(i); }
    device& make(int i) {
        std::ofstream(image(i)) << "x";
        std::filesystem::resize_file(image(i), 1 << 20);
        devices.push_back(
            make_file_device(
                {.name = "disk" + std::to_string(i),
                 .path = image(i),
                 .size_bytes = 1 << 20,
                 .permit = asks_the_server},
                {.control = &*reactor, .files = files.get(), .watch = &*watch, .memory = nullptr})
                .value());
        return *devices.back();
    }

    test::temp_dir dir;
    test::hand_reactor reactor;
    std::unique_ptr<engine::file_io_provider> files = engine::make_uring_files();
    std::optional<storage_watch> watch{std::in_place, *reactor, 20ms};
    std::vector<std::unique_ptr<device>> devices;
};

// One after the other they would take the watchdog's patience.
TEST_F(hung_storage_device, many_cost_a_start_what_one_costs_and_serve_when_they_answer) {
    constexpr int count = 6;
    for (int i = 0; i < count; ++i) make(i).prepare();
    const auto begin = clock::now();
    for (auto& one : devices) EXPECT_TRUE(one->open(opening::configured));
    EXPECT_LT(clock::now() - begin, 2 * limits::storage_patience);
    for (auto& one : devices) {
        EXPECT_EQ(one->condition(), "missing");
        EXPECT_NE(one->trouble().find("does not answer"), std::string::npos) << one->trouble();
    }
    mount().let_through();
    for (auto& one : devices)
        EXPECT_TRUE(reactor.run_until([&] { return one->condition() == "ready"; }));
}

TEST_F(hung_storage_device, what_is_asked_for_is_given_up_in_time_and_asked_once) {
    device& one = make(0);
    const auto begin = clock::now();
    const auto asked = one.open(opening::asked_for);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, errc::timed_out) << asked.error().text();
    EXPECT_LT(clock::now() - begin, 2 * limits::storage_patience);
    const auto again = clock::now();
    EXPECT_EQ(one.reopen().error().code, errc::unavailable);
    EXPECT_LT(clock::now() - again, 1s) << "a thread waits for the storage already";
}

}  // namespace
}  // namespace fulmar::backend
