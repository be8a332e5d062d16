// Tells systemd that the daemon lives, as long as every reactor answers its ping.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/reactor_pool.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace fulmar::app {

/// Without systemd (no NOTIFY_SOCKET, no WatchdogSec) it still pings, and logs a reactor that does
/// not answer. Called on: control reactor, all methods.
class watchdog {
  public:
    watchdog(engine::reactor& control, engine::reactor_pool& pool);
    ~watchdog();
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    /// One more that must answer: `ask` passes its argument on, to be called on any thread once.
    void also_ask(std::function<void(std::function<void()>)> ask);
    /// "Serving": from here on the watchdog is fed.
    void ready();
    /// "Stopping": a stop may take up to `at_most` more.
    void stopping(duration at_most);

  private:
    /// Travels to a data reactor, which a message wakes when it sleeps, and back.
    struct ping final : engine::message {
        ping(watchdog& w, engine::reactor& r) noexcept;
        void send() noexcept;
        watchdog* owner;
        engine::reactor* where;
        bool away = false;
        instant sent{};
        bool complained = false;
    };
    void on_beat() noexcept;

    engine::reactor& control_;
    std::function<void(std::function<void()>)> ask_;
    std::shared_ptr<std::atomic<bool>> asked_away_ = std::make_shared<std::atomic<bool>>(false);
    std::vector<std::unique_ptr<ping>> pings_;
    engine::member_timer<&watchdog::on_beat> beat_{*this};
    duration interval_;
};

}  // namespace fulmar::app
