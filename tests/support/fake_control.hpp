// A control port with no target behind it: keeps the configuration as data and answers like the
// core. It runs on a reactor of its own thread, so that the admin layer meets the threads that it
// will meet.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/engine/inbox.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace fulmar::admin {
class spec_editor;
}

namespace fulmar::test {

/// A reactor on a thread: the control reactor of a test.
class control_thread {
  public:
    control_thread();
    ~control_thread();
    engine::reactor& reactor() { return *reactor_; }
    /// Runs `job` on the reactor and waits for its end.
    void run(std::function<void()> job);
    /// Ends the thread; the reactor stays.
    void stop();

  private:
    monotonic_clock clock_;
    std::unique_ptr<engine::reactor> reactor_;
    engine::inbox inbox_{*reactor_};
    std::thread thread_;
};

class fake_control final : public core::control_port {
  public:
    fake_control(engine::reactor& control, const core::target_spec& spec,
                 core::change_log* log = nullptr);
    ~fake_control();

    // Called on: any thread.
    void submit(core::control_request& request) noexcept override;

    /// While true, requests wait.  Called on: any thread.
    void hold(bool on);
    /// Requests that wait.  Called on: any thread.
    [[nodiscard]] std::size_t waiting() const;
    /// Changes for which this tells an error fail with it.  Before any request.
    std::function<std::optional<error>(const core::change&)> refuse;
    /// The configuration.  Called on: any thread.
    [[nodiscard]] core::target_spec spec() const;
    std::atomic<std::uint64_t> changes{0};

  private:
    void serve() noexcept;
    void answer(core::control_request& request);
    result<core::control_answer> change(core::change& what);
    result<core::control_answer> ask(const core::query& what);
    core::subsystem_status status_of(const core::subsystem_spec& spec) const;
    core::namespace_status status_of(const core::namespace_spec& spec) const;
    core::device_status status_of(const core::device_spec& spec) const;

    engine::reactor& control_;
    core::change_log* log_;
    mutable std::mutex lock_;
    std::deque<core::control_request*> queue_;
    bool held_ = false;
    std::unique_ptr<admin::spec_editor> model_;
    std::uint64_t revision_ = 1;
    std::uint16_t next_port_ = 40000;
    engine::member_message<&fake_control::serve> kick_{*this};
};

}  // namespace fulmar::test
