// The watchdog is fed while every reactor answers, and not a beat longer.
#include "watchdog.hpp"

#include "support/temp_dir.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

namespace fulmar::app {
namespace {

using namespace std::chrono_literals;

struct watchdog_test : testing::Test {
    void SetUp() override {
        fulmar::log::set_level(fulmar::log::level::off);
        const std::string path = folder / "notify";
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
        ASSERT_EQ(::bind(manager.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
        ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
        ::setenv("WATCHDOG_USEC", "30000", 1);  // fed each 10 ms
    }
    void TearDown() override {
        ::unsetenv("NOTIFY_SOCKET");
        ::unsetenv("WATCHDOG_USEC");
        fulmar::log::set_level(fulmar::log::level::info);
    }
    /// Lets the control reactor run for `how_long`; the beats that the manager heard.
    int beats_in(duration how_long) {
        const instant end = clock.now() + how_long;
        int beats = 0;
        while (clock.now() < end) {
            turn(*control, control_tick);
            if (data_runs) turn(*pool->reactors()[0], data_tick);
            beats += heard();
        }
        return beats;
    }
    /// Takes what has come: a manager that does not listen would make the sender wait.
    int heard() {
        int beats = 0;
        std::array<char, 256> text{};
        for (;;) {
            const ssize_t got = ::recv(manager.get(), text.data(), text.size(), MSG_DONTWAIT);
            if (got <= 0) return beats;
            beats += std::string(text.data(), static_cast<std::size_t>(got)) == "WATCHDOG=1";
        }
    }
    /// A turn that does not sleep for long, whatever the reactor has to do.
    static void turn(engine::reactor& r, engine::timer& tick) {
        r.timers().arm(tick, r.fresh_now() + 2ms);
        r.run_once();
        r.timers().cancel(tick);
    }

    test::temp_dir folder;
    unique_fd manager{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    monotonic_clock clock;
    std::unique_ptr<engine::reactor> control =
        engine::reactor::create({.id = {}, .busy_window = {}, .clock = &clock}).value();
    // Never started: its reactor runs only when the test turns it.
    std::unique_ptr<engine::reactor_pool> pool =
        engine::reactor_pool::create(
            {.count = 1, .cpus = {}, .busy_window = {}, .clock = &clock, .hooks = {}})
            .value();
    bool data_runs = true;
    engine::timer control_tick{[](engine::timer&) noexcept {}};
    engine::timer data_tick{[](engine::timer&) noexcept {}};
};

TEST_F(watchdog_test, is_fed_while_every_reactor_answers) {
    watchdog dog(*control, *pool);
    EXPECT_EQ(beats_in(50ms), 0) << "not before it serves";
    dog.ready();
    EXPECT_GE(beats_in(300ms), 3);
}

TEST_F(watchdog_test, a_reactor_that_does_not_run_ends_it) {
    watchdog dog(*control, *pool);
    data_runs = false;
    dog.ready();
    EXPECT_EQ(beats_in(300ms), 1) << "the one that asked";
    EXPECT_EQ(beats_in(300ms), 0);
    data_runs = true;
    EXPECT_GE(beats_in(300ms), 3) << "it answers again";
}

TEST_F(watchdog_test, an_administration_that_does_not_answer_ends_it_too) {
    watchdog dog(*control, *pool);
    std::function<void()> answer;
    dog.also_ask([&](std::function<void()> answered) { answer = std::move(answered); });
    dog.ready();
    EXPECT_EQ(beats_in(300ms), 1);
    ASSERT_TRUE(answer != nullptr);
    answer();
    EXPECT_EQ(beats_in(300ms), 1) << "and is asked again";
}

}  // namespace
}  // namespace fulmar::app
